"""Domain randomisation of Miki et al. (Methods), with numbers from its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from envs.per_episode import require_range


@dataclass(frozen=True)
class RandomizationConfig:
    """Ranges at the curriculum's end.

    Until then c_k multiplies all but friction, probabilities, payload, the time between pushes and `start_offset`.
    """

    friction: tuple[float, float] = (0.5, 1.25)
    """Sliding friction of the feet, uniform per robot (legged_gym)."""
    slippery_probability: float = 0.08
    """Fraction of feet that slip (Miki: friction is occasionally low)."""
    slippery_friction: tuple[float, float] = (0.15, 0.45)
    """Sliding friction of a slippery foot (Lee et al.: N(0.3, 0.1))."""
    base_mass: float = 5.0
    """kg, half-width of the uniform mass added to the base (legged_gym)."""
    leg_mass: float = 0.1
    """Relative half-width of the mass of hips, thighs and shanks (MuJoCo Playground)."""
    payload: float = 0.0
    """kg that every base carries beside its own mass."""
    motor_strength: float = 0.1
    """Relative half-width of a joint's torque for the same command (walk-these-ways)."""
    drive_position_gain: float = 0.1
    """Relative half-width of the position error that a drive feels (walk-these-ways: 0.8 to 1.3); not for pd drives."""
    drive_velocity_gain: float = 0.2
    """Relative half-width of the joint velocity that a drive feels (walk-these-ways: 0.5 to 1.5); not for pd drives."""
    drive_lag: float = 0.004
    """s, largest time constant of a lag beside a drive's own of some 20 ms (ours: a fifth); not for pd drives."""
    torque_limit: float = 0.1
    """Largest fraction by which a drive's torque limit is lower (ours: a battery's charge); not for pd drives."""
    weak_probability: float = 0.03
    """Fraction of drives that are weak (ours: one in a third of the robots); not for pd drives."""
    weak_strength: tuple[float, float] = (0.6, 0.9)
    """Factor on a weak drive's torque and limit (ours); not for pd drives."""
    force: float = 30.0
    """N, standard deviation of each component of a constant force on the base (Lee et al. test with 50 N)."""
    torque: float = 6.0
    """N m, standard deviation of each component of a constant torque on the base (the force at 0.2 m; ours)."""
    wrench_probability: float = 0.3
    """Fraction of episodes with a constant external force and torque (ours)."""
    push_velocity: float = 0.7
    """m/s, half-width of the horizontal velocity added to the base by a push (legged_gym: 1, Isaac Lab: 0.5)."""
    push_seconds: float = 8.0
    """s between pushes of a robot, on average (legged_gym: 15, Isaac Lab: 10 to 15)."""
    joint_position: float = 0.2
    """rad, half-width of the initial joint position around the gait's (legged_gym: half to one and a half times it)."""
    joint_velocity: float = 1.0
    """rad/s, half-width of the initial joint velocity (ours)."""
    tilt: float = 0.15
    """rad, half-width of the initial roll and pitch (ours)."""
    velocity: float = 0.5
    """m/s and rad/s, half-width of the initial base velocity (legged_gym)."""
    start_offset: float = 0.15
    """m, half-width of the start position around the tile's start (ours)."""

    def __post_init__(self) -> None:
        """Refuse what no robot is like, and pushes without a time between them."""
        for name in ("leg_mass", "motor_strength", "drive_position_gain", "drive_velocity_gain", "torque_limit"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"--env.randomization.{name.replace('_', '-')} is relative: at least 0, below 1.")
        if any(not 0 <= value <= 1 for name, value in vars(self).items() if name.endswith("_probability")):
            raise ValueError("Probabilities of --env.randomization are 0 to 1.")
        for name in ("friction", "slippery_friction", "weak_strength"):
            require_range(f"--env.randomization.{name.replace('_', '-')}", getattr(self, name), 0.0, float("inf"))
        if self.push_seconds <= 0:
            raise ValueError(
                "--env.randomization.push-seconds must be above 0; --env.randomization.push-velocity 0 is without."
            )


NONE = RandomizationConfig(
    friction=(0.8, 0.8), slippery_probability=0.0, base_mass=0.0, leg_mass=0.0, motor_strength=0.0,
    drive_position_gain=0.0, drive_velocity_gain=0.0, drive_lag=0.0, torque_limit=0.0, weak_probability=0.0,
    wrench_probability=0.0, push_velocity=0.0, joint_position=0.0, joint_velocity=0.0, tilt=0.0, velocity=0.0,
    start_offset=0.0,
)  # fmt: skip
"""No randomisation at all."""


def symmetric(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform samples in [-1, 1)."""
    return 2 * torch.rand(*shape, generator=generator) - 1


def friction(cfg: RandomizationConfig, m: int, generator: torch.Generator) -> Tensor:
    """Sliding friction of each foot, (m, 4): one value a robot, lower for slippery feet; does not depend on c_k."""

    def uniform(bounds: tuple[float, float], columns: int) -> Tensor:
        return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(m, columns, generator=generator)

    slippery = torch.rand(m, 4, generator=generator) < cfg.slippery_probability
    return torch.where(slippery, uniform(cfg.slippery_friction, 4), uniform(cfg.friction, 1).expand(m, 4))


@dataclass(frozen=True)
class Drives:
    """How the drives of m robots differ from the model, (m, 12) each."""

    strength: Tensor
    """Factor on torque and torque limit."""
    limit: Tensor
    """Further factor on the torque limit."""
    position_gain: Tensor
    """Factor on the position error that a drive feels."""
    velocity_gain: Tensor
    """Factor on the joint velocity that a drive feels."""
    lag: Tensor
    """s, time constant of a lag beside the drive's own."""


def drives(cfg: RandomizationConfig, m: int, factor: float, generator: torch.Generator) -> Drives:
    """New drives for m robots; `factor` is c_k."""

    def within(low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(m, 12, generator=generator)

    weak = torch.rand(m, 12, generator=generator) < cfg.weak_probability
    return Drives(
        strength=1 - factor * weak * (1 - within(*cfg.weak_strength)),
        limit=1 - factor * within(0.0, cfg.torque_limit),
        position_gain=1 + factor * within(-cfg.drive_position_gain, cfg.drive_position_gain),
        velocity_gain=1 + factor * within(-cfg.drive_velocity_gain, cfg.drive_velocity_gain),
        lag=factor * within(0.0, cfg.drive_lag),
    )


def wrench(cfg: RandomizationConfig, m: int, factor: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Constant external force and torque on the base in the world frame, N and N m, (m, 3) each."""
    applied = (torch.rand(m, 1, generator=generator) < cfg.wrench_probability) * factor
    force = cfg.force * torch.randn(m, 3, generator=generator) * applied
    return force, cfg.torque * torch.randn(m, 3, generator=generator) * applied


def push(cfg: RandomizationConfig, n: int, dt: float, factor: float, generator: torch.Generator) -> Tensor:
    """Horizontal velocity added to each base in this step, m/s in the world frame, (n, 2): zero for most."""
    pushed = torch.rand(n, 1, generator=generator) < dt / cfg.push_seconds
    return cfg.push_velocity * factor * symmetric((n, 2), generator) * pushed
