"""Noise of joint encoders and IMU, and drift of the state estimator, for what a Student feels of itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from envs.state import RobotState


@dataclass(frozen=True)
class SensorNoiseConfig:
    """White noise with legged_gym's numbers, and errors that last; a size of 0 switches that one off."""

    scale: float = 1.0
    """Multiplies everything below; 0 for perfect sensors."""
    joint_position: float = 0.01
    """rad, half-width of the uniform noise (legged_gym)."""
    joint_velocity: float = 1.5
    """rad/s, half-width of the uniform noise (legged_gym)."""
    linear_velocity: float = 0.1
    """m/s, half-width of the uniform noise (legged_gym)."""
    angular_velocity: float = 0.2
    """rad/s, half-width of the uniform noise (legged_gym)."""
    gravity: float = 0.05
    """Half-width of the uniform noise on each component of the unit vector (legged_gym)."""
    joint_offset: float = 0.01
    """rad, half-width of an encoder's uniform offset, constant in an episode (mjlab: 0.015)."""
    velocity_drift: float = 0.05
    """m/s, standard deviation of the estimated velocity's slow error along each axis (ours)."""
    tilt_drift: float = 0.01
    """rad, standard deviation of the slow error of estimated roll and pitch (ours)."""
    drift_seconds: float = 5.0
    """s in which these slow errors forget themselves to 1/e (ours)."""

    def __post_init__(self) -> None:
        """Refuse a drift that has no time."""
        if self.drift_seconds <= 0:
            raise ValueError("--env.sensor-noise.drift-seconds must be above 0; a drift of 0 switches it off.")


class SensorNoise:
    """What sensors and state estimators of n robots add to the truth."""

    def __init__(self, cfg: SensorNoiseConfig, num_envs: int, dt: float, generator: torch.Generator) -> None:
        """No lasting errors before the first `reset`; `dt` s is a policy step."""
        self.cfg, self.generator = cfg, generator
        self.kept = math.exp(-dt / cfg.drift_seconds)
        self.joint_offset = torch.zeros(num_envs, 12)
        self.drift = torch.zeros(num_envs, 5)

    def reset(self, env_ids: Tensor) -> None:
        """Lasting errors of the episodes that these robots start; drift starts where it would be after a long time."""
        self.joint_offset[env_ids] = 2 * torch.rand(len(env_ids), 12, generator=self.generator) - 1
        self.drift[env_ids] = torch.randn(len(env_ids), 5, generator=self.generator)

    def advance(self) -> None:
        """Let the estimators drift for a policy step (Ornstein-Uhlenbeck, unit variance)."""
        self.drift = self.kept * self.drift + math.sqrt(1 - self.kept**2) * torch.randn(
            self.drift.shape, generator=self.generator
        )

    def measure(self, robot: RobotState, env_ids: Tensor) -> dict[str, Tensor]:
        """What the sensors of these robots read, by the names of `RobotState`, new tensors (m, ...)."""
        cfg, m = self.cfg, len(env_ids)
        white = cfg.scale * (2 * torch.rand(m, 33, generator=self.generator) - 1)
        position, joint_velocity, linear, angular, gravity = white.split((12, 12, 3, 3, 3), dim=-1)
        velocity_drift, tilt_drift = (cfg.scale * self.drift[env_ids]).split((3, 2), dim=-1)
        offset = cfg.scale * self.joint_offset[env_ids]
        tilted = robot.gravity_b[env_ids] + cfg.gravity * gravity
        tilted[:, :2] += cfg.tilt_drift * tilt_drift
        return {
            "gravity_b": normalize(tilted, dim=-1),
            "linear_velocity_b": robot.linear_velocity_b[env_ids]
            + cfg.linear_velocity * linear
            + cfg.velocity_drift * velocity_drift,
            "angular_velocity_b": robot.angular_velocity_b[env_ids] + cfg.angular_velocity * angular,
            "joint_position": robot.joint_position[env_ids] + cfg.joint_position * position + cfg.joint_offset * offset,
            "joint_velocity": robot.joint_velocity[env_ids] + cfg.joint_velocity * joint_velocity,
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that resuming needs but the generator, which belongs to the caller."""
        return {"joint_offset": self.joint_offset.clone(), "drift": self.drift.clone()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`."""
        self.joint_offset, self.drift = state["joint_offset"].clone(), state["drift"].clone()
