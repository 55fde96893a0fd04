"""Where a sphere touches a surface of triangles: closest points, and which of them are contacts of their own.

Points and directions are tuples (x, y, z) in m; everything compiles to machine code without allocation or Python.
"""

from __future__ import annotations

import math

from numpy.typing import NDArray

from envs.terrains.compiled import compiled, inlined

Vector = tuple[float, float, float]

MOST_CONTACTS = 50
"""Contacts that MuJoCo has room for in one pair of geoms (mjMAXCONPAIR)."""
PARALLEL = 0.95
"""Cosine between two contacts' normals above which the shallower one goes: 18 degrees, less than any friction cone."""
ABOVE = 1e-3
"""Sphere radii by which a point must lie above the tangent plane of a deeper contact to be a contact of its own."""
SIDEWAYS = -1e-6
"""Least vertical part of a triangle's normal: ground without overhangs never pushes down, and walls push sideways."""
TOUCHING = 1e-9
"""m between the sphere's centre and a surface below which their direction is taken from the surface."""
SMALLEST = 1e-24
"""m^4, the square of twice the area below which a triangle is nothing."""
DISTANCE, POINT, NORMAL, RECORD = 0, slice(1, 4), slice(4, 7), 10
"""Columns of a contact in MuJoCo's mjPreContact: dist, pos, normal, tangent; and their number."""


@compiled
def subtract(a: Vector, b: Vector) -> Vector:
    """Difference a - b."""
    return a[0] - b[0], a[1] - b[1], a[2] - b[2]


@compiled
def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@compiled
def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@compiled
def along(a: Vector, direction: Vector, length: float) -> Vector:
    """The point a + length * direction."""
    return a[0] + length * direction[0], a[1] + length * direction[1], a[2] + length * direction[2]


@compiled
def closest_point(c: Vector, p: Vector, q: Vector, r: Vector) -> Vector:
    """The point of triangle p, q, r that is closest to c, by the Voronoi region that c lies in."""
    pq, pr, pc = subtract(q, p), subtract(r, p), subtract(c, p)
    d1, d2 = dot(pq, pc), dot(pr, pc)
    if d1 <= 0.0 and d2 <= 0.0:
        return p
    qc = subtract(c, q)
    d3, d4 = dot(pq, qc), dot(pr, qc)
    if d3 >= 0.0 and d4 <= d3:
        return q
    over_r = d1 * d4 - d3 * d2
    if over_r <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        return along(p, pq, d1 / (d1 - d3))
    rc = subtract(c, r)
    d5, d6 = dot(pq, rc), dot(pr, rc)
    if d6 >= 0.0 and d5 <= d6:
        return r
    over_q = d5 * d2 - d1 * d6
    if over_q <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        return along(p, pr, d2 / (d2 - d6))
    over_p = d3 * d6 - d5 * d4
    if over_p <= 0.0 and d4 >= d3 and d5 >= d6:
        return along(q, subtract(r, q), (d4 - d3) / ((d4 - d3) + (d5 - d6)))
    share = 1.0 / (over_p + over_q + over_r)
    return along(along(p, pq, over_q * share), pr, over_r * share)


@compiled
def put(contacts: NDArray, i: int, distance: float, point: Vector, normal: Vector) -> None:
    """Write contact i."""
    contacts[i, 0] = distance
    contacts[i, 1], contacts[i, 2], contacts[i, 3] = point
    contacts[i, 4], contacts[i, 5], contacts[i, 6] = normal
    contacts[i, 7], contacts[i, 8], contacts[i, 9] = 0.0, 0.0, 0.0


@compiled
def offer_triangle(
    contacts: NDArray, n: int, buried: bool, reach: float, c: Vector, p: Vector, q: Vector, r: Vector
) -> int:
    """Add the closest point of triangle p, q, r, counter-clockwise from outside, to n candidates; their new number.

    A candidate is a distance from c within `reach`, a point and the direction out of the surface. A centre above the
    ground sees the triangles that face it, from above; of one that is buried only the closest point stays, in place 0.
    """
    face = cross(subtract(q, p), subtract(r, p))
    area, height = dot(face, face), dot(face, subtract(c, p))
    limit = contacts[0, 0] if buried else reach
    if area < SMALLEST or height * height >= limit * limit * area or (not buried and height <= 0.0):
        return n
    point = closest_point(c, p, q, r)
    out = subtract(point, c) if buried else subtract(c, point)
    squared = dot(out, out)
    if squared >= limit * limit:
        return n
    distance = math.sqrt(squared)
    if distance < TOUCHING:
        out = along((0.0, 0.0, 0.0), face, 1.0 / math.sqrt(area))
    else:
        out = along((0.0, 0.0, 0.0), out, 1.0 / distance)
    if not buried and out[2] < SIDEWAYS:
        return n
    return add(contacts, n, buried, distance, point, out)


