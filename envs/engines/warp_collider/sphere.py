"""A sphere against the ground: `envs.collider.heightfield`, `level` and `overhangs` for Warp's compiler."""

import warp as wp

from envs.engines.warp_collider.candidates import finish, offer_face, offer_triangle, put, select
from envs.engines.warp_collider.ground import (
    HANGING,
    STRAIGHT_Y,
    Ground,
    column,
    corner_x,
    corner_y,
    corners_of,
    extent,
    floor_at,
    ground_at,
    has_riser,
    is_level,
    middle_height,
    place,
    side_height,
    sides_of,
    squared_gap,
)


@wp.func
def offer_level(
    out: wp.array2d[float], n: int, buried: bool, reach: float, c: wp.vec3, area: wp.vec4, height: float, sign: float
) -> int:
    """Add the closest point of a level rectangle that faces up (sign 1) or down (-1)."""
    low, high = wp.vec3(area[0], area[1], height), wp.vec3(area[2], area[3], height)
    return offer_face(out, n, buried, reach, c, low, high, 2, sign)


@wp.func
def offer_wall(
    out: wp.array2d[float],
    n: int,
    buried: bool,
    reach: float,
    c: wp.vec3,
    wall: wp.vec4,
    axis: int,
    sign: float,
    bottom: float,
    top: float,
) -> int:
    """Add the closest point of the wall from `bottom` to `top` m, if there is any."""
    if bottom >= top:
        return n
    low, high = wp.vec3(wall[0], wall[1], bottom), wp.vec3(wall[2], wall[3], top)
    return offer_face(out, n, buried, reach, c, low, high, axis, sign)


@wp.func
def offer_step(
    out: wp.array2d[float],
    count: int,
    buried: bool,
    reach: float,
    c: wp.vec3,
    g: Ground,
    ix: int,
    iy: int,
    corners: wp.vec4,
    sides: int,
) -> int:
    """Add the closest points of a level cell, which a straight riser may cross."""
    west, south = float(ix) * g.spacing[0], float(iy) * g.spacing[1]
    east, north = float(ix + 1) * g.spacing[0], float(iy + 1) * g.spacing[1]
    first, second = g.spacing[2] * corners[0], g.spacing[2] * corners[2]
    if sides == 0:
        return offer_level(out, count, buried, reach, c, wp.vec4(west, south, east, north), first, 1.0)
    x, y = (float(ix) + 0.5) * g.spacing[0], (float(iy) + 0.5) * g.spacing[1]
    here, there = wp.vec4(west, south, east, y), wp.vec4(west, y, east, north)
    wall, axis = wp.vec4(west, y, east, y), int(1)
    if sides == STRAIGHT_Y:
        here, there = wp.vec4(west, south, x, north), wp.vec4(x, south, east, north)
        wall, axis = wp.vec4(x, south, x, north), 0
    n = offer_level(out, count, buried, reach, c, here, first, 1.0)
    n = offer_level(out, n, buried, reach, c, there, second, 1.0)
    bottom, top = wp.min(first, second), wp.max(first, second)
    if c[2] < bottom and not buried:
        return n
    return offer_wall(out, n, buried, reach, c, wall, axis, wp.where(first > second, 1.0, -1.0), bottom, top)


@wp.func
def offer_walls(
    out: wp.array2d[float],
    count: int,
    buried: bool,
    reach: float,
    c: wp.vec3,
    wall: wp.vec4,
    axis: int,
    sign: float,
    solid: wp.vec3,
    free: wp.vec3,
) -> int:
    """Add the closest points of the walls where one column is solid and the other, in direction `sign`, is free."""
    n = offer_wall(out, count, buried, reach, c, wall, axis, sign, free[0], wp.min(solid[0], free[1]))
    n = offer_wall(out, n, buried, reach, c, wall, axis, sign, free[2], solid[0])
    bottom, top = wp.max(solid[1], free[0]), wp.min(solid[2], free[1])
    n = offer_wall(out, n, buried, reach, c, wall, axis, sign, bottom, top)
    return offer_wall(out, n, buried, reach, c, wall, axis, sign, wp.max(solid[1], free[2]), solid[2])


