"""The ground as one function of position: for height sampling and spawning, and as MuJoCo's heightfield."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from envs.collider import stand_risers, write_heights
from envs.terrains.cells import (
    LEVEL,
    corners_of,
    has_level_pieces,
    height_in_cell,
    height_in_triangles,
    height_of_quarter,
    sides_of,
)
from envs.terrains.compiled import compiled
from envs.terrains.grid import PLATE, RESOLUTION, Heights
from envs.terrains.map import TerrainMap

HFIELD = "terrain"
"""Name of MuJoCo's heightfield and of its geom."""
Collider = Literal["exact", "stock"]
"""Which function finds the contacts with the terrain: ours, with vertical risers, or MuJoCo's."""
BASE_THICKNESS = 0.5
"""m of solid ground under the lowest height."""
LEAST_SHARE = 64
"""Fewest robots per thread in height sampling."""


@compiled
def _grid_coordinate(position: float, origin: float, count: int) -> float:
    """Sample coordinate of a position along one axis, within the map; 0 for a position that is not a number."""
    at = (position - origin) * (1.0 / RESOLUTION)
    return min(at, count - 1.0) if at > 0.0 else 0.0


@compiled
def _cell_sides(heights: NDArray, risers: NDArray, out: NDArray) -> None:
    """The sides that risers cross, and LEVEL, of every cell (ny, nx); looked up once instead of at every sample."""
    for iy in range(out.shape[0]):
        for ix in range(out.shape[1]):
            sides = sides_of(risers, ix, iy)
            out[iy, ix] = sides | LEVEL * has_level_pieces(corners_of(heights, ix, iy), sides)


@compiled
def _height(heights: NDArray, sides: NDArray, x0: float, y0: float, x: float, y: float) -> float:
    """Height of the ground; beyond the map that of its edge."""
    rows, columns = heights.shape
    cx, cy = _grid_coordinate(x, x0, columns), _grid_coordinate(y, y0, rows)
    ix, iy = min(int(cx), columns - 2), min(int(cy), rows - 2)
    corners = (heights[iy, ix], heights[iy, ix + 1], heights[iy + 1, ix + 1], heights[iy + 1, ix])
    return height_in_cell(corners, sides[iy, ix], cx - ix, cy - iy)


@compiled
def _sample(heights: NDArray, sides: NDArray, x0: float, y0: float, xy: NDArray, out: NDArray) -> None:
    """Heights at points (m, 2)."""
    for i in range(xy.shape[0]):
        out[i] = _height(heights, sides, x0, y0, xy[i, 0], xy[i, 1])


@compiled
def _sample_rings(
    heights: NDArray,
    sides: NDArray,
    x0: float,
    y0: float,
    foot_xy: NDArray,
    yaw: NDArray,
    offsets: NDArray,
    out: NDArray,
) -> None:
    """Heights at each robot's feet plus the offsets (2, p), turned by the robot's yaw.

    Where a robot's samples are is found for all of them, which the compiler does several at a time; then all are
    fetched, so that the memory answers many at once; then they are used, first as if no cell had slopes and risers.
    """
    rows, columns = heights.shape
    feet, points = foot_xy.shape[1], offsets.shape[1]
    flat_heights, flat_sides = heights.reshape(-1), sides.reshape(-1)
    u, v, at = np.empty((feet, points)), np.empty((feet, points)), np.empty((feet, points), np.int64)
    corners, cell = np.empty((4, feet, points), heights.dtype), np.empty((feet, points), sides.dtype)
    for i in range(len(foot_xy)):
        c, s = math.cos(yaw[i]), math.sin(yaw[i])
        for foot in range(feet):
            for p in range(points):
                x = foot_xy[i, foot, 0] + c * offsets[0, p] - s * offsets[1, p]
                y = foot_xy[i, foot, 1] + s * offsets[0, p] + c * offsets[1, p]
                cx, cy = _grid_coordinate(x, x0, columns), _grid_coordinate(y, y0, rows)
                ix, iy = min(int(cx), columns - 2), min(int(cy), rows - 2)
                u[foot, p], v[foot, p], at[foot, p] = cx - ix, cy - iy, iy * columns + ix
        for foot in range(feet):
            for p in range(points):
                near = at[foot, p]
                cell[foot, p] = flat_sides[near]
                corners[0, foot, p], corners[1, foot, p] = flat_heights[near], flat_heights[near + 1]
                left = near + columns
                corners[3, foot, p], corners[2, foot, p] = flat_heights[left], flat_heights[left + 1]
        others = 0
        for foot in range(feet):
            for p in range(points):
                around = corners[0, foot, p], corners[1, foot, p], corners[2, foot, p], corners[3, foot, p]
                sloped = height_in_triangles(around, u[foot, p], v[foot, p])
                level = height_of_quarter(around, u[foot, p], v[foot, p])
                out[i, foot, p] = level if cell[foot, p] >= LEVEL else sloped
                others += 0 < cell[foot, p] < LEVEL
        if others > 0:
            for foot in range(feet):
                for p in range(points):
                    if 0 < cell[foot, p] < LEVEL:
                        around = corners[0, foot, p], corners[1, foot, p], corners[2, foot, p], corners[3, foot, p]
                        out[i, foot, p] = height_in_cell(around, cell[foot, p], u[foot, p], v[foot, p])


