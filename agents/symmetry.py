"""Left-right mirror images of observations and actions: entry permutations and signs, derived from the layout."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from einops import rearrange
from tensordict import TensorDict
from torch import Tensor

from anymal_policy import layout
from anymal_policy.layout import Term

Mirror = tuple[np.ndarray, np.ndarray]
"""Source index and sign of every entry: image[i] = sign[i] * original[index[i]]."""

OTHER_LEG = [layout.LEGS.index({"L": "R", "R": "L"}[leg[0]] + leg[1]) for leg in layout.LEGS]
VECTOR = (1, -1, 1)  # across the x-z plane, y changes sign
PSEUDOVECTOR = (-1, 1, -1)  # angular velocity, torque: x and z change sign
COMMAND = (1, -1, -1)  # vx, vy as a vector, wz as a pseudovector
JOINTS = (-1, 1, 1)  # HAA turns about x, HFE and KFE about y


def _signs(*signs: int) -> Callable[[Term], Mirror]:
    """A quantity of the base: entries stay in place and take these signs."""
    return lambda term: (np.arange(term.size), np.array(signs))


def _legs(*signs: int) -> Callable[[Term], Mirror]:
    """A quantity of each leg, once or over several steps: left and right change places, entries take these signs."""

    def mirror(term: Term) -> Mirror:
        index = rearrange(np.arange(term.size), "(step leg k) -> step leg k", leg=len(layout.LEGS), k=len(signs))
        return index[:, OTHER_LEG].ravel(), np.resize(signs, term.size)

    return mirror


def _own(term: Term) -> Mirror:
    """A term of an own task: the entries and signs that it names."""
    if sorted(map(abs, term.mirror)) != list(range(1, term.size + 1)):
        raise ValueError(
            f"--agent.symmetry needs to know how '{term.name}' looks in a mirror: give own.observation a mirror, "
            f"{term.size} entries from 1 to {term.size}, negative where the sign changes."
        )
    entries = np.array(term.mirror)
    return abs(entries) - 1, np.sign(entries)


def _rings(term: Term) -> Mirror:
    """Height samples: feet change places, and so do the points of a ring at opposite azimuths."""
    offsets = layout.ring_offsets()
    distance = np.linalg.norm(offsets[:, None] * (1, -1) - offsets[None], axis=-1)
    index = rearrange(np.arange(term.size), "(leg point) -> leg point", leg=len(layout.LEGS))
    return index[OTHER_LEG][:, distance.argmin(axis=1)].ravel(), np.ones(term.size)


MIRRORS: dict[str, Callable[[Term], Mirror]] = {
    "command": _signs(*COMMAND),
    "gravity_b": _signs(*VECTOR),
    "linear_velocity_b": _signs(*VECTOR),
    "angular_velocity_b": _signs(*PSEUDOVECTOR),
    "joint_position": _legs(*JOINTS),
    "joint_velocity": _legs(*JOINTS),
    "joint_position_history": _legs(*JOINTS),
    "joint_velocity_history": _legs(*JOINTS),
    "joint_target_history": _legs(*JOINTS),
    "phase_offset": _legs(1),
    "phase_cos": _legs(1),
    "phase_sin": _legs(1),
    "base_frequency": _signs(1),
    "heights": _rings,
    "contact_state": _legs(1),
    "contact_force": _legs(*VECTOR),
    "contact_normal": _legs(*VECTOR),
    "friction": _legs(1),
    "thigh_contact": _legs(1),
    "shank_contact": _legs(1),
    "external_force_b": _signs(*VECTOR),
    "external_torque_b": _signs(*PSEUDOVECTOR),
    "air_time": _legs(1),
    "joint_residual": _legs(*JOINTS),
}
"""How each term of the layout is mirrored; joints run HAA, HFE, KFE within a leg."""


@cache
def mirror_map(terms: Sequence[Term]) -> tuple[Tensor, Tensor]:
    """Source index (k,) int64 and sign (k,) float32 of the mirror image of the vector that the terms make up."""
    starts = [place.start for place in layout.slices(terms).values()]
    parts = [MIRRORS.get(term.name, _own)(term) for term in terms]
    index = np.concatenate([start + index for start, (index, _) in zip(starts, parts, strict=True)])
    sign = np.concatenate([sign for _, sign in parts])
    return torch.from_numpy(index), torch.from_numpy(sign).float()


def mirror(values: Tensor, terms: Sequence[Term]) -> Tensor:
    """Mirror image of the vectors (..., k) across the robot's x-z plane."""
    index, sign = (part.to(values.device) for part in mirror_map(terms))
    return values[..., index] * sign


def augment(env: Any, obs: TensorDict | None, actions: Tensor | None) -> tuple[TensorDict | None, Tensor | None]:
    """The batch followed by its mirror image, twice as long: rsl_rl's data_augmentation_func."""
    if obs is not None:
        groups = layout.groups(getattr(env, "own_terms", ()))
        images = {
            name: each if name == layout.CAUTION else mirror(each, groups[name]) for name, each in obs.to_dict().items()
        }
        obs = torch.cat([obs, TensorDict(images, obs.batch_size)])  # type: ignore
    if actions is not None:
        actions = torch.cat([actions, mirror(actions, layout.ACTION)])
    return obs, actions
