"""Where the axis of a capsule passes an edge of the ground: what touches a capsule between its ends.

Over a face or in a corner a capsule touches with its ends, as spheres do. Between them only edges and tips can touch
that stick out: those whose surroundings all lie behind the plane through the edge or tip across the contact.
"""

from __future__ import annotations

import math

from numpy.typing import NDArray

from envs.collider.geometry import TOUCHING, Vector, along, cross, dot, put, subtract
from envs.collider.overhangs import column, floor_at
from envs.terrains.cells import height_at
from envs.terrains.compiled import compiled

Axis = tuple[Vector, Vector, float, float, float]
"""Of a capsule: its middle in m, its direction, half its length in m, its radius, and radius and margin together."""
Ground = tuple[NDArray, NDArray, NDArray, float, Vector]
"""Heights, risers and lower ground (ny, nx), m of a plate's thickness, and m between samples and per unit of height."""

BURIED = 0.02
"""m that an axis may lie behind an edge and still be pushed back over it: half a plate's thickness (PLATE)."""
BESIDE = 2e-4
"""m beside an edge where its surroundings are looked at."""
LEVELS = 8.0
"""Height or depth in units of BESIDE from which the ground beside an edge is a wall, or does not matter."""
SLACK = 0.003
"""Sine of the angle from the plane across the contact from which ground beside an edge rises or falls."""
CROSSING = 1e-8
"""Square of the sine of the angle between axis and edge below which they are parallel."""
EIGHTH = math.sqrt(0.5)
SIDES_X = (1.0, EIGHTH, 0.0, -EIGHTH, -1.0, -EIGHTH, 0.0, EIGHTH)
SIDES_Y = (0.0, EIGHTH, 1.0, EIGHTH, 0.0, -EIGHTH, -1.0, -EIGHTH)
"""Directions in which surroundings are looked at."""


@compiled
def touch(contacts: NDArray, n: int, axis: Axis, t: float, gap: float, normal: Vector) -> int:
    """Add the contact of the axis' point at `t` m from its middle, `gap` m (signed) from the ground; the new number."""
    if n >= len(contacts):
        return n
    middle, direction, _, radius, _ = axis
    distance = gap - radius
    put(contacts, n, distance, along(along(middle, direction, t), normal, -radius - 0.5 * distance), normal)
    return n + 1


@compiled
def offer_nosing(
    contacts: NDArray, n: int, axis: Axis, ground: Ground, start: Vector, side: Vector, out: Vector
) -> int:
    """Add the contact with the upper edge, from `start` on along `side`, of a wall that faces `out` under level ground.

    The edge goes on beyond its ends: only what is between them is looked at.
    """
    middle, direction, half, _, reach = axis
    w = subtract(middle, start)
    squared, aligned, ahead, beside = dot(side, side), dot(side, direction), dot(w, direction), dot(w, side)
    crossing = squared - aligned * aligned
    if crossing < CROSSING * squared:
        return n
    share = (beside - aligned * ahead) / crossing
    t = aligned * share - ahead
    if share < 0.0 or share > 1.0 or abs(t) > half:
        return n
    normal, size = cross(side, direction), 1.0 / math.sqrt(crossing)
    normal = along((0.0, 0.0, 0.0), normal, size if normal[2] + dot(normal, out) > 0.0 else -size)
    gap = dot(w, normal)
    if normal[2] < -TOUCHING or dot(normal, out) < -TOUCHING or gap >= reach:
        return n
    if gap < 0.0 and not is_behind(ground, axis, t, -gap):
        return n
    return touch(contacts, n, axis, t, gap, normal)


