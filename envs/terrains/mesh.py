"""The ground as triangles to look at: treads and slopes, and upright walls where it has risers."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from einops import rearrange, repeat
from numpy.typing import NDArray

from envs.terrains.grid import COVERED, PLATE, RESOLUTION, RISER_X, RISER_Y, Heights, Risers, risers_where
from envs.terrains.map import TerrainMap
from envs.terrains.rectangles import rectangles
from envs.terrains.surface import Surface

Triangles = NDArray[np.float64]
"""(k, 3, 3) m in the world: corners counter-clockwise as seen from where the ground is not."""

SQUARE = 20
"""Sample spacings, side of the squares of 1 m that level ground is cut into, so that a look tells how large it is."""
CORNERS = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
"""(4, 2) sample spacings: a cell's corners, round about as in `cells`."""
SIDES = np.array([(0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5)])
"""(4, 2) sample spacings: the middles of its sides, side i between the corners i and i + 1."""
MIDDLE = np.array([0.5, 0.5])
LARGEST = 250_000
"""Cells beyond which the ground is drawn from every other sample, or fewer: a browser shall still turn it."""


class Mesh(NamedTuple):
    """All that is seen of a ground."""

    tops: Triangles
    """What one walks on."""
    walls: Triangles
    """Risers, and the sides and undersides of treads over hollows."""


def ground_mesh(surface: Surface) -> Mesh:
    """The ground exactly as `surface` gives it, with vertical risers where its collider has them."""
    terrain = thinned(surface.map)
    exact = surface.collider == "exact" and terrain is surface.map
    if terrain.floor is None:
        tops, walls = cell_triangles(terrain.heights, terrain.risers if exact else np.zeros_like(terrain.risers))
    else:
        tops, walls = cell_triangles(terrain.floor, floor_risers(terrain))
        lids, edges = plate_triangles(terrain.heights, terrain.floor)
        tops, walls = np.concatenate((tops, lids)), np.concatenate((walls, edges))
    spacing = RESOLUTION * (surface.map.heights.shape[1] - 1) / (terrain.heights.shape[1] - 1)
    scale, origin = np.array([spacing, spacing, 1.0]), np.array([*terrain.origin_w, 0.0])
    return Mesh(tops * scale + origin, walls * scale + origin)


def thinned(terrain: TerrainMap) -> TerrainMap:
    """The map, or every n-th sample of one that is too large, in which risers lean over one cell."""
    step = int(np.ceil(np.sqrt(terrain.heights.size / LARGEST)))
    if step == 1:
        return terrain
    few = terrain.heights[::step, ::step]
    return replace(terrain, heights=few, risers=np.zeros(few.shape, np.uint8), floor=None)


def floor_risers(terrain: TerrainMap) -> Risers:
    """Risers of the lower ground: the map's own, and all steps beside a hollow."""
    assert terrain.floor is not None
    hollow = terrain.floor < terrain.heights
    beside = np.zeros_like(terrain.risers)
    beside[:, :-1] |= (hollow[:, :-1] | hollow[:, 1:]) * RISER_X
    beside[:-1] |= (hollow[:-1] | hollow[1:]) * RISER_Y
    return (terrain.risers & ~COVERED & ~beside) | (risers_where(terrain.floor) & beside)


def cell_triangles(heights: Heights, risers: Risers) -> tuple[Triangles, Triangles]:
    """Tops and walls of all cells, x and y in sample spacings from the first sample."""
    corners = np.stack([heights[:-1, :-1], heights[:-1, 1:], heights[1:, 1:], heights[1:, :-1]]).astype(np.float64)
    crossed = np.stack(
        [
            risers[:-1, :-1] & RISER_X > 0,
            risers[:-1, 1:] & RISER_Y > 0,
            risers[1:, :-1] & RISER_X > 0,
            risers[:-1, :-1] & RISER_Y > 0,
        ]
    )
    split = np.asarray(crossed.any(0))
    level = ~split & (corners == corners[0]).all(0)
    pieces, walls = split_cells(corners[:, split], crossed[:, split], first_samples(split))
    smooth = np.asarray(~split & ~level)
    tops = (level_triangles(corners[0], level), smooth_cells(corners[:, smooth], first_samples(smooth)), pieces)
    return np.concatenate(tops), walls


