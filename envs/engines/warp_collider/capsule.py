"""A capsule against the ground: `envs.collider.capsule` for Warp's compiler."""

import warp as wp

from envs.collider import geometry
from envs.engines.warp_collider.candidates import bring_deepest, move, normal_of, point_of, put
from envs.engines.warp_collider.edges import FAR, Axis, offer_edge, offer_nosing
from envs.engines.warp_collider.ground import (
    HANGING,
    STRAIGHT_Y,
    Ground,
    column,
    corner_x,
    corner_y,
    corners_of,
    extent,
    has_riser,
    is_level,
    middle_height,
    place,
    side_height,
    sides_of,
)
from envs.engines.warp_collider.sphere import collide_sphere

FACING, ABOVE = wp.constant(geometry.PARALLEL), wp.constant(geometry.ABOVE)


@wp.func
def offer_step_edge(
    out: wp.array2d[float], n: int, axis: Axis, g: Ground, ix: int, iy: int, corners: wp.vec4, sides: int
) -> int:
    """Add the contact with the upper edge of the straight riser through a level cell."""
    first, second = g.spacing[2] * corners[0], g.spacing[2] * corners[2]
    if first == second:
        return n
    sign, top = wp.where(first > second, 1.0, -1.0), wp.max(first, second)
    x, y = float(ix) * g.spacing[0], float(iy) * g.spacing[1]
    if sides == STRAIGHT_Y:
        start, side = wp.vec3(x + 0.5 * g.spacing[0], y, top), wp.vec3(0.0, g.spacing[1], 0.0)
        return offer_nosing(out, n, axis, g, start, side, wp.vec3(sign, 0.0, 0.0))
    return offer_nosing(
        out,
        n,
        axis,
        g,
        wp.vec3(x, y + 0.5 * g.spacing[1], top),
        wp.vec3(g.spacing[0], 0.0, 0.0),
        wp.vec3(0.0, sign, 0.0),
    )


@wp.func
def offer_upright(
    out: wp.array2d[float], n: int, axis: Axis, g: Ground, ix: int, iy: int, bottom: float, top: float
) -> int:
    """Add the contact with the upright edge in the middle of a cell."""
    x, y = (float(ix) + 0.5) * g.spacing[0], (float(iy) + 0.5) * g.spacing[1]
    return offer_edge(out, n, axis, g, wp.vec3(x, y, bottom), wp.vec3(x, y, top))


@wp.func
def offer_ridges(out: wp.array2d[float], count: int, axis: Axis, g: Ground, ix: int, iy: int, corners: wp.vec4) -> int:
    """Add the contacts with the edges of the two triangles of a cell."""
    near, far = place(g, float(ix), float(iy), corners[0]), place(g, float(ix + 1), float(iy + 1), corners[2])
    right, left = place(g, float(ix + 1), float(iy), corners[1]), place(g, float(ix), float(iy + 1), corners[3])
    n = offer_edge(out, count, axis, g, near, right)
    n = offer_edge(out, n, axis, g, near, left)
    n = offer_edge(out, n, axis, g, right, far)
    n = offer_edge(out, n, axis, g, left, far)
    if corners[0] + corners[2] <= corners[1] + corners[3]:
        return n
    return offer_edge(out, n, axis, g, near, far)


@wp.func
def offer_pieces(
    out: wp.array2d[float], count: int, axis: Axis, g: Ground, ix: int, iy: int, corners: wp.vec4, sides: int
) -> int:
    """Add the contacts with the edges of the four pieces of a cell, and of the walls between them."""
    n = int(count)
    bottom, top = float(FAR), float(-FAR)
    for corner in range(4):
        behind, ahead = (corner + 3) & 3, (corner + 1) & 3
        x, y = corner_x(corner), corner_y(corner)
        tip = place(g, float(ix) + x, float(iy) + y, corners[corner])
        middle = place(g, float(ix) + 0.5, float(iy) + 0.5, middle_height(corners, sides, corner))
        edge = place(
            g,
            float(ix) + 0.5 * (x + corner_x(ahead)),
            float(iy) + 0.5 * (y + corner_y(ahead)),
            side_height(corners, sides, corner, corner),
        )
        edge_behind = place(
            g,
            float(ix) + 0.5 * (x + corner_x(behind)),
            float(iy) + 0.5 * (y + corner_y(behind)),
            side_height(corners, sides, behind, corner),
        )
        level = tip[2] == middle[2] and tip[2] == edge[2] and tip[2] == edge_behind[2]
        if has_riser(sides, corner) or not level:
            n = offer_edge(out, n, axis, g, edge, middle)
        if has_riser(sides, behind):
            n = offer_edge(out, n, axis, g, edge_behind, middle)
        if not level:
            n = offer_edge(out, n, axis, g, middle, tip)
            n = offer_edge(out, n, axis, g, tip, edge)
            n = offer_edge(out, n, axis, g, tip, edge_behind)
        bottom, top = wp.min(bottom, middle[2]), wp.max(top, middle[2])
    return offer_upright(out, n, axis, g, ix, iy, bottom, top)


