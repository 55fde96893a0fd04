"""The ground as maps that fail show it: every error by itself, a function of where, of what is there, and of its size.

Shapes: m maps, `points` (m, 4, 52, 2) m in the world, heights (m, 4, 52) m, sizes (m,), broadcast as `(m, 1, 1)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from einops import rearrange, repeat
from torch import Tensor

Query = Callable[[Tensor], Tensor]
"""Height of the ground in m (k,) at world points (k, 2) m."""
SIGHT_STEPS = 10
"""Parts of a line of sight, at whose ends the ground may hide its end."""
SLANT = 0.1
"""Largest angle between the walls of a corridor and the robot's heading, as a fraction of half a turn."""


class Beginning(NamedTuple):
    """Where and when of a failure, (m,) each."""

    x: Tensor
    """m, of the base in the world."""
    y: Tensor
    """m, of the base in the world."""
    level: Tensor
    """m, mean height of the soles."""
    heading: Tensor
    """rad."""


def ask(query: Query, points: Tensor) -> Tensor:
    """Heights (m, 4, 52) m at points."""
    return query(rearrange(points, "m foot point xy -> (m foot point) xy")).reshape(points.shape[:-1])


def per_map(size: Tensor) -> Tensor:
    """A size of each map, (m, 1, 1)."""
    return rearrange(size, "m -> m 1 1")


def displaced(points: Tensor, offset: Tensor) -> Tensor:
    """Points moved by `offset` (m, 2) m."""
    return points + rearrange(offset, "m xy -> m 1 1 xy")


def levelled(heights: Tensor, truth: Tensor) -> Tensor:
    """The relief of `heights` at the mean height of `truth`."""
    return heights + (truth - heights).mean(dim=(1, 2), keepdim=True)


def wall(points: Tensor, began: Beginning, height: Tensor, gap: Tensor, both: Tensor, turn: Tensor) -> Tensor:
    """m by which walls rise that are not there: beyond `gap` to the left, turned by `turn` rad, or on both sides."""
    angle = began.heading + torch.pi / 2 + turn * torch.where(both > 0, SLANT, 1.0)
    dx, dy = points[..., 0] - per_map(began.x), points[..., 1] - per_map(began.y)
    across = per_map(angle.cos()) * dx + per_map(angle.sin()) * dy
    across = torch.where(per_map(both) > 0, across.abs(), across)
    return per_map(height) * (across > per_map(gap))


def beyond(points: Tensor, began: Beginning, edge: Tensor) -> Tensor:
    """Whether points lie further than `edge` from where the failure began; with 0 none does."""
    away = torch.hypot(points[..., 0] - per_map(began.x), points[..., 1] - per_map(began.y))
    return (away > per_map(edge)) & (per_map(edge) > 0)


def hidden(points: Tensor, heights: Tensor, eye_w: Tensor, query: Query) -> Tensor:
    """Whether the ground lies in the way from `eye_w` (m, 3) m to the points at these heights."""
    along = rearrange(torch.arange(1, SIGHT_STEPS) / SIGHT_STEPS, "k -> k 1 1 1")
    eye = rearrange(eye_w, "m xyz -> m 1 1 xyz")
    sight = eye[..., 2] + along * (heights - eye[..., 2])
    between = eye[..., :2] + along.unsqueeze(-1) * (points - eye[..., :2])
    ground = query(rearrange(between, "k m foot point xy -> (k m foot point) xy")).reshape(sight.shape)
    return (ground > sight).any(dim=0)


def every_point(feet: Tensor, points: int) -> Tensor:
    """What holds for feet (m, 4) for each of their points, (m, 4, points)."""
    return repeat(feet, "m foot -> m foot point", point=points)