def first_samples(cells: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Sample coordinates (m, 2) as (x, y) of the first corner of the marked cells."""
    return np.argwhere(cells)[:, ::-1].astype(np.float64)


def level_triangles(heights: NDArray[np.float64], level: NDArray[np.bool_]) -> Triangles:
    """Level ground as few rectangles within the squares of 1 m; `heights` are those of the cells that are `level`."""
    rows, columns = (np.arange(count) // SQUARE for count in heights.shape)
    square = rows[:, None] * (columns[-1] + 1) + columns[None, :]
    _, kind = np.unique(np.stack([heights.ravel(), square.ravel()]), axis=1, return_inverse=True)
    found = list(rectangles(np.where(level, kind.reshape(heights.shape), np.nan)))
    blocks = np.array(found, np.float64).reshape(-1, 4)
    west, east, south, north = blocks[:, 0], blocks[:, 1] + 1, blocks[:, 2], blocks[:, 3] + 1
    z = heights[blocks[:, 2].astype(int), blocks[:, 0].astype(int)]
    around = np.stack(
        [np.stack(p, -1) for p in ((west, south, z), (east, south, z), (east, north, z), (west, north, z))]
    )
    return quads(around)


def smooth_cells(corners: NDArray[np.float64], first: NDArray[np.float64]) -> Triangles:
    """The two triangles of every cell without risers, from corner heights (4, m) and first samples (m, 2)."""
    return quads(np.stack([placed(first, CORNERS[corner], corners[corner]) for corner in range(4)]))


def split_cells(
    corners: NDArray[np.float64], crossed: NDArray[np.bool_], first: NDArray[np.float64]
) -> tuple[Triangles, Triangles]:
    """Tops and walls of cells with risers, as `cells.height_in_cell` has them."""
    tops, walls = [], []
    for corner in range(4):
        behind = (corner + 3) & 3
        foot = placed(first, CORNERS[corner], corners[corner])
        ahead = placed(first, SIDES[corner], side_height(corners, crossed, corner, corner))
        back = placed(first, SIDES[behind], side_height(corners, crossed, behind, corner))
        middle = placed(first, MIDDLE, middle_height(corners, crossed, corner))
        tops += [np.stack((foot, ahead, middle), 1), np.stack((foot, middle, back), 1)]
        other = (corner + 1) & 3
        across = placed(first, SIDES[corner], side_height(corners, crossed, corner, other))
        beyond = placed(first, MIDDLE, middle_height(corners, crossed, other))
        upright = crossed[corner] & ((ahead != across).any(1) | (middle != beyond).any(1))
        walls.append(quads(np.stack([ahead, across, beyond, middle])[:, upright]))
    return np.concatenate(tops), np.concatenate(walls)


def middle_height(corners: NDArray[np.float64], crossed: NDArray[np.bool_], corner: int) -> NDArray[np.float64]:
    """Height in the middle of cells (m,) of the piece that a corner belongs to."""
    ahead, behind = ~crossed[corner], ~crossed[(corner + 3) & 3]
    opposite = (ahead & ~crossed[(corner + 1) & 3]) | (behind & ~crossed[(corner + 2) & 3])
    total = corners[corner] + ahead * corners[(corner + 1) & 3] + behind * corners[(corner + 3) & 3]
    piece = (total + opposite * corners[(corner + 2) & 3]) / (1 + ahead + behind + opposite)
    return np.where(crossed.sum(0) > 1, piece, corners.mean(0))


def side_height(
    corners: NDArray[np.float64], crossed: NDArray[np.bool_], side: int, corner: int
) -> NDArray[np.float64]:
    """Height in the middle of a side of cells (m,) of the piece that one of its corners belongs to."""
    return np.where(crossed[side], corners[corner], 0.5 * (corners[side] + corners[(side + 1) & 3]))


def placed(first: NDArray[np.float64], offset: NDArray[np.float64], z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (m, 3) at an offset (2,) from the first samples (m, 2), at heights (m,)."""
    return np.column_stack((first + offset, z))


def quads(around: NDArray[np.float64]) -> Triangles:
    """Quadrilaterals given by their corners round about (4, m, 3), as two triangles each."""
    return rearrange(around[[0, 1, 2, 0, 2, 3]], "(half corner) m xyz -> (m half) corner xyz", half=2)


def plate_triangles(heights: Heights, floor: Heights) -> tuple[Triangles, Triangles]:
    """Tops, and edges and undersides, of the treads over hollows, which reach half a sample spacing around."""
    blocks = np.array(list(rectangles(np.where(floor < heights, heights, np.nan))), np.float64).reshape(-1, 4)
    top = heights[blocks[:, 2].astype(int), blocks[:, 0].astype(int)].astype(np.float64)
    west, east, south, north = (blocks[:, i] + (-0.5, 0.5, -0.5, 0.5)[i] for i in range(4))
    xy = np.stack([np.stack(p, -1) for p in ((west, south), (east, south), (east, north), (west, north))])
    upper = np.concatenate([xy, repeat(top, "m -> corner m 1", corner=4)], -1)
    lower = upper - (0.0, 0.0, PLATE)
    edges = [quads(np.stack([lower[i], lower[(i + 1) & 3], upper[(i + 1) & 3], upper[i]])) for i in range(4)]
    return quads(upper), np.concatenate([*edges, quads(lower[::-1])])
