"""Where a sphere touches triangles and rectangles: `envs.collider.geometry` for Warp's compiler.

A candidate is a row of `out`: distance, point, direction out of the surface, all in m.
"""

import warp as wp

from envs.collider import geometry

FACING, ABOVE = wp.constant(geometry.PARALLEL), wp.constant(geometry.ABOVE)
TOUCHING, SIDEWAYS, SMALLEST = wp.constant(1e-6), wp.constant(-1e-3), wp.constant(1e-18)
"""What `geometry` has in float64: 1e-9 m, -1e-6 and 1e-24 m^4. float32 rounds a closest point by some 3e-8 m, which
turns its direction by 1e-6 when it is 0.03 m away, by 1e-3 when it is 3e-5 m away: walls would not count as walls."""
COLUMNS = wp.constant(7)


@wp.func
def normal_of(out: wp.array2d[float], i: int) -> wp.vec3:
    """Direction of candidate i."""
    return wp.vec3(out[i, 4], out[i, 5], out[i, 6])


@wp.func
def point_of(out: wp.array2d[float], i: int) -> wp.vec3:
    """Point of candidate i, m."""
    return wp.vec3(out[i, 1], out[i, 2], out[i, 3])


@wp.func
def put(out: wp.array2d[float], i: int, distance: float, point: wp.vec3, normal: wp.vec3):
    """Write candidate i."""
    out[i, 0] = distance
    for axis in range(3):
        out[i, 1 + axis] = point[axis]
        out[i, 4 + axis] = normal[axis]


@wp.func
def move(out: wp.array2d[float], to: int, source: int):
    """Overwrite a candidate by another."""
    for k in range(COLUMNS):
        out[to, k] = out[source, k]


@wp.func
def bring_deepest(out: wp.array2d[float], place: int, n: int):
    """Exchange the candidate in `place` with the deepest of those from there to the n-th."""
    deepest = int(place)
    for i in range(place + 1, n):
        if out[i, 0] < out[deepest, 0]:
            deepest = i
    for k in range(COLUMNS):
        kept = float(out[place, k])
        out[place, k] = out[deepest, k]
        out[deepest, k] = kept


@wp.func
def add(out: wp.array2d[float], n: int, buried: bool, distance: float, point: wp.vec3, normal: wp.vec3) -> int:
    """Add a candidate to n others, in the place of the farthest if there is no other; their new number."""
    room = out.shape[0]
    if buried:
        put(out, 0, distance, point, normal)
        return n
    if n < room:
        put(out, n, distance, point, normal)
        return n + 1
    at = int(0)
    for i in range(1, room):
        if out[i, 0] > out[at, 0]:
            at = i
    if distance < out[at, 0]:
        put(out, at, distance, point, normal)
    return room


@wp.func
def closest_point(c: wp.vec3, p: wp.vec3, q: wp.vec3, r: wp.vec3) -> wp.vec3:
    """The point of triangle p, q, r that is closest to c, by the Voronoi region that c lies in."""
    pq, pr, pc = q - p, r - p, c - p
    d1, d2 = wp.dot(pq, pc), wp.dot(pr, pc)
    if d1 <= 0.0 and d2 <= 0.0:
        return p
    qc = c - q
    d3, d4 = wp.dot(pq, qc), wp.dot(pr, qc)
    if d3 >= 0.0 and d4 <= d3:
        return q
    over_r = d1 * d4 - d3 * d2
    if over_r <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        return p + pq * (d1 / (d1 - d3))
    rc = c - r
    d5, d6 = wp.dot(pq, rc), wp.dot(pr, rc)
    if d6 >= 0.0 and d5 <= d6:
        return r
    over_q = d5 * d2 - d1 * d6
    if over_q <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        return p + pr * (d2 / (d2 - d6))
    over_p = d3 * d6 - d5 * d4
    if over_p <= 0.0 and d4 >= d3 and d5 >= d6:
        return q + (r - q) * ((d4 - d3) / ((d4 - d3) + (d5 - d6)))
    share = 1.0 / (over_p + over_q + over_r)
    return p + pq * (over_q * share) + pr * (over_r * share)


@wp.func
def offer_triangle(
    out: wp.array2d[float], n: int, buried: bool, reach: float, c: wp.vec3, p: wp.vec3, q: wp.vec3, r: wp.vec3
) -> int:
    """Add the closest point of triangle p, q, r, counter-clockwise from outside, to n candidates; their new number."""
    face = wp.cross(q - p, r - p)
    area, height = wp.dot(face, face), wp.dot(face, c - p)
    limit = float(reach)
    if buried:
        limit = out[0, 0]
    if area < SMALLEST or height * height >= limit * limit * area or (not buried and height <= 0.0):
        return n
    point = closest_point(c, p, q, r)
    away = c - point
    if buried:
        away = point - c
    distance = wp.length(away)
    if distance >= limit:
        return n
    if distance < TOUCHING:
        away = face / wp.sqrt(area)
    else:
        away = away / distance
    if not buried and away[2] < SIDEWAYS:
        return n
    return add(out, n, buried, distance, point, away)


@wp.func
def offer_face(
    out: wp.array2d[float],
    n: int,
    buried: bool,
    reach: float,
    c: wp.vec3,
    low: wp.vec3,
    high: wp.vec3,
    axis: int,
    sign: float,
) -> int:
    """Add the closest point of a rectangle that faces along `axis`, in the direction `sign`, to n candidates."""
    if not buried and sign * (c[axis] - low[axis]) <= 0.0:
        return n
    limit = float(reach)
    if buried:
        limit = out[0, 0]
    point = wp.min(wp.max(c, low), high)
    away = c - point
    if buried:
        away = point - c
    distance = wp.length(away)
    if distance >= limit:
        return n
    if distance < TOUCHING:
        away = wp.vec3(0.0, 0.0, 0.0)
        away[axis] = sign
    else:
        away = away / distance
    return add(out, n, buried, distance, point, away)


@wp.func
def select(out: wp.array2d[float], count: int, radius: float) -> int:
    """Keep, deepest first, those of the candidates that are contacts of their own; their number."""
    kept, n = int(0), int(count)
    while kept < n:
        bring_deepest(out, kept, n)
        rest = int(kept + 1)
        normal, point = normal_of(out, kept), point_of(out, kept)
        for i in range(kept + 1, n):
            above = wp.dot(point_of(out, i) - point, normal)
            if wp.dot(normal_of(out, i), normal) < FACING and above > ABOVE * radius:
                move(out, rest, i)
                rest += 1
        kept += 1
        n = rest
    return kept


@wp.func
def finish(out: wp.array2d[float], n: int, buried: bool, radius: float, c: wp.vec3):
    """Turn candidates into contacts: signed distance of the sphere, and the point midway in the overlap."""
    for i in range(n):
        distance = out[i, 0] - radius
        if buried:
            distance = -(wp.min(out[i, 0], radius) + radius)
        put(out, i, distance, c - normal_of(out, i) * (radius + 0.5 * distance), normal_of(out, i))
