"""How a terrain looks where treads overhang: the lower ground as MuJoCo's heightfield, and the treads as boxes over it.

In pictures the heightfield's risers lean over one sample spacing, so boxes reach half a spacing into what they join.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.terrains.grid import PLATE, RESOLUTION, Heights
from envs.terrains.surface import Surface

Block = tuple[int, int, int, int]
"""First and last sample of a rectangle, along x, then along y."""


class Scenery:
    """A surface as it looks, to be built into a model that is drawn and not simulated."""

    def __init__(self, surface: Surface) -> None:
        """`surface` itself if nothing overhangs."""
        terrain = surface.map
        self.map, self.lower = terrain, surface
        if terrain.floor is not None:
            self.lower = Surface(replace(terrain, heights=terrain.floor, floor=None), "stock")

    def add_to_spec(self, spec: mujoco.MjSpec) -> None:
        """Add the ground and the plates over it to the world."""
        self.lower.add_to_spec(spec)
        if self.map.floor is None:
            return
        for block in plates(self.map.heights, self.map.floor):
            low, high = extent(block, self.map.heights, self.map.floor)
            top = float(self.map.heights[block[2], block[0]])
            centre, half = (low + high) / 2 + self.map.origin_w, (high - low) / 2
            spec.worldbody.add_geom(
                type=mujoco.mjtGeom.mjGEOM_BOX,
                pos=[*centre, top - PLATE / 2],
                size=[*half, PLATE / 2],
                contype=0,
                conaffinity=0,
                material="ground",
            )

    def write_to_model(self, model: mujoco.MjModel) -> None:
        """Write the ground's heights into a compiled model."""
        self.lower.write_to_model(model)


def plates(heights: Heights, floor: Heights) -> Iterator[Block]:
    """Rectangles of plates of equal height that make up all plates, widest along x."""
    level = np.where(floor < heights, heights, np.nan)
    growing: dict[tuple[int, int, float], int] = {}
    for iy, row in enumerate(np.vstack((level, np.full(level.shape[1], np.nan)))):
        first = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
        runs = [(int(ix), int(end) - 1, float(row[ix])) for ix, end in zip(first, [*first[1:], len(row)], strict=True)]
        here = {run: growing.get(run, iy) for run in runs if not np.isnan(run[2])}
        for run, since in growing.items():
            if run not in here:
                yield run[0], run[1], since, iy - 1
        growing = here


def extent(block: Block, heights: Heights, floor: Heights) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The corners (x, y) of a plate of least and of largest x and y, m from the first sample of the map."""
    west, east, south, north = block
    ix, iy = (west + east) // 2, (south + north) // 2

    def reach(row: int, column: int) -> float:
        joins = heights[south, west] in (heights[row, column], floor[row, column])
        return 1.0 if joins else 0.5

    low = np.array([west - reach(iy, west - 1), south - reach(south - 1, ix)])
    high = np.array([east + reach(iy, east + 1), north + reach(north + 1, ix)])
    return low * RESOLUTION, high * RESOLUTION
