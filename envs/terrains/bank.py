"""The bank of training tiles: one per cell of each terrain type's discretised parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from envs.terrains.cache import Request, cached_tiles
from envs.terrains.grid import Size
from envs.terrains.map import build_map
from envs.terrains.surface import Collider
from envs.terrains.table import CHOSEN, FAMILIES, OR_OWN, Family, Generate, Parameter, parameters
from envs.terrains.tile import check_seed


@dataclass(frozen=True)
class TerrainType:
    """One kind of ground in training: a family, what is fixed of it, and the levels of what varies, easy to hard."""

    name: str
    family: str
    fixed: Mapping[str, float] = field(default_factory=dict)
    grid: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    weight: int = 1
    """Robots on this type for every robot on a type of weight 1 (decision 44)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of levels per varied parameter; (1,) if nothing varies."""
        return tuple(len(levels) for levels in self.grid.values()) or (1,)

    def cells(self) -> list[dict[str, float]]:
        """Parameters of every cell, the last axis fastest."""
        return [{**self.fixed, **dict(zip(self.grid, levels, strict=True))} for levels in product(*self.grid.values())]


def terrain_type(name: str, family: str, weight: int = 1, **fixed: float) -> TerrainType:
    """A type that varies all curriculum levels of its family."""
    return TerrainType(name, family, fixed, {p.name: p.levels for p in FAMILIES[family].parameters if p.levels}, weight)


TRAINING_TYPES: dict[str, TerrainType] = {
    kind.name: kind
    for kind in (
        terrain_type("rough", "rough"),
        terrain_type("rough_discrete", "rough_discrete"),
        terrain_type("large_step", "large_step"),
        terrain_type("grid_steps", "grid_steps"),
        terrain_type("boxes", "boxes"),
        terrain_type("step_stair", "step_stair"),
        terrain_type("stairs_standard_up", "stairs_standard", weight=4, direction=1),
        terrain_type("stairs_standard_down", "stairs_standard", direction=-1),
        terrain_type("stairs_random_up", "stairs_random", weight=2, direction=1),
        terrain_type("stairs_random_down", "stairs_random", direction=-1),
        terrain_type("slope_up", "slope_up"),
        terrain_type("slope_down", "slope_down"),
        terrain_type("flat", "flat"),
        terrain_type("stairs_open_up", "stairs_open", direction=1),
        terrain_type("stairs_open_down", "stairs_open", direction=-1),
        terrain_type("stairs_ledged_up", "stairs_ledged", direction=1),
        terrain_type("stairs_ledged_down", "stairs_ledged", direction=-1),
        terrain_type("corridor", "corridor"),
        terrain_type("stairwell_up", "stairwell", direction=1),
        terrain_type("stairwell_down", "stairwell", direction=-1),
        terrain_type("bridge", "bridge"),
    )
}

"""Name -> type; new ones go to the end, so that curricula without names still find theirs."""


def own_terrain(*parameters: Parameter, size: Size = (8.0, 8.0)) -> Callable[[Generate], Generate]:
    """Mark the generator of an own family, which has its function's name; training has it, too (docs/howto.md).

    `size` in m is that of its tiles in play and evaluation; training's are square.
    """

    def mark(generate: Generate) -> Generate:
        name = generate.__name__
        FAMILIES[name] = Family(name, parameters, generate, CHOSEN, size)
        TRAINING_TYPES[name] = terrain_type(name, name)
        return generate

    return mark


def types_for(collider: Collider) -> tuple[str, ...]:
    """Names of all training types that a collider can hold: treads overhang with the exact one only."""
    overhangs = {name for name, family in FAMILIES.items() if family.recess is not None}
    return tuple(name for name, kind in TRAINING_TYPES.items() if collider == "exact" or kind.family not in overhangs)


def types_named(names: Sequence[str]) -> tuple[TerrainType, ...]:
    """Training types by name, all of them for no names; a ValueError lists them if a name is unknown or repeated."""
    for name in names:
        if name not in TRAINING_TYPES:
            raise ValueError(f"There is no terrain type '{name}'; choose among {', '.join(TRAINING_TYPES)}{OR_OWN}")
    if len(set(names)) < len(names):
        raise ValueError("Name each terrain type once.")
    return tuple(TRAINING_TYPES[name] for name in names or TRAINING_TYPES)


def tile_requests(kind: TerrainType, seed: int) -> list[Request]:
    """What to make for a type's cells; their seeds do not depend on which other types are in the bank."""
    stream = np.random.SeedSequence((seed, list(TRAINING_TYPES).index(kind.name)))
    cells = kind.cells()
    seeds = stream.generate_state(len(cells)).tolist()
    return [
        Request(kind.family, tile_seed, parameters(kind.family, **cell))
        for tile_seed, cell in zip(seeds, cells, strict=True)
    ]


class TrainingBank:
    """Tiles for all cells of some terrain types in one map; cells are rows of level indices, padded with zeros."""

    def __init__(self, names: Sequence[str] = (), tile_size: float = 8.0, seed: int = 0) -> None:
        """Make the tiles of the named types (all for none), square with side `tile_size` m; `seed` shapes them."""
        self.types = types_named(names)
        check_seed(seed)
        axes = max(len(kind.shape) for kind in self.types)
        padded = [kind.shape + (1,) * (axes - len(kind.shape)) for kind in self.types]
        self._table = np.full((len(self.types), *np.max(padded, axis=0)), -1)
        requests: list[Request] = []
        for number, (kind, shape) in enumerate(zip(self.types, padded, strict=True)):
            for cell, request in zip(np.ndindex(shape), tile_requests(kind, seed), strict=True):
                self._table[(number, *cell)] = len(requests)
                requests.append(request)
        self.map = build_map(cached_tiles(requests, (tile_size, tile_size)))

    def types_of(self, robots: int) -> NDArray[np.int64]:
        """Type number of each robot, (robots,): every type in turn, then again those of a greater weight."""
        weights = np.array([kind.weight for kind in self.types])
        rounds = np.concatenate([np.flatnonzero(weights > turn) for turn in range(weights.max())])
        return np.resize(rounds, robots)

    def tile_index(self, types: NDArray[np.int64], cells: NDArray[np.int64]) -> NDArray[np.int64]:
        """Tile of each type number (m,) and cell (m, axes), (m,)."""
        index = self._table[(types, *cells.T)]
        if (index < 0).any():
            raise ValueError("A cell lies outside of its terrain type's levels.")
        return index
