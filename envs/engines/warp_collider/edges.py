"""Where the axis of a capsule passes an edge of the ground: `envs.collider.edges` for Warp's compiler."""

import warp as wp

from envs.collider import edges
from envs.engines.warp_collider.candidates import SIDEWAYS, TOUCHING, put
from envs.engines.warp_collider.ground import Ground, solid_at

BURIED, BESIDE, LEVELS, SLACK = (
    wp.constant(value) for value in (edges.BURIED, edges.BESIDE, edges.LEVELS, edges.SLACK)
)
CROSSING = wp.constant(1e-6)
"""Square of the sine of the angle below which an axis is parallel to an edge: 1e-8 is lost in float32."""
FAR = wp.constant(1e9)
"""m, farther than any ground."""


@wp.struct
class Axis:
    """Of a capsule: its middle in m, direction, half length, radius, and radius and margin together."""

    middle: wp.vec3
    direction: wp.vec3
    half: float
    radius: float
    reach: float


@wp.func
def around(i: int) -> wp.vec2:
    """The i-th of eight directions in which an edge's surroundings are looked at."""
    angle = 0.25 * wp.pi * float(i)
    return wp.vec2(wp.cos(angle), wp.sin(angle))


@wp.func
def touch(out: wp.array2d[float], n: int, axis: Axis, t: float, gap: float, normal: wp.vec3) -> int:
    """Add the contact of the axis' point at `t` m from its middle, `gap` m (signed) from the ground."""
    if n >= out.shape[0]:
        return n
    distance = gap - axis.radius
    point = axis.middle + axis.direction * t - normal * (axis.radius + 0.5 * distance)
    put(out, n, distance, point, normal)
    return n + 1


@wp.func
def is_behind(g: Ground, axis: Axis, t: float, depth: float) -> bool:
    """Whether the axis' point at `t` m from its middle, `depth` m from an edge, is in the ground behind that edge."""
    at = axis.middle + axis.direction * t
    solid = solid_at(g, at[0], at[1])
    return depth < BURIED and (at[2] < solid[0] or (solid[1] < at[2] and at[2] < solid[2]))


@wp.func
def sticks_out(g: Ground, at: wp.vec3, normal: wp.vec3) -> bool:
    """Whether there is ground around a point of an edge, all of it behind the plane through it across `normal`."""
    sign = wp.where(normal[2] < SIDEWAYS, -1.0, 1.0)
    walled, held, falls = bool(False), bool(False), bool(False)
    for i in range(8):
        aside = BESIDE * around(i)
        solid = solid_at(g, at[0] + aside[0], at[1] + aside[1])
        level = at[2] + sign * LEVELS * BESIDE
        z = float(0.0)
        if level < solid[0] or (solid[1] < level and level < solid[2]):
            walled = True
            z = sign * BESIDE
        elif sign > 0.0:
            z = wp.where(level >= solid[2], solid[2], solid[0]) - at[2]
        else:
            z = wp.where(solid[1] < solid[2], solid[1] - at[2], -FAR)
        if wp.abs(z) > LEVELS * BESIDE:
            falls = True
        else:
            to = wp.vec3(aside[0], aside[1], z)
            rise = wp.dot(to, normal) / wp.length(to)
            if rise > SLACK:
                return False
            held = True
            if rise < -SLACK:
                falls = True
    return held and falls and not (walled and wp.abs(normal[2]) > SLACK)


@wp.func
def offer_tip(out: wp.array2d[float], n: int, axis: Axis, g: Ground, tip: wp.vec3) -> int:
    """Add the contact with an end of an edge, if it sticks out."""
    t = wp.dot(tip - axis.middle, axis.direction)
    if wp.abs(t) > axis.half:
        return n
    away = axis.middle + axis.direction * t - tip
    gap = wp.length(away)
    if gap >= axis.reach or gap < TOUCHING:
        return n
    if sticks_out(g, tip, away / gap):
        return touch(out, n, axis, t, gap, away / gap)
    return n


@wp.func
def offer_edge(out: wp.array2d[float], count: int, axis: Axis, g: Ground, p: wp.vec3, q: wp.vec3) -> int:
    """Add the contact with the edge from p to q or with one of its ends, if it sticks out."""
    n = int(count)
    side, w = q - p, axis.middle - p
    across = wp.cross(side, axis.direction)
    squared, crossing, off = wp.dot(side, side), wp.dot(across, across), wp.dot(w, across)
    parallel = crossing < CROSSING * squared
    if squared <= 0.0 or (off * off >= axis.reach * axis.reach * crossing and not parallel):
        return n
    if parallel:
        n = offer_tip(out, n, axis, g, p)
        return offer_tip(out, n, axis, g, q)
    aligned, ahead = wp.dot(side, axis.direction), wp.dot(w, axis.direction)
    share = (wp.dot(w, side) - aligned * ahead) / crossing
    if share < 0.0 or share > 1.0:
        return offer_tip(out, n, axis, g, wp.where(share > 1.0, q, p))
    t = aligned * share - ahead
    if wp.abs(t) > axis.half:
        return n
    size = 1.0 / wp.sqrt(crossing)
    normal = across * wp.where(off >= 0.0, size, -size)
    gap, at = wp.abs(off) * size, p + side * share
    if sticks_out(g, at, normal):
        return touch(out, n, axis, t, gap, normal)
    if is_behind(g, axis, t, gap) and sticks_out(g, at, -normal):
        return touch(out, n, axis, t, -gap, -normal)
    return n


@wp.func
def offer_nosing(
    out: wp.array2d[float], n: int, axis: Axis, g: Ground, start: wp.vec3, side: wp.vec3, facing: wp.vec3
) -> int:
    """Add the contact with the upper edge of a wall that faces `facing` under level ground."""
    w = axis.middle - start
    squared, aligned = wp.dot(side, side), wp.dot(side, axis.direction)
    ahead, beside = wp.dot(w, axis.direction), wp.dot(w, side)
    crossing = squared - aligned * aligned
    if crossing < CROSSING * squared:
        return n
    share = (beside - aligned * ahead) / crossing
    t = aligned * share - ahead
    if share < 0.0 or share > 1.0 or wp.abs(t) > axis.half:
        return n
    normal = wp.cross(side, axis.direction) / wp.sqrt(crossing)
    if normal[2] + wp.dot(normal, facing) <= 0.0:
        normal = -normal
    gap = wp.dot(w, normal)
    if normal[2] < SIDEWAYS or wp.dot(normal, facing) < SIDEWAYS or gap >= axis.reach:
        return n
    if gap < 0.0 and not is_behind(g, axis, t, -gap):
        return n
    return touch(out, n, axis, t, gap, normal)
