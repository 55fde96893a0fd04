"""Lanes on which what a robot's map shows, or how its feet hold, is not what it should be (Miki et al. E9, Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.sensors import NoisySensors
from envs.terrains import RESOLUTION, Surface, Tile, build_map
from envs.terrains.grid import level_pieces, shape_of, steps
from envs.terrains.stairs import LANE_FLAT, flight
from envs.terrains.table import family_named
from envs.terrains.tile import assemble
from evaluation.conditions import edge

LANE = "step_up"
"""Family whose size, start and heading the lanes have."""
SLIPPERY_FRICTION = 0.2
SLIPPERY_LENGTH = 1.5
"""m along x of the slippery stretch, from the edge on."""

Profile = tuple[tuple[float, float], ...]
"""Rises: m behind the edge and m upwards of each."""
STAIRS: Profile = ((0.0, 0.15), (0.3, 0.15))
BOX: Profile = ((0.0, 0.3), (0.5, -0.3))
HIGH_STEP: Profile = ((0.0, 0.18),)
PRESSED_STEP: Profile = ((0.0, 0.03),)


@dataclass(frozen=True)
class Scene:
    """One situation, over the full width of a lane."""

    name: str
    ground: Profile = ()
    """What is there."""
    shown: Profile | None = None
    """What maps show; None for what is there."""
    noise: str = "nominal"
    """Errors of the maps and sensors beside that."""
    slippery: bool = False
    """Whether feet slip behind the edge."""

    @property
    def deceives(self) -> bool:
        """Whether it is another scene to those who have a map than to those who know the truth."""
        return self.shown is not None or self.noise == "covered"


SCENES = (
    Scene("stairs", STAIRS),
    Scene("covered", STAIRS, noise="covered"),
    Scene("flat"),
    Scene("phantom", (), BOX),
    Scene("foam", PRESSED_STEP, HIGH_STEP),
    Scene("slippery", slippery=True),
)
"""The situations, and without deceit the two kinds of ground on which they happen."""


def lane(profile: Profile) -> Tile:
    """A lane with these rises."""
    size = family_named(LANE).size
    ny, nx = shape_of(size)
    at = steps(LANE_FLAT) + np.array([round(x / RESOLUTION) for x, _ in profile], np.int64)
    heights = flight(at, np.array([rise for _, rise in profile]), np.arange(nx))
    return assemble(LANE, {}, 0, size, *level_pieces(np.tile(heights, (ny, 1))))


def show(env: AnymalEnv, tiles: Sequence[Tile]) -> None:
    """Let maps show these tiles, as large as those that are there, from their next renewal on."""
    shown = Surface(build_map(tiles), env.cfg.collider)

    def heights(points_w: Tensor) -> Tensor:
        return torch.from_numpy(shown.height(points_w.numpy()))

    if isinstance(env.sensors, NoisySensors):
        env.sensors.query = heights


class SlipperyStretch:
    """Before each step, low friction for the feet that are within the stretch, their own for the others."""

    def __init__(self, env: AnymalEnv) -> None:
        """The stretch begins at the edge of each robot's lane."""
        self.edge_x, self.own = edge(env), env.state.friction.clone()

    def __call__(self, env: AnymalEnv, step: int) -> None:
        """Set the friction in the physics and in the state, which the Teacher knows one step later."""
        s = env.state
        behind = s.foot_position_w[..., 0] - self.edge_x.unsqueeze(-1)
        slips = (behind >= 0) & (behind < SLIPPERY_LENGTH)
        s.friction = torch.where(slips, SLIPPERY_FRICTION, self.own)
        env.simulation.set_friction(torch.arange(env.num_envs), s.friction)
