"""Observations of Miki et al. Table S3, filled in the order and units of `anymal_policy.layout`, raw SI values."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from anymal_policy import layout
from envs.frames import rotate_inverse
from envs.own import Observation, observed
from envs.state import State


def proprio(s: State) -> dict[str, Tensor]:
    """Terms of `layout.PROPRIO`, (n, size) each."""
    return {
        "command": s.command,
        "gravity_b": s.gravity_b,
        "linear_velocity_b": s.linear_velocity_b,
        "angular_velocity_b": s.angular_velocity_b,
        "joint_position": s.joint_position,
        "joint_velocity": s.joint_velocity,
        "joint_position_history": rearrange(s.joint_position_history, "n t j -> n (t j)"),
        "joint_velocity_history": rearrange(s.joint_velocity_history, "n t j -> n (t j)"),
        "joint_target_history": torch.cat([s.joint_target, s.joint_target_history[:, 0]], dim=-1),
        "phase_offset": s.phase_offset,
        "phase_cos": s.phase.cos(),
        "phase_sin": s.phase.sin(),
        "base_frequency": s.base_frequency.unsqueeze(-1),
    }


def extero(s: State) -> dict[str, Tensor]:
    """Terms of `layout.EXTERO`, (n, size) each."""
    heights = torch.from_numpy(layout.usable_heights(s.height_samples.numpy()))
    return {"heights": rearrange(heights, "n foot point -> n (foot point)")}


def privileged(s: State) -> dict[str, Tensor]:
    """Terms of `layout.PRIVILEGED`, (n, size) each; vectors in the base frame."""
    wrench_w = torch.stack([s.external_force_w, s.external_torque_w], dim=1)
    vectors_w = torch.cat([s.foot_force_w, s.foot_normal_w, wrench_w], dim=1)
    vectors_b = rotate_inverse(rearrange(s.base_quaternion, "n q -> n 1 q"), vectors_w)
    force, normal, wrench = vectors_b.split([4, 4, 2], dim=1)
    return {
        "contact_state": s.foot_contact,
        "contact_force": rearrange(force, "n foot xyz -> n (foot xyz)"),
        "contact_normal": rearrange(normal, "n foot xyz -> n (foot xyz)"),
        "friction": s.friction,
        "thigh_contact": s.thigh_contact,
        "shank_contact": s.shank_contact,
        "external_force_b": wrench[:, 0],
        "external_torque_b": wrench[:, 1],
        "air_time": s.air_time,
    }


GROUPS = {"proprio": proprio, "extero": extero, "privileged": privileged}
NOISY = {"proprio_noisy": "proprio", "extero_noisy": "extero"}
"""Group of a Student's observations -> group whose terms it has."""


def observe(s: State, own: Sequence[Observation] = ()) -> dict[str, Tensor]:
    """Every observation group, (n, 133), (n, 208) and (n, 50) float32 and `own` terms, in new tensors."""
    return {name: _filled(name, s, own) for name in GROUPS}


def observe_noisy(perceived: State, own: Sequence[Observation] = ()) -> dict[str, Tensor]:
    """A Student's groups, (n, 133) and (n, 208) float32 and `own` terms, of a state as the robot perceives it."""
    return {noisy: _filled(name, perceived, own) for noisy, name in NOISY.items()}


def _filled(name: str, s: State, own: Sequence[Observation]) -> Tensor:
    group = layout.groups([each.term for each in own])[name]
    terms = GROUPS[name](s) | observed(own, group, s)
    return torch.cat([terms[term.name] for term in group], dim=-1)