@wp.func
def offer_plates(out: wp.array2d[float], count: int, axis: Axis, g: Ground, ix: int, iy: int, tops: wp.vec4) -> int:
    """Add the contacts with the edges of the columns of a cell, some of which have a plate over a hollow."""
    n = int(count)
    floors = corners_of(g, g.floor, ix, iy)
    lowest, highest = float(FAR), float(-FAR)
    middle_x, middle_y = (float(ix) + 0.5) * g.spacing[0], (float(iy) + 0.5) * g.spacing[1]
    for corner in range(4):
        here = column(g.spacing[2] * tops[corner], g.spacing[2] * floors[corner], g.plate)
        lowest, highest = wp.min(lowest, here[0]), wp.max(highest, here[2])
        for turn in range(2):
            beside = (corner + 1 + 2 * turn) & 3
            there = column(g.spacing[2] * tops[beside], g.spacing[2] * floors[beside], g.plate)
            if here[0] != there[0] or here[2] != there[2]:
                side_x = (float(ix) + 0.5 * (corner_x(corner) + corner_x(beside))) * g.spacing[0]
                side_y = (float(iy) + 0.5 * (corner_y(corner) + corner_y(beside))) * g.spacing[1]
                for level in range(3):
                    if level == 2 or here[0] != here[2]:
                        z = here[level]
                        n = offer_edge(out, n, axis, g, wp.vec3(side_x, side_y, z), wp.vec3(middle_x, middle_y, z))
    return offer_upright(out, n, axis, g, ix, iy, lowest, highest)


@wp.func
def offer_cell(out: wp.array2d[float], n: int, axis: Axis, g: Ground, ix: int, iy: int, corners: wp.vec4) -> int:
    """Add the contacts with the edges of cell (ix, iy)."""
    sides = sides_of(g, ix, iy)
    if is_level(corners, sides):
        if sides == 0:
            return n
        return offer_step_edge(out, n, axis, g, ix, iy, corners, sides)
    if sides == 0:
        return offer_ridges(out, n, axis, g, ix, iy, corners)
    if (sides & HANGING) != 0:
        return offer_plates(out, n, axis, g, ix, iy, corners)
    return offer_pieces(out, n, axis, g, ix, iy, corners, sides)


@wp.func
def thin(out: wp.array2d[float], count: int, direction: wp.vec3, apart: float, near: float) -> int:
    """Keep, deepest first, the contacts of a capsule that hold it in another place or direction; their number."""
    kept, n = int(0), int(count)
    while kept < n:
        bring_deepest(out, kept, n)
        rest = int(kept + 1)
        normal, point, depth = normal_of(out, kept), point_of(out, kept), out[kept, 0]
        for i in range(kept + 1, n):
            aligned = wp.dot(normal_of(out, i), normal)
            between = wp.abs(wp.dot(point_of(out, i) - point, direction))
            ground = point_of(out, i) - normal_of(out, i) * (0.5 * out[i, 0])
            above = wp.dot(ground - point + normal * (0.5 * depth), normal)
            same = aligned >= FACING and between < apart
            hidden = between < near and above <= 0.5 * ABOVE * near
            if not (same or hidden):
                move(out, rest, i)
                rest += 1
        kept += 1
        n = rest
    return kept


@wp.func
def collide_capsule(g: Ground, axis: Axis, out: wp.array2d[float], spare: wp.array2d[float]) -> int:
    """Contacts of a capsule; their number. `spare` is room for those of one of its ends."""
    c, direction, reach = axis.middle, axis.direction, axis.reach
    margin = reach - axis.radius
    dx, dy = g.spacing[0], g.spacing[1]
    aside_x = axis.half * wp.abs(direction[0]) + reach
    aside_y = axis.half * wp.abs(direction[1]) + reach
    west, east = int(wp.floor((c[0] - aside_x) / dx)), int(wp.floor((c[0] + aside_x) / dx))
    south, north = int(wp.floor((c[1] - aside_y) / dy)), int(wp.floor((c[1] + aside_y) / dy))
    heights = extent(g, west, east + 1, south, north + 1)
    top, drop = g.spacing[2] * heights[1], axis.half * direction[2]
    low, high = c[2] - drop - reach, c[2] + drop - reach
    if wp.min(low, high) >= top:
        return 0
    n = int(0)
    if low < top:
        n = collide_sphere(g, c - direction * axis.half, axis.radius, margin, out)
    if high < top:
        more = collide_sphere(g, c + direction * axis.half, axis.radius, margin, spare)
        for i in range(more):
            if n < out.shape[0]:
                put(out, n, spare[i, 0], point_of(spare, i), normal_of(spare, i))
                n += 1
    if heights[0] < heights[1]:
        bottom = wp.min(low, high)
        for iy in range(south, north + 1):
            for ix in range(west, east + 1):
                corners = corners_of(g, g.heights, ix, iy)
                crest = g.spacing[2] * wp.max(wp.max(corners[0], corners[1]), wp.max(corners[2], corners[3]))
                if crest > bottom:
                    n = offer_cell(out, n, axis, g, ix, iy, corners)
    return thin(out, n, direction, wp.max(axis.half, 2.0 * axis.radius), 2.0 * axis.radius)
