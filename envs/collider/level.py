"""Level ground and upright walls, what stairs are made of: rectangles along the axes, far cheaper than triangles."""

from __future__ import annotations

from numpy.typing import NDArray

from envs.collider.geometry import Vector, offer_face
from envs.terrains.cells import Corners
from envs.terrains.compiled import compiled

ALONG_Y, ALONG_X = 1 | 4, 2 | 8
"""The sides of a cell that a riser crosses which runs straight through it, along y or along x."""

Span = tuple[float, float, float, float]
"""m: x and y of a rectangle's corner where they are least, x and y of that where they are largest."""


@compiled
def is_level(corners: Corners, sides: int) -> bool:
    """Whether a cell is one level piece, or two on either side of a straight riser."""
    across, up = corners[0] == corners[1] and corners[3] == corners[2], corners[0] == corners[3]
    if sides == 0:
        return across and up
    return across if sides == ALONG_X else sides == ALONG_Y and up and corners[1] == corners[2]


@compiled
def offer_step(
    contacts: NDArray,
    n: int,
    buried: bool,
    reach: float,
    c: Vector,
    spacing: Vector,
    ix: int,
    iy: int,
    corners: Corners,
    sides: int,
) -> int:
    """Add the closest points of the level cell (ix, iy), of these corner heights as stored, to n candidates."""
    west, south = ix * spacing[0], iy * spacing[1]
    east, north = (ix + 1) * spacing[0], (iy + 1) * spacing[1]
    first, second = spacing[2] * corners[0], spacing[2] * corners[2]
    if sides == 0:
        return offer_level(contacts, n, buried, reach, c, (west, south, east, north), first, 1.0)
    x, y = (ix + 0.5) * spacing[0], (iy + 0.5) * spacing[1]
    if sides == ALONG_Y:
        n = offer_level(contacts, n, buried, reach, c, (west, south, x, north), first, 1.0)
        n = offer_level(contacts, n, buried, reach, c, (x, south, east, north), second, 1.0)
        wall, axis = (x, south, x, north), 0
    else:
        n = offer_level(contacts, n, buried, reach, c, (west, south, east, y), first, 1.0)
        n = offer_level(contacts, n, buried, reach, c, (west, y, east, north), second, 1.0)
        wall, axis = (west, y, east, y), 1
    bottom, top = min(first, second), max(first, second)
    if c[2] < bottom and not buried:  # ground without overhangs never pushes down
        return n
    return offer_wall(contacts, n, buried, reach, c, wall, axis, 1.0 if first > second else -1.0, bottom, top)


@compiled
def offer_level(
    contacts: NDArray, n: int, buried: bool, reach: float, c: Vector, area: Span, height: float, sign: float
) -> int:
    """Add the closest point of a level rectangle that faces up (sign 1) or down (-1)."""
    low, high = (area[0], area[1], height), (area[2], area[3], height)
    return offer_face(contacts, n, buried, reach, c, low, high, 2, sign)


@compiled
def offer_wall(
    contacts: NDArray,
    n: int,
    buried: bool,
    reach: float,
    c: Vector,
    wall: Span,
    axis: int,
    sign: float,
    bottom: float,
    top: float,
) -> int:
    """Add the closest point of the wall from `bottom` to `top` m, if there is any."""
    if bottom >= top:
        return n
    return offer_face(contacts, n, buried, reach, c, (wall[0], wall[1], bottom), (wall[2], wall[3], top), axis, sign)