@wp.func
def offer_columns(
    out: wp.array2d[float],
    count: int,
    buried: bool,
    reach: float,
    c: wp.vec3,
    g: Ground,
    ix: int,
    iy: int,
    tops: wp.vec4,
) -> int:
    """Add the closest points of a cell, some of whose corners are plates over a hollow."""
    n = int(count)
    floors = corners_of(g, g.floor, ix, iy)
    middle_x, middle_y = (float(ix) + 0.5) * g.spacing[0], (float(iy) + 0.5) * g.spacing[1]
    for corner in range(4):
        ahead = (corner + 1) & 3
        x, y = (float(ix) + corner_x(corner)) * g.spacing[0], (float(iy) + corner_y(corner)) * g.spacing[1]
        here = column(g.spacing[2] * tops[corner], g.spacing[2] * floors[corner], g.plate)
        there = column(g.spacing[2] * tops[ahead], g.spacing[2] * floors[ahead], g.plate)
        west, south = wp.min(x, middle_x), wp.min(y, middle_y)
        east, north = wp.max(x, middle_x), wp.max(y, middle_y)
        area = wp.vec4(west, south, east, north)
        n = offer_level(out, n, buried, reach, c, area, here[2], 1.0)
        if here[0] < here[2]:
            n = offer_level(out, n, buried, reach, c, area, here[1], -1.0)
            n = offer_level(out, n, buried, reach, c, area, here[0], 1.0)
        if here[0] != there[0] or here[2] != there[2]:
            wall = wp.vec4(west, middle_y, east, middle_y)
            if (corner & 1) == 0:
                wall = wp.vec4(middle_x, south, middle_x, north)
            towards = wp.where(corner < 2, 1.0, -1.0)
            n = offer_walls(out, n, buried, reach, c, wall, corner & 1, towards, here, there)
            n = offer_walls(out, n, buried, reach, c, wall, corner & 1, -towards, there, here)
    return n


@wp.func
def offer_riser(
    out: wp.array2d[float],
    count: int,
    buried: bool,
    reach: float,
    c: wp.vec3,
    edge: wp.vec3,
    edge_beyond: wp.vec3,
    middle: wp.vec3,
    middle_beyond: wp.vec3,
) -> int:
    """Add the closest points of the wall between two pieces, from a side to the cell's middle."""
    at_edge, at_middle = edge[2] - edge_beyond[2], middle[2] - middle_beyond[2]
    first, second = middle_beyond, edge
    if at_edge * at_middle < 0.0:
        first = edge + (middle - edge) * (at_edge / (at_edge - at_middle))
        second = first
    n = offer_triangle(out, count, buried, reach, c, edge, edge_beyond, first)
    return offer_triangle(out, n, buried, reach, c, second, middle_beyond, middle)


@wp.func
def offer_quarter(
    out: wp.array2d[float],
    count: int,
    buried: bool,
    reach: float,
    c: wp.vec3,
    g: Ground,
    ix: int,
    iy: int,
    corners: wp.vec4,
    sides: int,
    corner: int,
) -> int:
    """Add the closest points of a quarter of a cell and of the wall ahead of it."""
    n = int(count)
    ahead, behind = (corner + 1) & 3, (corner + 3) & 3
    x, y = corner_x(corner), corner_y(corner)
    x_ahead, y_ahead = float(ix) + 0.5 * (x + corner_x(ahead)), float(iy) + 0.5 * (y + corner_y(ahead))
    x_behind, y_behind = float(ix) + 0.5 * (x + corner_x(behind)), float(iy) + 0.5 * (y + corner_y(behind))
    middle_x, middle_y = float(ix) + 0.5, float(iy) + 0.5
    tip = place(g, float(ix) + x, float(iy) + y, corners[corner])
    middle = place(g, middle_x, middle_y, middle_height(corners, sides, corner))
    edge = place(g, x_ahead, y_ahead, side_height(corners, sides, corner, corner))
    edge_behind = place(g, x_behind, y_behind, side_height(corners, sides, behind, corner))
    top = wp.max(wp.max(tip[2], middle[2]), wp.max(edge[2], edge_behind[2]))
    if squared_gap(g, c, float(ix) + 0.5 * x, float(iy) + 0.5 * y, 0.5, top) < reach * reach:
        n = offer_triangle(out, n, buried, reach, c, middle, tip, edge)
        n = offer_triangle(out, n, buried, reach, c, middle, edge_behind, tip)
    if has_riser(sides, corner):
        middle_beyond = place(g, middle_x, middle_y, middle_height(corners, sides, ahead))
        edge_beyond = place(g, x_ahead, y_ahead, corners[ahead])
        n = offer_riser(out, n, buried, reach, c, edge, edge_beyond, middle, middle_beyond)
    return n


