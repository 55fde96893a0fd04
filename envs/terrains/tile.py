"""One rectangular piece of terrain with the place where a robot starts on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from envs.terrains.grid import RESOLUTION, Heights, Risers, Size, Terrain, Values, hollow
from envs.terrains.paths import between_walls
from envs.terrains.table import PATH, WALL, family_named, parameters

SMALLEST, LARGEST = 3.0, 100.0
"""m, allowed sides of a tile."""
WALLS = ("walls_width", "walls_height")
"""Names of the parameters, in m, that a lane gets with its walls."""


@dataclass(frozen=True, eq=False)
class Tile:
    """Heights of one terrain, in m over its own level 0, and what made it."""

    family: str
    parameters: dict[str, float]
    seed: int
    heights: Heights
    """(ny, nx) m, sample [iy, ix] at (ix, iy) * 0.05 m from the tile's corner."""
    risers: Risers
    """(ny, nx) uint8, bit 1: a vertical wall towards ix + 1, bit 2: towards iy + 1."""
    start: tuple[float, float]
    """m from the tile's corner, (x, y)."""
    heading: float | None = None
    """rad, direction of travel that the tile is made for; None for any."""
    both_ways: bool = False
    """Whether the opposite direction will do as well."""
    path: float | None = None
    """m, width of the path along the heading that has walls or drops beside it; None if there are none."""
    floor: Heights | None = None
    """(ny, nx) m, the lower ground, less than `heights` where a tread overhangs; None if none does."""

    @property
    def size(self) -> Size:
        """Sides along x and y, m."""
        return self.heights.shape[1] * RESOLUTION, self.heights.shape[0] * RESOLUTION

    @property
    def start_height(self) -> float:
        """Height of the sample nearest to the start, m."""
        return float(self.heights[round(self.start[1] / RESOLUTION), round(self.start[0] / RESOLUTION)])


def check_size(size: Size) -> None:
    """Raise a ValueError if a terrain of `size` = (x, y) m is too small to stand on or too large to be meant."""
    if not all(SMALLEST <= side <= LARGEST for side in size):
        bounds = f"{SMALLEST:g} and {LARGEST:g} m"
        raise ValueError(f"Both sides of a terrain must be within {bounds}, not {size[0]:g} x {size[1]:g} m.")


def check_seed(seed: int) -> None:
    """Raise a ValueError for a negative seed."""
    if seed < 0:
        raise ValueError(f"The seed of a terrain must be 0 or larger, not {seed}.")


def generate(family: str, values: Values, seed: int, size: Size) -> Terrain:
    """Heights and risers of a family for all its parameters."""
    check_size(size)
    check_seed(seed)
    return family_named(family).generate(values, seed, size)


def assemble(family: str, values: Values, seed: int, size: Size, heights: Heights, risers: Risers) -> Tile:
    """A tile from what `generate` has made, with its family's start and heading."""
    kind = family_named(family)
    floor = None if kind.recess is None else hollow(heights, kind.recess(values))
    path = values["width"] if kind.path else None
    return Tile(family, dict(values), seed, heights, risers, kind.start(size), kind.heading, kind.path, path, floor)


def put_between_walls(tile: Tile, width: float, height: float) -> Tile:
    """A lane with walls of `height` m over its ground, `width` m apart; up to 1.1 m they are banisters."""
    if tile.heading is None or tile.path is not None:
        raise ValueError(f"--walls stand beside lanes (step_up, stairs_up, ...); {tile.family} is none.")
    PATH.check("--walls", width)
    WALL.check("--walls", height)
    heights, risers = between_walls((tile.heights, tile.risers), width, height)
    floor = None if tile.floor is None else np.where(heights > tile.heights, heights, tile.floor)
    values = {**tile.parameters, **dict(zip(WALLS, (width, height), strict=True))}
    return replace(tile, parameters=values, heights=heights, risers=risers, path=width, floor=floor)


def make_tile(
    family: str, difficulty: float | None = None, seed: int = 0, size: Size | None = None, **explicit: float
) -> Tile:
    """A tile of a family at a difficulty in 0..1; explicit parameters replace what the difficulty would give them."""
    values = parameters(family, difficulty, **explicit)
    size = family_named(family).size if size is None else size
    return assemble(family, values, seed, size, *generate(family, values, seed, size))
