"""The batched state: every quantity that rewards, observations and terminations use, with its frame, unit and shape."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anymal_policy.layout import ring_offsets


@dataclass
class RobotState:
    """What the physics says about n robots after a policy step, float32; contacts are those of the last substep."""

    base_position_w: Tensor
    """(n, 3) m, origin of the base."""
    base_quaternion: Tensor
    """(n, 4) base to world."""
    heading: Tensor
    """(n,) of the base's x axis in the world, rad in [-pi, pi]."""
    linear_velocity_b: Tensor
    """(n, 3) m/s, of the base origin."""
    linear_velocity_yaw: Tensor
    """(n, 3) m/s, the same in the yaw frame: the world, turned about z by the heading of the base."""
    angular_velocity_b: Tensor
    """(n, 3) rad/s."""
    gravity_b: Tensor
    """(n, 3) unit vector of gravity in the base frame: (0, 0, -1) when upright."""
    joint_position: Tensor
    """(n, 12) rad."""
    joint_velocity: Tensor
    """(n, 12) rad/s."""
    joint_torque: Tensor
    """(n, 12) N m, what the actuators gave in the last substep."""
    foot_position_w: Tensor
    """(n, 4, 3) m, centre of the foot sphere."""
    foot_velocity_w: Tensor
    """(n, 4, 3) m/s."""
    foot_contact: Tensor
    """(n, 4) 1 where the foot touches the ground."""
    foot_force_w: Tensor
    """(n, 4, 3) N, force of the ground on the foot."""
    foot_normal_w: Tensor
    """(n, 4, 3) unit normal of the ground at the strongest contact, 0 without contact."""
    thigh_contact: Tensor
    """(n, 4) 1 where a thigh touches the ground."""
    shank_contact: Tensor
    """(n, 4) 1 where a shank touches the ground."""
    base_contact: Tensor
    """(n,) 1 where the base touches the ground."""


@dataclass
class State(RobotState):
    """Robot, task and memory of n environments after a policy step."""

    command: Tensor
    """(n, 3) commanded forward and lateral velocity in m/s and yaw rate in rad/s, yaw frame."""
    phase: Tensor
    """(n, 4) CPG phase, rad in [0, 2 pi): swing below pi."""
    phase_offset: Tensor
    """(n, 4) last phase action."""
    base_frequency: Tensor
    """(n,) Hz, 0 while standing."""
    joint_target: Tensor
    """(n, 12) rad, target of the step that led here."""
    joint_position_history: Tensor
    """(n, 3, 12) rad, one, two and three steps ago."""
    joint_velocity_history: Tensor
    """(n, 2, 12) rad/s, one and two steps ago."""
    joint_target_history: Tensor
    """(n, 2, 12) rad, targets one and two steps before `joint_target`."""
    height_samples: Tensor
    """(n, 4, 52) m, terrain height at the ring points minus the height of the foot's sole (S5)."""
    air_time: Tensor
    """(n, 4) s since the foot last touched the ground, 0 in contact."""
    friction: Tensor
    """(n, 4) sliding friction coefficient of each foot."""
    external_force_w: Tensor
    """(n, 3) N on the base's centre of mass."""
    external_torque_w: Tensor
    """(n, 3) N m on the base."""
    caution: Tensor
    """(n,) 1 where a Teacher shall walk as one whose map says nothing (decision 72), else 0."""
    randomization_factor: float
    """c_k of Miki et al.: scales the penalties that come in slowly and the randomisation, 0..1."""

    @classmethod
    def blank(cls, robot: RobotState, randomization_factor: float) -> State:
        """These robots before their first episode: all that is not physics is zero."""
        n, points = len(robot.joint_position), len(ring_offsets())
        shapes = {
            "command": (n, 3),
            "phase": (n, 4),
            "phase_offset": (n, 4),
            "base_frequency": (n,),
            "joint_target": (n, 12),
            "joint_position_history": (n, 3, 12),
            "joint_velocity_history": (n, 2, 12),
            "joint_target_history": (n, 2, 12),
            "height_samples": (n, 4, points),
            "air_time": (n, 4),
            "friction": (n, 4),
            "external_force_w": (n, 3),
            "external_torque_w": (n, 3),
            "caution": (n,),
        }
        zeros = {name: torch.zeros(shape) for name, shape in shapes.items()}
        return cls(**vars(robot), **zeros, randomization_factor=randomization_factor)


def push(history: Tensor, newest: Tensor) -> Tensor:
    """A history (n, k, d) with `newest` (n, d) in front and its oldest entry dropped, as a new tensor."""
    return torch.cat([newest.unsqueeze(1), history[:, :-1]], dim=1)
