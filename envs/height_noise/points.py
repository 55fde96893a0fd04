"""What happens to single points of a map, in machine code: where they are looked for, and what is read there."""

from __future__ import annotations

import math
from typing import NamedTuple

from numpy.typing import NDArray

from envs.height_noise.config import MapCondition
from envs.terrains.compiled import compiled

AREAS = 16
"""Cells, and patches, along each side of a robot's map, after which they repeat; a power of 2."""
(
    POINT_LATERAL,
    POINT_VERTICAL,
    FOOT_LATERAL,
    FOOT_VERTICAL,
    OUTLIER,
    OUTLIER_SHARE,
    EPISODE_LATERAL,
    EPISODE_VERTICAL,
) = range(len(MapCondition._fields))


class Draws(NamedTuple):
    """Random numbers of one look at the maps of m robots, anew at every look but for the offset."""

    point: NDArray
    """(3, m, 4, 52) unit normals: x, y and height of each point."""
    foot: NDArray
    """(3, m, 4) unit normals: x, y and height of each foot."""
    outlier: NDArray
    """(m, 4, 52) uniform in 0..1: below z5 a point is an outlier."""
    offset: NDArray
    """(m, 4, 3) unit normals of the episode."""


class Areas(NamedTuple):
    """What holds for whole areas of the maps of m robots."""

    origin: NDArray
    """(m, 2) m, place of the pattern."""
    cells: NDArray
    """(m, AREAS^2) m, height added to each cell."""
    cell_size: float
    """m."""
    patches: NDArray
    """(m, AREAS^2) uniform in 0..1: below `Holes.fraction` a patch holds no information."""


class Holes(NamedTuple):
    """Patches of m maps that hold no information, float64."""

    fraction: NDArray
    """(m, 4) of all patches, by foot."""
    size: NDArray
    """(m,) m, side of a patch."""
    invented: NDArray
    """(m,) m, standard deviation about the foot's height of what is read there, anew at every look; 0: NaN is."""


@compiled
def perturb_positions(points: NDArray, z: NDArray, draws: Draws) -> None:
    """Move `points` (m, 4, 52, 2) m, in place, to where the maps look for them; `z` (m, 8) as in `MapCondition`."""
    for i in range(points.shape[0]):
        point, foot, episode = z[i, POINT_LATERAL], z[i, FOOT_LATERAL], z[i, EPISODE_LATERAL]
        for leg in range(points.shape[1]):
            for axis in range(2):
                common = foot * draws.foot[axis, i, leg] + episode * draws.offset[i, leg, axis]
                for p in range(points.shape[2]):
                    points[i, leg, p, axis] += point * draws.point[axis, i, leg, p] + common


@compiled
def _area(values: NDArray, origin: NDArray, size: float, x: float, y: float) -> float:
    """Value, out of (AREAS^2,), of the square of side `size` m that a point lies in."""
    column, row = math.floor((x + origin[0]) / size), math.floor((y + origin[1]) / size)
    return float(values[(row & (AREAS - 1)) * AREAS + (column & (AREAS - 1))])


@compiled
def perturb_heights(
    heights: NDArray, seen: NDArray, foot_height: NDArray, z: NDArray, draws: Draws, areas: Areas, holes: Holes
) -> None:
    """Turn the true `heights` (m, 4, 52) m at `seen` (m, 4, 52, 2) m, in place, into what the maps hold there."""
    for i in range(heights.shape[0]):
        usual = z[i, POINT_VERTICAL]
        unusual = math.sqrt(usual * usual + z[i, OUTLIER] * z[i, OUTLIER])
        for leg in range(heights.shape[1]):
            common = z[i, FOOT_VERTICAL] * draws.foot[2, i, leg] + z[i, EPISODE_VERTICAL] * draws.offset[i, leg, 2]
            for p in range(heights.shape[2]):
                x, y, normal = seen[i, leg, p, 0], seen[i, leg, p, 1], draws.point[2, i, leg, p]
                if _area(areas.patches[i], areas.origin[i], holes.size[i], x, y) < holes.fraction[i, leg]:
                    spread = holes.invented[i]
                    heights[i, leg, p] = foot_height[i, leg] + spread * normal if spread > 0 else math.nan
                    continue
                spread = unusual if draws.outlier[i, leg, p] < z[i, OUTLIER_SHARE] else usual
                cell = _area(areas.cells[i], areas.origin[i], areas.cell_size, x, y)
                heights[i, leg, p] += spread * normal + common + cell
