"""The ground of `envs.terrains.cells` and `envs.collider.overhangs` for Warp's compiler, in single precision.

Lengths are relative to the corner of a cell near the shape that is looked at and to the ground's height there, so that
float32 adds less than 1e-7 m to what it loses of the shape's place in the world: 4e-6 m at 100 m, 2e-7 m at 5 m.
"""

import warp as wp

from envs.collider.level import ALONG_X, ALONG_Y
from envs.terrains.cells import OVERHUNG
from envs.terrains.grid import COVERED, RISER_X, RISER_Y

AT_RISER_X, AT_RISER_Y, AT_COVERED = (wp.constant(int(bit)) for bit in (RISER_X, RISER_Y, COVERED))
HANGING, STRAIGHT_X, STRAIGHT_Y = (wp.constant(int(bits)) for bits in (OVERHUNG, ALONG_X, ALONG_Y))


@wp.struct
class Ground:
    """A heightfield, and the cell and stored height that lengths are relative to."""

    heights: wp.array2d[float]
    risers: wp.array2d[wp.uint8]
    floor: wp.array2d[float]
    plate: float
    spacing: wp.vec3
    first_x: int
    first_y: int
    base: float


@wp.func
def stored_height(g: Ground, x: int, y: int) -> float:
    """Height as stored of the sample nearest to sample (x, y) of the whole field."""
    rows, columns = g.heights.shape[0], g.heights.shape[1]
    return g.heights[wp.clamp(y, 0, rows - 1), wp.clamp(x, 0, columns - 1)]


@wp.func
def corner_x(corner: int) -> float:
    """Where a cell's corner is in it along x."""
    return wp.where(corner == 1 or corner == 2, 1.0, 0.0)


@wp.func
def corner_y(corner: int) -> float:
    """The same along y."""
    return wp.where(corner >= 2, 1.0, 0.0)


@wp.func
def corners_of(g: Ground, values: wp.array2d[float], ix: int, iy: int) -> wp.vec4:
    """Heights over the base at the corners of cell (ix, iy), counted from the first cell; beyond the map its edge's."""
    rows, columns = values.shape[0], values.shape[1]
    x, y = ix + g.first_x, iy + g.first_y
    west, east = wp.clamp(x, 0, columns - 1), wp.clamp(x + 1, 0, columns - 1)
    south, north = wp.clamp(y, 0, rows - 1), wp.clamp(y + 1, 0, rows - 1)
    corners = wp.vec4(values[south, west], values[south, east], values[north, east], values[north, west])
    return corners - wp.vec4(g.base)


@wp.func
def sides_of(g: Ground, ix: int, iy: int) -> int:
    """The sides of cell (ix, iy) that risers cross, and HANGING."""
    rows, columns = g.risers.shape[0], g.risers.shape[1]
    if rows == 0:
        return 0
    x, y = ix + g.first_x, iy + g.first_y
    west, east = wp.clamp(x, 0, columns - 1), wp.clamp(x + 1, 0, columns - 1)
    south, north = wp.clamp(y, 0, rows - 1), wp.clamp(y + 1, 0, rows - 1)
    here = int(g.risers[south, west])
    sides = int(0)
    if here & AT_COVERED:
        sides = HANGING | 15
    if west < east:
        sides = sides | (here & AT_RISER_X) | ((int(g.risers[north, west]) & AT_RISER_X) << 2)
    if south < north:
        sides = sides | (int(g.risers[south, east]) & AT_RISER_Y) | ((here & AT_RISER_Y) << 2)
    return sides


@wp.func
def has_riser(sides: int, side: int) -> bool:
    """Whether a riser crosses a side, numbered modulo 4."""
    return ((sides >> (side & 3)) & 1) == 1


@wp.func
def is_level(corners: wp.vec4, sides: int) -> bool:
    """Whether a cell is one level piece, or two on either side of a straight riser."""
    across = corners[0] == corners[1] and corners[3] == corners[2]
    up = corners[0] == corners[3]
    if sides == 0:
        return across and up
    if sides == STRAIGHT_X:
        return across
    return sides == STRAIGHT_Y and up and corners[1] == corners[2]


@wp.func
def middle_height(corners: wp.vec4, sides: int, corner: int) -> float:
    """Height in the cell's middle of the piece that a corner belongs to."""
    if (sides & (sides - 1)) == 0:
        return 0.25 * (corners[0] + corners[1] + corners[2] + corners[3])
    ahead, behind = not has_riser(sides, corner), not has_riser(sides, corner + 3)
    opposite = (ahead and not has_riser(sides, corner + 1)) or (behind and not has_riser(sides, corner + 2))
    total, count = float(corners[corner]), float(1.0)
    if ahead:
        total += corners[(corner + 1) & 3]
        count += 1.0
    if behind:
        total += corners[(corner + 3) & 3]
        count += 1.0
    if opposite:
        total += corners[(corner + 2) & 3]
        count += 1.0
    return total / count


