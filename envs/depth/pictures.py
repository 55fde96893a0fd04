"""One picture of a depth sensor in machine code: what its rays meet, what it returns of that, and its points."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.depth.compiled import compiled
from envs.depth.config import DepthConfig
from envs.depth.draws import even, normal, scrambled
from envs.depth.rays import MISSED, Ground, cast, met

PER_PIXEL = 4
"""Random numbers for each pixel of a picture."""


class Optics(NamedTuple):
    """The numbers of sensors that machine code needs, as in `Kind` and `DepthConfig`."""

    nearest: float
    """m, least range."""
    farthest: float
    """m, largest range used."""
    least: float
    """m, standard deviation along the ray at any range."""
    growth: float
    """m per m^2, standard deviation along the ray that grows with the square of the range."""
    none_below: float
    """Cosine of the angle to the ground's normal at which no pixel returns."""
    all_above: float
    """Cosine of that angle from which on all pixels return."""
    lost: float
    """Fraction of pixels that return nothing for no reason."""
    jump: float
    """m, difference of neighbouring pixels from which on there is an edge, if neither lies on the other's surface."""
    smeared: float
    """Fraction of the pixels on both sides of an edge that return something between them; 0 for lidars."""


class View(NamedTuple):
    """Where a sensor is in one picture, and where the robot takes it to be."""

    origin: NDArray
    """(3,) m, in the world."""
    rotation: NDArray
    """(3, 3) from its frame to the world."""
    believed_origin: NDArray
    """(3,) m, in the odometry's frame."""
    believed_rotation: NDArray
    """(3, 3) from its frame to the odometry's."""
    scale: float
    """Factor on its ranges."""
    capsules: NDArray
    """(c, 7) m, parts of the robot in the world, which it sees and filters out."""


def optics_of(cfg: DepthConfig) -> Optics:
    """The sensors' numbers."""
    kind = cfg.kind()
    ranges = kind.nearest, kind.farthest, kind.least, kind.growth
    return Optics(*ranges, *cfg.grazing, cfg.lost, cfg.jump, cfg.smeared if kind.smears else 0.0)


@compiled
def take(
    ground: Ground, view: View, rays: NDArray, optics: Optics, key: np.uint64, away: NDArray, points: NDArray
) -> int:
    """Points (k, 3) m in the odometry's frame of a picture with these rays (rows, columns, 3); k.

    `away` (rows, columns) is room for ranges; `points` has room for all pixels.
    """
    rows, columns = away.shape
    ray = np.empty(3)
    near = close_capsules(view, rays, optics.farthest)
    for i in range(rows):
        for j in range(columns):
            for axis in range(3):
                ray[axis] = (
                    view.rotation[axis, 0] * rays[i, j, 0]
                    + view.rotation[axis, 1] * rays[i, j, 1]
                    + view.rotation[axis, 2] * rays[i, j, 2]
                )
            distance, cosine = cast(ground, view.origin, ray, optics.farthest)
            for c in range(len(near)):
                if met(view.origin, ray, near[c], min(distance, optics.farthest)):
                    distance = MISSED
                    break
            returns = (cosine - optics.none_below) / (optics.all_above - optics.none_below)
            number = PER_PIXEL * (i * columns + j)
            if even(scrambled(key, number)) >= min(returns, 1.0) * (1.0 - optics.lost):
                distance = MISSED
            away[i, j] = distance
    found = 0
    for i in range(rows):
        for j in range(columns):
            number = PER_PIXEL * (i * columns + j)
            distance = smear(away, rays, i, j, optics, key, number)
            if not optics.nearest <= distance <= optics.farthest:
                continue
            deviation = optics.least + optics.growth * distance * distance
            distance = distance * view.scale + deviation * normal(scrambled(key, number + 1))
            for axis in range(3):
                points[found, axis] = view.believed_origin[axis] + distance * (
                    view.believed_rotation[axis, 0] * rays[i, j, 0]
                    + view.believed_rotation[axis, 1] * rays[i, j, 1]
                    + view.believed_rotation[axis, 2] * rays[i, j, 2]
                )
            found += 1
    return found


