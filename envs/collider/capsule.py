"""A capsule against a heightfield: two spheres at its ends, and between them the edges that its axis passes."""

from __future__ import annotations

import math

from numpy.typing import NDArray

from envs.collider.edges import Axis, Ground, offer_edge, offer_nosing
from envs.collider.geometry import ABOVE, MOST_CONTACTS, PARALLEL, Vector, along, bring_deepest, move
from envs.collider.heightfield import FARTHEST, collide, extent, place
from envs.collider.level import ALONG_Y, is_level
from envs.collider.overhangs import CORNER_X, CORNER_Y, column
from envs.terrains.cells import (
    OVERHUNG,
    Corners,
    corners_of,
    has_riser,
    middle_height,
    side_height,
    sides_of,
)
from envs.terrains.compiled import compiled

STEEP = 1e-9
"""Level part of an axis' direction below which it stands upright."""


@compiled
def collide_capsule(
    heights: NDArray,
    risers: NDArray,
    floor: NDArray,
    plate: float,
    spacing: Vector,
    origin: Vector,
    centre: Vector,
    direction: Vector,
    half: float,
    radius: float,
    margin: float,
    contacts: NDArray,
) -> int:
    """Contacts of a capsule around `centre` (world, m), whose axis reaches `half` m to either side along `direction`.

    The heightfield and `contacts` are those of `heightfield.collide`; their number.
    """
    c = (centre[0] - origin[0], centre[1] - origin[1], centre[2] - origin[2])
    dx, dy, reach = spacing[0], spacing[1], radius + margin
    if not (abs(c[0]) < FARTHEST * dx and abs(c[1]) < FARTHEST * dy and abs(c[2]) < math.inf and half < math.inf):
        return 0
    aside = half * abs(direction[0]) + reach, half * abs(direction[1]) + reach
    west, east = math.floor((c[0] - aside[0]) / dx), math.floor((c[0] + aside[0]) / dx)
    south, north = math.floor((c[1] - aside[1]) / dy), math.floor((c[1] + aside[1]) / dy)
    lowest, highest = extent(heights, west, east + 1, south, north + 1)
    top, low, high = spacing[2] * highest, c[2] - half * direction[2] - reach, c[2] + half * direction[2] - reach
    if min(low, high) >= top:
        return 0
    n = 0
    if low < top:
        end, room = along(centre, direction, -half), contacts[: MOST_CONTACTS // 2]
        n = collide(heights, risers, floor, plate, spacing, origin, end, radius, margin, room)
    if high < top:
        end = along(centre, direction, half)
        n += collide(heights, risers, floor, plate, spacing, origin, end, radius, margin, contacts[n:])
    if lowest < highest:
        ends, axis, ground = n, (c, direction, half, radius, reach), (heights, risers, floor, plate, spacing)
        per_x, per_y = 1.0 / nonzero(direction[0]), 1.0 / nonzero(direction[1])
        bottom = min(low, high)
        for iy in range(south, north + 1):
            for ix in range(west, east + 1):
                corners = corners_of(heights, ix, iy)
                crest = spacing[2] * max(corners[0], corners[1], corners[2], corners[3])
                if crest > bottom and crest > lowest_over(axis, spacing, per_x, per_y, ix, iy):
                    n = offer_cell(contacts, n, axis, ground, ix, iy, corners)
        for i in range(ends, n):
            for k in range(3):
                contacts[i, 1 + k] += origin[k]
    return thin(contacts, n, direction, max(half, 2.0 * radius), 2.0 * radius)


@compiled
def nonzero(part: float) -> float:
    """A part of a direction, or, in place of none, one so small that nothing comes of it."""
    return part if abs(part) > STEEP else STEEP


@compiled
def lowest_over(axis: Axis, spacing: Vector, per_x: float, per_y: float, ix: int, iy: int) -> float:
    """Height in m above which all of a capsule is that can touch something over cell (ix, iy).

    `per_x` and `per_y` are m along the axis per m along x and y.
    """
    middle, direction, half, _, reach = axis
    x, y = ix * spacing[0] - middle[0], iy * spacing[1] - middle[1]
    from_x, to_x = (x - reach) * per_x, (x + spacing[0] + reach) * per_x
    from_y, to_y = (y - reach) * per_y, (y + spacing[1] + reach) * per_y
    low = max(-half, min(from_x, to_x), min(from_y, to_y))
    high = min(half, max(from_x, to_x), max(from_y, to_y))
    if low > high:
        return math.inf
    return middle[2] + min(low * direction[2], high * direction[2]) - reach


@compiled
def offer_cell(contacts: NDArray, n: int, axis: Axis, ground: Ground, ix: int, iy: int, corners: Corners) -> int:
    """Add the contacts of a capsule's axis with the edges of cell (ix, iy) to n others; their new number."""
    sides = sides_of(ground[1], ix, iy)
    if is_level(corners, sides):
        return n if sides == 0 else offer_step_edge(contacts, n, axis, ground, ix, iy, corners, sides)
    if sides == 0:
        return offer_ridges(contacts, n, axis, ground, ix, iy, corners)
    if sides & OVERHUNG:
        return offer_plates(contacts, n, axis, ground, ix, iy, corners)
    return offer_pieces(contacts, n, axis, ground, ix, iy, corners, sides)


@compiled
def offer_step_edge(
    contacts: NDArray, n: int, axis: Axis, ground: Ground, ix: int, iy: int, corners: Corners, sides: int
) -> int:
    """Add the contact with the upper edge of the straight riser through level cell (ix, iy)."""
    spacing = ground[4]
    first, second = spacing[2] * corners[0], spacing[2] * corners[2]
    if first == second:
        return n
    sign, top = 1.0 if first > second else -1.0, max(first, second)
    if sides == ALONG_Y:
        start, side = ((ix + 0.5) * spacing[0], iy * spacing[1], top), (0.0, spacing[1], 0.0)
        return offer_nosing(contacts, n, axis, ground, start, side, (sign, 0.0, 0.0))
    start, side = (ix * spacing[0], (iy + 0.5) * spacing[1], top), (spacing[0], 0.0, 0.0)
    return offer_nosing(contacts, n, axis, ground, start, side, (0.0, sign, 0.0))


@compiled
def offer_ridges(contacts: NDArray, n: int, axis: Axis, ground: Ground, ix: int, iy: int, corners: Corners) -> int:
    """Add the contacts with the edges of the two triangles of cell (ix, iy)."""
    spacing = ground[4]
    near, far = place(spacing, ix, iy, corners[0]), place(spacing, ix + 1, iy + 1, corners[2])
    right, left = place(spacing, ix + 1, iy, corners[1]), place(spacing, ix, iy + 1, corners[3])
    n = offer_edge(contacts, n, axis, ground, near, right)
    n = offer_edge(contacts, n, axis, ground, near, left)
    n = offer_edge(contacts, n, axis, ground, right, far)
    n = offer_edge(contacts, n, axis, ground, left, far)
    if corners[0] + corners[2] <= corners[1] + corners[3]:
        return n
    return offer_edge(contacts, n, axis, ground, near, far)


@compiled
def offer_pieces(
    contacts: NDArray, n: int, axis: Axis, ground: Ground, ix: int, iy: int, corners: Corners, sides: int
) -> int:
    """Add the contacts with the edges of the four pieces of cell (ix, iy), and of the walls between them."""
    spacing = ground[4]
    bottom, top = math.inf, -math.inf
    for corner in range(4):
        behind, ahead = (corner + 3) & 3, (corner + 1) & 3
        x, y = CORNER_X[corner], CORNER_Y[corner]
        out = CORNER_X[ahead] - x, CORNER_Y[ahead] - y
        out_behind = CORNER_X[behind] - x, CORNER_Y[behind] - y
        tip = place(spacing, ix + x, iy + y, corners[corner])
        middle = place(spacing, ix + 0.5, iy + 0.5, middle_height(corners, sides, corner))
        edge = place(spacing, ix + x + 0.5 * out[0], iy + y + 0.5 * out[1], side_height(corners, sides, corner, corner))
        edge_behind = place(
            spacing,
            ix + x + 0.5 * out_behind[0],
            iy + y + 0.5 * out_behind[1],
            side_height(corners, sides, behind, corner),
        )
        level = tip[2] == middle[2] and tip[2] == edge[2] and tip[2] == edge_behind[2]
        if has_riser(sides, corner) or not level:
            n = offer_edge(contacts, n, axis, ground, edge, middle)
        if has_riser(sides, behind):
            n = offer_edge(contacts, n, axis, ground, edge_behind, middle)
        if not level:
            n = offer_edge(contacts, n, axis, ground, middle, tip)
            n = offer_edge(contacts, n, axis, ground, tip, edge)
            n = offer_edge(contacts, n, axis, ground, tip, edge_behind)
        bottom, top = min(bottom, middle[2]), max(top, middle[2])
    return offer_upright(contacts, n, axis, ground, ix, iy, bottom, top)


@compiled
def offer_upright(
    contacts: NDArray,
    n: int,
    axis: Axis,
    ground: Ground,
    ix: int,
    iy: int,
    bottom: float,
    top: float,
) -> int:
    """Add the contact with the upright edge in the middle of cell (ix, iy), from `bottom` to `top` m."""
    spacing = ground[4]
    x, y = (ix + 0.5) * spacing[0], (iy + 0.5) * spacing[1]
    return offer_edge(contacts, n, axis, ground, (x, y, bottom), (x, y, top))


@compiled
def offer_plates(contacts: NDArray, n: int, axis: Axis, ground: Ground, ix: int, iy: int, tops: Corners) -> int:
    """Add the contacts with the edges of the columns of cell (ix, iy), some of which have a plate over a hollow."""
    _, _, floor, plate, spacing = ground
    floors = corners_of(floor, ix, iy)
    lowest, highest = math.inf, -math.inf
    for corner in range(4):
        here = column(spacing[2] * tops[corner], spacing[2] * floors[corner], plate)
        x, y = CORNER_X[corner], CORNER_Y[corner]
        lowest, highest = min(lowest, here[0]), max(highest, here[2])
        for turn in (1, 3):
            beside = (corner + turn) & 3
            there = column(spacing[2] * tops[beside], spacing[2] * floors[beside], plate)
            if here[0] == there[0] and here[2] == there[2]:
                continue
            out_x, out_y = CORNER_X[beside] - x, CORNER_Y[beside] - y
            side_x, side_y = (ix + x + 0.5 * out_x) * spacing[0], (iy + y + 0.5 * out_y) * spacing[1]
            middle_x, middle_y = (ix + 0.5) * spacing[0], (iy + 0.5) * spacing[1]
            for level in range(3):
                if level < 2 and here[0] == here[2]:
                    continue
                z = here[2] if level == 2 else (here[1] if level == 1 else here[0])
                n = offer_edge(contacts, n, axis, ground, (side_x, side_y, z), (middle_x, middle_y, z))
    return offer_upright(contacts, n, axis, ground, ix, iy, lowest, highest)


@compiled
def thin(contacts: NDArray, n: int, direction: Vector, apart: float, near: float) -> int:
    """Keep, deepest first, the contacts of a capsule that hold it in another place or direction; their number.

    Of contacts whose normals are parallel and that are less than `apart` m from each other along the capsule the
    deepest stays, and within `near` m only what lies above its tangent plane, as for a sphere.
    """
    kept = 0
    while kept < n:
        bring_deepest(contacts, kept, n)
        rest = kept + 1
        for i in range(kept + 1, n):
            aligned = above = between = 0.0
            for k in range(3):
                normal = contacts[kept, 4 + k]
                aligned += contacts[i, 4 + k] * normal
                between += (contacts[i, 1 + k] - contacts[kept, 1 + k]) * direction[k]
                ground = contacts[i, 1 + k] - 0.5 * contacts[i, 0] * contacts[i, 4 + k]
                above += (ground - contacts[kept, 1 + k] + 0.5 * contacts[kept, 0] * normal) * normal
            same = aligned >= PARALLEL and abs(between) < apart
            hidden = abs(between) < near and above <= 0.5 * ABOVE * near
            if not (same or hidden):
                move(contacts, rest, i)
                rest += 1
        kept, n = kept + 1, rest
    return kept