@compiled
def _highest(heights: NDArray, sides: NDArray, x0: float, y0: float, xy: NDArray, radius: float, out: NDArray) -> None:
    """Largest height of the samples of all cells that a disc of `radius` sample spacings around each point touches."""
    rows, columns = heights.shape
    reach = radius + math.sqrt(2.0)
    for i in range(xy.shape[0]):
        cx, cy = _grid_coordinate(xy[i, 0], x0, columns), _grid_coordinate(xy[i, 1], y0, rows)
        highest = _height(heights, sides, x0, y0, xy[i, 0], xy[i, 1])
        for iy in range(max(math.ceil(cy - reach), 0), min(math.floor(cy + reach), rows - 1) + 1):
            for ix in range(max(math.ceil(cx - reach), 0), min(math.floor(cx + reach), columns - 1) + 1):
                if (ix - cx) ** 2 + (iy - cy) ** 2 <= reach**2:
                    highest = max(highest, heights[iy, ix])
        out[i] = highest


class Surface:
    """The surface of a terrain map, in world coordinates; positions in m as arrays or anything numpy can read.

    With the exact collider risers stand vertical, in heights and contacts alike; with the stock collider both are
    MuJoCo's triangles, and a riser is one cell wide.
    """

    def __init__(self, map: TerrainMap, collider: Collider = "exact", threads: int = 1) -> None:
        """Keep the map, whose heights are read in place; `threads` share the work of `foot_heights`."""
        if collider == "stock" and map.floor is not None:
            names = sorted({tile.family for tile in map.tiles if tile.floor is not None})
            raise ValueError(
                f"{' and '.join(names)} overhang, which MuJoCo's heightfield cannot: choose `--env.collider exact`."
            )
        self.map, self.collider, self.threads = map, collider, threads
        self._pool = ThreadPoolExecutor(threads)
        self.sides = np.zeros(map.heights.shape, np.uint8)
        if collider == "exact":
            _cell_sides(map.heights, map.risers, self.sides)

    def height(self, xy: ArrayLike) -> NDArray[np.float32]:
        """Terrain height in m at world points (m, 2); beyond the map that of its nearest edge."""
        points = np.asarray(xy, np.float64)
        out = np.empty(len(points), np.float32)
        _sample(self.map.heights, self.sides, *self.map.origin_w, points, out)
        return out

    def foot_heights(self, foot_xy: ArrayLike, yaw: ArrayLike, offsets: ArrayLike) -> NDArray[np.float32]:
        """Heights in m (n, 4, p) at `offsets` (p, 2) turned by `yaw` (n,) rad from the feet at `foot_xy` (n, 4, 2)."""
        feet = np.asarray(foot_xy, np.float64)
        angle, points = np.asarray(yaw, np.float64), np.ascontiguousarray(np.asarray(offsets, np.float64).T)
        out = np.empty((*feet.shape[:2], points.shape[1]), np.float32)

        def sample(rows: slice) -> None:
            terrain = self.map.heights, self.sides, *self.map.origin_w
            _sample_rings(*terrain, feet[rows], angle[rows], points, out[rows])

        share = max(LEAST_SHARE, -(-len(feet) // self.threads))
        shares = [slice(start, start + share) for start in range(0, len(feet), share)]
        list(self._pool.map(sample, shares) if len(shares) > 1 else map(sample, shares))
        return out

    def max_height(self, xy: ArrayLike, radius: float) -> NDArray[np.float32]:
        """A height in m that no point of the terrain within `radius` m of each world point (m, 2) exceeds, (m,)."""
        points = np.asarray(xy, np.float64)
        out = np.empty(len(points), np.float32)
        _highest(self.map.heights, self.sides, *self.map.origin_w, points, radius / RESOLUTION, out)
        return out

    def add_to_spec(self, spec: mujoco.MjSpec) -> None:
        """Add the terrain to the world as heightfield geom "terrain"; `write_to_model` fills in its heights."""
        rows, columns = self.map.heights.shape
        half = [(columns - 1) * RESOLUTION / 2.0, (rows - 1) * RESOLUTION / 2.0]
        low, span = self._range()
        spec.add_hfield(
            name=HFIELD, nrow=rows, ncol=columns, size=[*half, span, BASE_THICKNESS], userdata=np.zeros(rows * columns)
        )
        geom = spec.worldbody.add_geom(
            name=HFIELD,
            type=mujoco.mjtGeom.mjGEOM_HFIELD,
            hfieldname=HFIELD,
            pos=[self.map.origin_w[0] + half[0], self.map.origin_w[1] + half[1], low],
            contype=0,
            conaffinity=1,
            material="ground",
        )
        if self.collider == "exact":
            stand_risers(spec, geom, self.map.risers, 0.0 if self.map.floor is None else PLATE)

    def write_to_model(self, model: mujoco.MjModel) -> None:
        """Write the heights into a compiled model, as MuJoCo keeps them: fractions of the vertical range."""
        low, span = self._range()

        def stored(heights: Heights) -> NDArray[np.float32]:
            return ((heights.astype(np.float64) - low) / span).astype(np.float32)

        floor = self.map.floor
        write_heights(model, HFIELD, stored(self.map.heights), None if floor is None else stored(floor))

    def _range(self) -> tuple[float, float]:
        """Lowest height and vertical extent in m; MuJoCo needs an extent above zero even for flat ground."""
        low, high = float(self.map.heights.min()), float(self.map.heights.max())
        return low, max(high - low, 0.01)