@compiled
def offer_edge(contacts: NDArray, n: int, axis: Axis, ground: Ground, p: Vector, q: Vector) -> int:
    """Add the contact with the edge from p to q or with one of its ends, if it sticks out."""
    middle, direction, half, _, reach = axis
    side, w = subtract(q, p), subtract(middle, p)
    across = cross(side, direction)
    squared, crossing, off = dot(side, side), dot(across, across), dot(w, across)
    parallel = crossing < CROSSING * squared
    if squared <= 0.0 or (off * off >= reach * reach * crossing and not parallel):
        return n
    if parallel:
        return offer_tip(contacts, offer_tip(contacts, n, axis, ground, p), axis, ground, q)
    aligned, ahead = dot(side, direction), dot(w, direction)
    share = (dot(w, side) - aligned * ahead) / crossing
    if share < 0.0 or share > 1.0:
        return offer_tip(contacts, n, axis, ground, q if share > 1.0 else p)
    t = aligned * share - ahead
    if abs(t) > half:
        return n
    size = 1.0 / math.sqrt(crossing)
    normal = along((0.0, 0.0, 0.0), across, size if off >= 0.0 else -size)
    gap, at = abs(off) * size, along(p, side, share)
    if sticks_out(ground, at, normal):
        return touch(contacts, n, axis, t, gap, normal)
    inwards = along((0.0, 0.0, 0.0), normal, -1.0)
    if is_behind(ground, axis, t, gap) and sticks_out(ground, at, inwards):
        return touch(contacts, n, axis, t, -gap, inwards)
    return n


@compiled
def offer_tip(contacts: NDArray, n: int, axis: Axis, ground: Ground, tip: Vector) -> int:
    """Add the contact with an end of an edge, if it sticks out."""
    middle, direction, half, _, reach = axis
    t = dot(subtract(tip, middle), direction)
    if abs(t) > half:
        return n
    out = subtract(along(middle, direction, t), tip)
    gap = math.sqrt(dot(out, out))
    if gap >= reach or gap < TOUCHING:
        return n
    normal = along((0.0, 0.0, 0.0), out, 1.0 / gap)
    return touch(contacts, n, axis, t, gap, normal) if sticks_out(ground, tip, normal) else n


@compiled
def sticks_out(ground: Ground, at: Vector, normal: Vector) -> bool:
    """Whether there is ground around a point of an edge, all of it behind the plane through it across `normal`.

    Where none of it falls away from that plane, the edge lies in level or sloping ground, and ends alone touch that.
    Seen from the side that the normal points to, up or down, ground is solid (a wall that goes on there), or begins
    at its top or underside, or is far away.
    """
    sign, walled, solid, falls = -1.0 if normal[2] < -TOUCHING else 1.0, False, False, False
    for i in range(8):
        x, y = BESIDE * SIDES_X[i], BESIDE * SIDES_Y[i]
        low, bottom, top = solid_at(ground, at[0] + x, at[1] + y)
        level = at[2] + sign * LEVELS * BESIDE
        if level < low or bottom < level < top:
            walled, z = True, sign * BESIDE
        elif sign > 0.0:
            z = (top if level >= top else low) - at[2]
        else:
            z = bottom - at[2] if bottom < top else -math.inf
        if abs(z) > LEVELS * BESIDE:
            falls = True
            continue
        rise = (x * normal[0] + y * normal[1] + z * normal[2]) / math.sqrt(x * x + y * y + z * z)
        if rise > SLACK:
            return False
        solid, falls = True, falls or rise < -SLACK
    return solid and falls and not (walled and abs(normal[2]) > SLACK)


@compiled
def solid_at(ground: Ground, x: float, y: float) -> Vector:
    """Heights in m at (x, y): the ground is solid up to the first, and from the second to the third."""
    heights, risers, floor, plate, spacing = ground
    top = spacing[2] * height_at(heights, risers, x / spacing[0], y / spacing[1])
    if floor.shape[0] == 0:
        return top, top, top
    return column(top, spacing[2] * floor_at(heights, floor, risers, x / spacing[0], y / spacing[1]), plate)


@compiled
def is_behind(ground: Ground, axis: Axis, t: float, depth: float) -> bool:
    """Whether the axis' point at `t` m from its middle, `depth` m from an edge, is in the ground behind that edge."""
    x, y, z = along(axis[0], axis[1], t)
    low, bottom, top = solid_at(ground, x, y)
    return depth < BURIED and (z < low or bottom < z < top)