@compiled
def offer_face(
    contacts: NDArray, n: int, buried: bool, reach: float, c: Vector, low: Vector, high: Vector, axis: int, sign: float
) -> int:
    """Add the closest point of a rectangle to n candidates, as of a triangle; their new number.

    It reaches from `low` to `high`, which are equal along its normal, coordinate `axis` in the direction `sign`.
    """
    if not buried and sign * (c[axis] - low[axis]) <= 0.0:
        return n
    limit = contacts[0, 0] if buried else reach
    point = (
        min(max(c[0], low[0]), high[0]),
        min(max(c[1], low[1]), high[1]),
        min(max(c[2], low[2]), high[2]),
    )
    out = subtract(point, c) if buried else subtract(c, point)
    squared = dot(out, out)
    if squared >= limit * limit:
        return n
    distance = math.sqrt(squared)
    if distance < TOUCHING:
        out = (sign * (axis == 0), sign * (axis == 1), sign * (axis == 2))
    else:
        out = along((0.0, 0.0, 0.0), out, 1.0 / distance)
    return add(contacts, n, buried, distance, point, out)


@inlined
def add(contacts: NDArray, n: int, buried: bool, distance: float, point: Vector, out: Vector) -> int:
    """Add a candidate to n others, in the place of the farthest if there is no other; their new number."""
    if buried:
        put(contacts, 0, distance, point, out)
        return n
    place = n if n < len(contacts) else farthest(contacts, n)
    if n < len(contacts) or distance < contacts[place, 0]:
        put(contacts, place, distance, point, out)
    return min(n + 1, len(contacts))


@compiled
def farthest(contacts: NDArray, n: int) -> int:
    """The candidate of n with the largest distance."""
    place = 0
    for i in range(1, n):
        if contacts[i, 0] > contacts[place, 0]:
            place = i
    return place


@compiled
def is_own(contacts: NDArray, i: int, k: int, radius: float) -> bool:
    """Whether candidate i is a contact besides the deeper contact k.

    It is not if their normals are parallel, or if i lies on or under the tangent plane of k: the sphere leaves such a
    point (a neighbouring triangle of the same ground, the far side of an edge) as it leaves k.
    """
    aligned = above = 0.0
    for axis in range(3):
        aligned += contacts[i, 4 + axis] * contacts[k, 4 + axis]
        above += (contacts[i, 1 + axis] - contacts[k, 1 + axis]) * contacts[k, 4 + axis]
    return aligned < PARALLEL and above > ABOVE * radius


@compiled
def move(contacts: NDArray, to: int, source: int) -> None:
    """Overwrite a candidate by another."""
    for column in range(RECORD):
        contacts[to, column] = contacts[source, column]


@compiled
def bring_deepest(contacts: NDArray, place: int, n: int) -> None:
    """Exchange the candidate in `place` with the deepest of those from there to the n-th."""
    deepest = place
    for i in range(place + 1, n):
        if contacts[i, 0] < contacts[deepest, 0]:
            deepest = i
    for column in range(RECORD):
        contacts[place, column], contacts[deepest, column] = contacts[deepest, column], contacts[place, column]


@compiled
def select(contacts: NDArray, n: int, radius: float) -> int:
    """Keep, deepest first, those of n candidates that are contacts of their own; their number."""
    kept = 0
    while kept < n:
        bring_deepest(contacts, kept, n)
        rest = kept + 1
        for i in range(kept + 1, n):
            if is_own(contacts, i, kept, radius):
                move(contacts, rest, i)
                rest += 1
        kept, n = kept + 1, rest
    return kept


@compiled
def finish(contacts: NDArray, n: int, buried: bool, radius: float, c: Vector, origin: Vector) -> None:
    """Turn candidates into contacts in the world: signed distance of the sphere, and the point midway in the overlap.

    A sphere that is wholly under the surface is pushed out as if it were just under it, so that no depth throws it.
    """
    for i in range(n):
        depth = min(contacts[i, 0], radius)
        distance = -(depth + radius) if buried else contacts[i, 0] - radius
        contacts[i, 0] = distance
        for axis in range(3):
            contacts[i, 1 + axis] = origin[axis] + c[axis] - contacts[i, 4 + axis] * (radius + 0.5 * distance)