@compiled
def smear(away: NDArray, rays: NDArray, i: int, j: int, optics: Optics, key: np.uint64, number: int) -> float:
    """Range of a pixel; beside an edge, as often as the optics say, one between its own and that across the edge."""
    own = away[i, j]
    if own == MISSED or even(scrambled(key, number + 2)) >= optics.smeared:
        return own
    for di, dj in ((0, -1), (0, 1), (-1, 0), (1, 0)):
        if edge(away, rays, i, j, di, dj, optics.jump):
            return own + even(scrambled(key, number + 3)) * (away[i + di, j + dj] - own)
    return own


@compiled
def edge(away: NDArray, rays: NDArray, i: int, j: int, di: int, dj: int, jump: float) -> bool:
    """Whether there is an edge between a pixel and its neighbour in a direction.

    Their ranges differ, and neither lies on the straight line through the other and the pixel beyond that: on one
    plane all do, however far apart grazing rays meet it.
    """
    y, x = i + di, j + dj
    if not (0 <= y < away.shape[0] and 0 <= x < away.shape[1]):
        return False
    if not jump < abs(away[y, x] - away[i, j]) < math.inf:
        return False
    return jump < min(off_line(away, rays, i, j, di, dj), off_line(away, rays, y, x, -di, -dj)) < math.inf


@compiled
def off_line(away: NDArray, rays: NDArray, i: int, j: int, di: int, dj: int) -> float:
    """m from a pixel's point to the line through the points of the next two in a direction; inf without the second."""
    y, x = i + 2 * di, j + 2 * dj
    if not (0 <= y < away.shape[0] and 0 <= x < away.shape[1]) or away[y, x] == MISSED:
        return math.inf
    along, length, squared = 0.0, 0.0, 0.0
    for axis in range(3):
        start = away[i + di, j + dj] * rays[i + di, j + dj, axis]
        side, gap = away[y, x] * rays[y, x, axis] - start, away[i, j] * rays[i, j, axis] - start
        along += gap * side
        length += side * side
        squared += gap * gap
    return math.sqrt(max(squared - along * along / max(length, 1e-12), 0.0))


@compiled
def close_capsules(view: View, rays: NDArray, farthest: float) -> NDArray:
    """Parts of the robot (m, 7) that may be in a picture: not beyond its range, and in the cone of its rays."""
    rows, columns, axis = rays.shape[0], rays.shape[1], np.zeros(3)
    for i in range(rows):
        for j in range(columns):
            for part in range(3):
                axis[part] += rays[i, j, part]
    axis /= math.sqrt((axis * axis).sum())
    least = 1.0
    for i in range(rows):
        for j in range(columns):
            least = min(least, axis[0] * rays[i, j, 0] + axis[1] * rays[i, j, 1] + axis[2] * rays[i, j, 2])
    near, found = np.empty((len(view.capsules), 7)), 0
    cone = math.acos(min(max(least, -1.0), 1.0))
    for c in range(len(view.capsules)):
        capsule = view.capsules[c]
        along, squared, half = 0.0, 0.0, 0.0
        for part in range(3):
            gap = 0.5 * (capsule[part] + capsule[3 + part]) - view.origin[part]
            ahead = 0.0
            for other in range(3):
                ahead += view.rotation[part, other] * axis[other]
            along += gap * ahead
            squared += gap * gap
            half += (0.5 * (capsule[3 + part] - capsule[part])) ** 2
        reach, away = math.sqrt(half) + capsule[6], math.sqrt(squared)
        if away - reach > farthest:
            continue
        if away > reach and math.acos(min(max(along / away, -1.0), 1.0)) > cone + math.asin(reach / away):
            continue
        near[found] = capsule
        found += 1
    return near[:found]