@wp.func
def side_height(corners: wp.vec4, sides: int, side: int, corner: int) -> float:
    """Height in the middle of a side of the piece that one of its corners belongs to."""
    if has_riser(sides, side):
        return corners[corner]
    return 0.5 * (corners[side] + corners[(side + 1) & 3])


@wp.func
def height_in_cell(corners: wp.vec4, sides: int, u: float, v: float) -> float:
    """Height at (u, v) in [0, 1]^2 of a cell; on a riser that of the larger u or v."""
    if sides == 0:
        along = wp.vec2(corners[2] - corners[3], corners[3] - corners[0])
        if u > v:
            along = wp.vec2(corners[1] - corners[0], corners[2] - corners[1])
        return corners[0] + along[0] * u + along[1] * v
    corner, side_x, side_y = int(0), int(0), int(3)
    if u >= 0.5:
        corner, side_x, side_y = 1, 0, 1
        if v >= 0.5:
            corner, side_x, side_y = 2, 2, 1
    elif v >= 0.5:
        corner, side_x, side_y = 3, 2, 3
    to_x, to_y = wp.abs(2.0 * u - 1.0), wp.abs(2.0 * v - 1.0)
    middle = middle_height(corners, sides, corner)
    if to_y >= to_x:
        side = side_height(corners, sides, side_x, corner)
        return middle + (side - middle) * to_y + (corners[corner] - side) * to_x
    side = side_height(corners, sides, side_y, corner)
    return middle + (side - middle) * to_x + (corners[corner] - side) * to_y


@wp.func
def ground_at(g: Ground, x: float, y: float) -> float:
    """Height in m of the ground's top at (x, y) m."""
    u, v = x / g.spacing[0], y / g.spacing[1]
    ix, iy = int(wp.floor(u)), int(wp.floor(v))
    corners = corners_of(g, g.heights, ix, iy)
    return g.spacing[2] * height_in_cell(corners, sides_of(g, ix, iy), u - float(ix), v - float(iy))


@wp.func
def floor_at(g: Ground, x: float, y: float) -> float:
    """Height in m of the lower ground at (x, y) m: of the ground, where nothing overhangs."""
    u, v = x / g.spacing[0], y / g.spacing[1]
    ix, iy = int(wp.floor(u)), int(wp.floor(v))
    sides = sides_of(g, ix, iy)
    if (sides & HANGING) == 0:
        return ground_at(g, x, y)
    corners = corners_of(g, g.floor, ix, iy)
    return g.spacing[2] * height_in_cell(corners, sides, u - float(ix), v - float(iy))


@wp.func
def column(top: float, floor: float, plate: float) -> wp.vec3:
    """The solid parts under a sample of these heights in m: up to the first, and from the second to the third."""
    return wp.vec3(floor, wp.where(floor < top, top - plate, top), top)


@wp.func
def solid_at(g: Ground, x: float, y: float) -> wp.vec3:
    """Heights in m at (x, y) m: the ground is solid up to the first, and from the second to the third."""
    top = ground_at(g, x, y)
    if g.floor.shape[0] == 0:
        return wp.vec3(top, top, top)
    return column(top, floor_at(g, x, y), g.plate)


@wp.func
def extent(g: Ground, west: int, east: int, south: int, north: int) -> wp.vec2:
    """Least and largest height over the base of the samples in a window, ends included."""
    rows, columns = g.heights.shape[0], g.heights.shape[1]
    first_x, last_x = wp.clamp(west + g.first_x, 0, columns - 1), wp.clamp(east + g.first_x, 0, columns - 1)
    first_y, last_y = wp.clamp(south + g.first_y, 0, rows - 1), wp.clamp(north + g.first_y, 0, rows - 1)
    low, high = float(g.heights[first_y, first_x]), float(g.heights[first_y, first_x])
    for iy in range(first_y, last_y + 1):
        for ix in range(first_x, last_x + 1):
            low, high = wp.min(low, g.heights[iy, ix]), wp.max(high, g.heights[iy, ix])
    return wp.vec2(low - g.base, high - g.base)


@wp.func
def place(g: Ground, x: float, y: float, height: float) -> wp.vec3:
    """The point in m of sample coordinates and a height over the base."""
    return wp.vec3(x * g.spacing[0], y * g.spacing[1], height * g.spacing[2])


@wp.func
def squared_gap(g: Ground, c: wp.vec3, x: float, y: float, side: float, top: float) -> float:
    """Square of the distance in m from c to the box over `side` spacings from (x, y) on, and under `top` m."""
    gap = wp.vec3(
        wp.max(wp.max(x * g.spacing[0] - c[0], c[0] - (x + side) * g.spacing[0]), 0.0),
        wp.max(wp.max(y * g.spacing[1] - c[1], c[1] - (y + side) * g.spacing[1]), 0.0),
        wp.max(c[2] - top, 0.0),
    )
    return wp.dot(gap, gap)