@wp.func
def offer_ground(
    out: wp.array2d[float], count: int, buried: bool, reach: float, c: wp.vec3, g: Ground, ix: int, iy: int
) -> int:
    """Add the closest points of cell (ix, iy) to n candidates."""
    n = int(count)
    corners = corners_of(g, g.heights, ix, iy)
    limit = float(reach)
    if buried:
        limit = out[0, 0]
    top = g.spacing[2] * wp.max(wp.max(corners[0], corners[1]), wp.max(corners[2], corners[3]))
    if squared_gap(g, c, float(ix), float(iy), 1.0, top) >= limit * limit:
        return n
    sides = sides_of(g, ix, iy)
    if is_level(corners, sides):
        return offer_step(out, n, buried, reach, c, g, ix, iy, corners, sides)
    if sides == 0:
        near, far = place(g, float(ix), float(iy), corners[0]), place(g, float(ix + 1), float(iy + 1), corners[2])
        right, left = place(g, float(ix + 1), float(iy), corners[1]), place(g, float(ix), float(iy + 1), corners[3])
        n = offer_triangle(out, n, buried, reach, c, near, right, far)
        return offer_triangle(out, n, buried, reach, c, near, far, left)
    if (sides & HANGING) != 0:
        return offer_columns(out, n, buried, reach, c, g, ix, iy, corners)
    for corner in range(4):
        n = offer_quarter(out, n, buried, reach, c, g, ix, iy, corners, sides, corner)
    return n


@wp.func
def collide_sphere(g: Ground, c: wp.vec3, radius: float, margin: float, out: wp.array2d[float]) -> int:
    """Contacts of a sphere at c; their number."""
    dx, dy, reach = g.spacing[0], g.spacing[1], radius + margin
    west, east = int(wp.floor((c[0] - reach) / dx)), int(wp.floor((c[0] + reach) / dx))
    south, north = int(wp.floor((c[1] - reach) / dy)), int(wp.floor((c[1] + reach) / dy))
    heights = extent(g, west, east + 1, south, north + 1)
    gap = c[2] - g.spacing[2] * heights[1]
    if gap >= reach:
        return 0
    if gap > 0.0 and heights[0] == heights[1]:
        put(out, 0, gap, wp.vec3(c[0], c[1], c[2] - gap), wp.vec3(0.0, 0.0, 1.0))
        finish(out, 1, False, radius, c)
        return 1
    n, buried = int(0), bool(False)
    if gap <= 0.0:
        ground = ground_at(g, c[0], c[1])
        buried = c[2] <= ground
        if buried and g.floor.shape[0] > 0:
            below = floor_at(g, c[0], c[1])
            buried = c[2] <= below or c[2] >= ground - g.plate
            if c[2] <= below:
                ground = below
        if buried:
            put(out, 0, ground - c[2], wp.vec3(c[0], c[1], ground), wp.vec3(0.0, 0.0, 1.0))
            n = int(1)
    for iy in range(south, north + 1):
        for ix in range(west, east + 1):
            n = offer_ground(out, n, buried, reach, c, g, ix, iy)
    if not buried:
        n = select(out, n, radius)
    finish(out, n, buried, radius, c)
    return n
