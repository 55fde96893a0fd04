"""What happens to a robot between two episodes: another body, other feet, another place and pose."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from envs import randomization
from envs.frames import multiply, roll_pitch_quaternion, yaw_quaternion
from envs.randomization import RandomizationConfig, symmetric
from envs.reading import foot_offsets
from envs.robot import FOOT_RADIUS
from envs.simulation import Simulation
from envs.state import State
from envs.terrains import Surface

DROP = 0.02
"""m between the lowest sole of a robot that starts and the ground under it."""
UNDER_BASE = torch.tensor([-0.44, -0.15, 0.15, 0.44])
"""m along the base from its origin of the centres of the discs that cover it."""
BASE_DISC = 0.17
"""m, their radius."""
BELLY = 0.2
"""m, least height of the origin over the ground there: the base and how far it may lean."""
BESIDE = 0.58
"""m from the origin to the edge of a path that a robot's legs, spread as they are at c_k = 1, are clear of."""


def new_bodies(
    s: State,
    simulation: Simulation,
    env_ids: Tensor,
    cfg: RandomizationConfig,
    generator: torch.Generator,
    drives: torch.Generator,
) -> None:
    """New masses, motors, feet and external wrenches for these robots, in the state and in the physics.

    The dynamics of the drives are drawn with `drives`, so that robots of any drive are the same otherwise.
    """
    m, factor = len(env_ids), s.randomization_factor

    def uniform(columns: int, width: float) -> Tensor:
        return width * factor * symmetric((m, columns), generator)

    s.friction, s.external_force_w, s.external_torque_w = (
        before.clone() for before in (s.friction, s.external_force_w, s.external_torque_w)
    )  # the state before this step keeps its own
    s.friction[env_ids] = randomization.friction(cfg, m, generator)
    s.external_force_w[env_ids], s.external_torque_w[env_ids] = randomization.wrench(cfg, m, factor, generator)
    simulation.set_mass(env_ids, cfg.payload + uniform(1, cfg.base_mass)[:, 0], 1 + uniform(12, cfg.leg_mass))
    strength = 1 + uniform(12, cfg.motor_strength)
    if simulation.drives_have_dynamics:
        simulation.set_drives(env_ids, strength, randomization.drives(cfg, m, factor, drives))
    else:
        simulation.set_strength(env_ids, strength)
    simulation.set_friction(env_ids, s.friction[env_ids])


def place(
    surface: Surface,
    start_w: Tensor,
    heading: Tensor,
    path_width: Tensor,
    joint_target: Tensor,
    cfg: RandomizationConfig,
    factor: float,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Positions (m, 19) and velocities (m, 18) of the physics around a start (m, 3) m with a heading (m,) rad.

    On a path along the heading, `path_width` (m,) m, nobody starts nearer to its edges than is clear of them. Joints
    start near `joint_target` (m, 12) rad, and no sole under the ground (decision 48); `factor` is c_k.
    """
    m = len(start_w)

    def spread(columns: int, width: float) -> Tensor:
        return width * factor * symmetric((m, columns), generator)

    offset = cfg.start_offset * symmetric((m, 2), generator)
    position = start_w[:, :2] + within(offset, heading, (path_width / 2 - BESIDE).clamp(min=0.0))
    lean = spread(2, cfg.tilt)
    quaternion = multiply(yaw_quaternion(heading), roll_pitch_quaternion(lean[:, 0], lean[:, 1]))
    joints = joint_target + spread(12, cfg.joint_position)
    height = start_height(surface, position, heading, foot_offsets(quaternion, joints)).float()
    qpos = torch.cat([position, height.unsqueeze(-1), quaternion, joints], dim=-1)
    return qpos, torch.cat([spread(6, cfg.velocity), spread(12, cfg.joint_velocity)], dim=-1)


def within(offset: Tensor, heading: Tensor, room: Tensor) -> Tensor:
    """Offsets (m, 2) m, of which the part across a heading (m,) rad is held to +-`room` (m,) m."""
    left = torch.stack([-heading.sin(), heading.cos()], dim=-1)
    aside = (offset * left).sum(-1)
    return offset - (aside - aside.clamp(-room, room)).unsqueeze(-1) * left


def start_height(surface: Surface, position: Tensor, heading: Tensor, foot_offset: Tensor) -> Tensor:
    """Height (m,) m of a base origin over (m, 2) m so that the lowest sole is just above the ground under its foot.

    The base, along `heading` (m,) rad, is clear of the ground; `foot_offset` (m, 4, 3) m are the foot centres relative
    to the origin.
    """

    def highest(points: Tensor, radius: float) -> Tensor:
        ground = surface.max_height(rearrange(points, "m k xy -> (m k) xy").numpy(), radius)
        return torch.from_numpy(ground).reshape(points.shape[:2])

    ground = highest(position.unsqueeze(1) + foot_offset[..., :2], FOOT_RADIUS)
    standing = (ground - (foot_offset[..., 2] - FOOT_RADIUS)).amax(-1) + DROP
    forward = torch.stack([heading.cos(), heading.sin()], dim=-1)
    base = position.unsqueeze(1) + rearrange(UNDER_BASE, "k -> k 1") * rearrange(forward, "m xy -> m 1 xy")
    return torch.maximum(standing, highest(base, BASE_DISC).amax(-1) + BELLY)
