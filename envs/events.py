"""What happens to a robot between two episodes: another body, other feet, another place and pose."""

from __future__ import annotations

import torch
from torch import Tensor

from envs import randomization
from envs.frames import multiply, roll_pitch_quaternion, yaw_quaternion
from envs.randomization import RandomizationConfig, symmetric
from envs.robot import STANDING_HEIGHT
from envs.simulation import Simulation
from envs.state import State
from envs.terrains import Surface

FOOTPRINT = 0.55
"""m around the base within which the ground must be below the feet of a robot that starts."""
DROP = 0.02
"""m between the highest ground there and the feet in the nominal stance."""


def new_bodies(
    s: State, simulation: Simulation, rows: Tensor, cfg: RandomizationConfig, generator: torch.Generator
) -> None:
    """New masses, motors, feet and external wrenches for the robots in these rows, in the state and in the physics."""
    m, factor = len(rows), s.randomization_factor

    def uniform(columns: int, width: float) -> Tensor:
        return width * factor * symmetric((m, columns), generator)

    s.friction[rows] = randomization.friction(cfg, m, generator)
    s.external_force_w[rows], s.external_torque_w[rows] = randomization.wrench(cfg, m, factor, generator)
    simulation.set_mass(rows, uniform(1, cfg.base_mass)[:, 0], 1 + uniform(12, cfg.leg_mass))
    simulation.set_strength(rows, 1 + uniform(12, cfg.motor_strength))
    simulation.set_friction(rows, s.friction[rows])


def place(
    surface: Surface,
    start_w: Tensor,
    heading: Tensor,
    joint_target: Tensor,
    cfg: RandomizationConfig,
    factor: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Positions (m, 19) and velocities (m, 18) of the physics around a start (m, 3) m with a heading (m,) rad.

    Joints start near `joint_target` (m, 12) rad, the base above the highest ground within its footprint; `factor` is
    c_k.
    """
    m = len(start_w)

    def spread(columns: int, width: float) -> Tensor:
        return width * factor * symmetric((m, columns), generator)

    position = start_w[:, :2] + cfg.start_offset * symmetric((m, 2), generator)
    lean = spread(2, cfg.tilt)
    height = torch.from_numpy(surface.max_height(position.numpy(), FOOTPRINT)) + STANDING_HEIGHT + DROP
    quaternion = multiply(yaw_quaternion(heading), roll_pitch_quaternion(lean[:, 0], lean[:, 1]))
    joints = joint_target + spread(12, cfg.joint_position)
    qpos = torch.cat([position, height.unsqueeze(-1), quaternion, joints], dim=-1)
    return qpos, torch.cat([spread(6, cfg.velocity), spread(12, cfg.joint_velocity)], dim=-1)
