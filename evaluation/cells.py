"""The grounds of an evaluation: which terrains at which difficulties or parameters, each with new tiles."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from envs.terrains import FAMILIES, Tile, make_tile, parameters
from envs.terrains.rasters import READERS
from envs.terrains.table import family_named
from envs.terrains.tile import WALLS, put_between_walls
from envs.terrains.user import load_heightmap

TILE_SIZE = (12.0, 12.0)
"""m, sides of a tile that is walked from its middle: room for the distance in every direction."""
ROOM = 5.5
"""m that a user's heightmap needs ahead of the start: for the distance, its border and the spread of the starts."""
FIRST_SEED = 2**32
"""Smallest seed of an evaluation's tiles; those of training are smaller, so that no policy has seen them."""
HEIGHTMAPS = tuple(READERS)
"""Endings of files of heights."""
ANY = None
"""Heading of robots of which each begins every episode in another direction."""
PARAMETERS = (
    *("height", "depth", "width", "slope", "amplitude", "feature", "levels", "density", "direction"),
    *("wall", "drop"),
)
"""Parameters of the families that play and evaluate take as flags of the same names."""

Values = Mapping[str, Sequence[float]]
Walls = tuple[float, float]
"""m, width of the path between them and their height."""


@dataclass(frozen=True)
class Cell:
    """One kind of ground to cross."""

    terrain: str
    """Name of a family, or file of a heightmap."""
    difficulty: float | None = None
    """0..1, None where it would change nothing."""
    parameters: dict[str, float] = field(default_factory=dict)
    """Every parameter of the family; of a heightmap, how its file was read, and where the robots start."""
    heightmap: Tile | None = None
    """The tile from the file."""
    walls: Walls | None = None
    """Walls beside a lane."""

    def description(self) -> dict[str, Any]:
        """What a row of results says about its ground."""
        walls = {} if self.walls is None else dict(zip(WALLS, self.walls, strict=True))
        return {"terrain": self.terrain, "difficulty": self.difficulty, "parameters": self.parameters | walls}

    def tiles(self, seed: int, batch: int = 0, episodes: int = 1) -> list[Tile]:
        """A tile for each episode of a batch, so that no two share one; a single one where all would be alike."""
        if self.heightmap is not None:
            return [self.heightmap]
        first = first_tile_seed(seed) + 2**12 * batch
        return family_tiles(self.terrain, tuple(self.parameters.items()), self.walls, first, episodes)

    def tile(self, tile_seed: int) -> Tile:
        """One tile of the family: a lane of its own size, or one to be walked from the middle."""
        size = TILE_SIZE if family_named(self.terrain).heading is None else None
        tile = make_tile(self.terrain, 0.0, tile_seed, size, **self.parameters)
        return tile if self.walls is None else put_between_walls(tile, *self.walls)


def first_tile_seed(seed: int) -> int:
    """Seed of the first tile of every cell of an evaluation with this seed."""
    return FIRST_SEED + 2**24 * seed


@lru_cache(maxsize=16)
def family_tiles(
    terrain: str, values: tuple[tuple[str, float], ...], walls: Walls | None, first: int, count: int
) -> list[Tile]:
    """Tiles of these parameters and of seeds from `first` on, kept for the next policy; one if all are alike."""
    cell = Cell(terrain, parameters=dict(values), walls=walls)
    one = cell.tile(first)
    if count == 1 or np.array_equal(one.heights, cell.tile(first + 1).heights):
        return [one]
    return [one, *(cell.tile(first + number) for number in range(1, count))]


def make_cells(
    terrains: Sequence[str],
    difficulties: Sequence[float],
    explicit: Values,
    resolution: float | None = None,
    scale: float | None = None,
    start: tuple[float, float] | None = None,
    headings: Sequence[float | None] = (0.0,),
    walls: Walls | None = None,
) -> list[Cell]:
    """Every terrain at every difficulty and combination of explicit values, each different ground once.

    Heightmaps are walked from `start` (m) in each of the `headings` (degrees). An explicit parameter goes to the
    terrains that have it, `walls` beside all of them, which must be lanes. What cannot be made is refused here, with a
    ValueError.
    """
    files = [name for name in terrains if Path(name).suffix.lower() in HEIGHTMAPS]
    families = [name for name in terrains if name not in files]
    if not files and (resolution, scale, start, tuple(headings)) != (None, None, None, (0.0,)):
        flags = "--resolution, --scale, --start and --heading"
        raise ValueError(f"{flags} describe a heightmap file; name one in --terrains.")
    refuse_unused(families, explicit)
    if files and walls is not None:
        raise ValueError(f"--walls stand beside lanes (step_up, stairs_up, ...); {files[0]} is none.")
    cells = [cell for name in dict.fromkeys(families) for cell in family_cells(name, difficulties, explicit, walls)]
    for cell in cells:
        cell.tile(FIRST_SEED)
    ways = product(dict.fromkeys(files), dict.fromkeys(headings))
    return cells + [heightmap_cell(name, resolution, scale, start, heading) for name, heading in ways]


def refuse_unused(families: Sequence[str], explicit: Values) -> None:
    """Raise a ValueError for a parameter that none of the families has."""
    known = {name: [parameter.name for parameter in family_named(name).parameters] for name in families}
    unused = [name for name in explicit if not any(name in names for names in known.values())]
    if unused:
        valid = "; ".join(f"{family} has {', '.join(names) or 'none'}" for family, names in known.items())
        raise ValueError(f"--{unused[0]} is no parameter of the terrains: {valid or 'heightmap files have none'}.")


def family_cells(
    family: str, difficulties: Sequence[float], explicit: Values, walls: Walls | None = None
) -> list[Cell]:
    """The cells of one family; difficulties that lead to the same parameters make one cell."""
    own = {p.name: explicit[p.name] for p in FAMILIES[family].parameters if p.name in explicit}
    cells = []
    for combination in product(*own.values()):
        values = dict(zip(own, combination, strict=True))
        varies = parameters(family, 0.0, **values) != parameters(family, 1.0, **values)
        for difficulty in difficulties:
            own_values = parameters(family, difficulty, **values)
            cell = Cell(family, difficulty if varies else None, own_values, walls=walls)
            if cell not in cells:
                cells.append(cell)
    return cells


def heightmap_cell(
    path: str,
    resolution: float | None = None,
    scale: float | None = None,
    start: tuple[float, float] | None = None,
    heading: float | None = 0.0,
) -> Cell:
    """A user's heightmap, walked from its middle or from `start` (m) along a heading (degrees), or any."""
    tile = load_heightmap(path, resolution, scale, start, heading)
    for direction in range(0, 360, 15) if heading is None else (heading,):
        if (room := room_ahead(tile, math.radians(direction))) < ROOM:
            size = f"{tile.size[0]:g} x {tile.size[1]:g} m"
            raise ValueError(
                f"{path} is {size}, and ends {room:.3g} m ahead of the start at {tile.start[0]:g} {tile.start[1]:g} "
                f"with heading {direction:g}, but an evaluation needs {ROOM:g} m: choose --start and --heading."
            )
    given = {"resolution": resolution, "scale": scale}
    read = {name: value for name, value in given.items() if value is not None}
    return Cell(path, parameters=read | tile.parameters, heightmap=tile)


def room_ahead(tile: Tile, heading: float) -> float:
    """m from the tile's start to its end along a heading in rad."""
    distances = []
    for direction, place, side in zip((math.cos(heading), math.sin(heading)), tile.start, tile.size, strict=True):
        if abs(direction) > 1e-9:
            distances.append((side - place if direction > 0 else place) / abs(direction))
    return min(distances)
