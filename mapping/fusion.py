"""One cloud of points into the map, in machine code: what it says of each cell, what its rays clear, and the fusion.

Arrays of cells are flat, (n * n,); `touched` lists the cells in which points of the cloud lie.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapping.compiled import compiled
from mapping.config import Rules
from mapping.window import OUTSIDE, UNKNOWN, cell_number, kept_at

END = 2.0
"""Cells before the end of a ray, and three deviations, in which it clears nothing: there is what it has met."""
INNER = 0.35
"""Half the side, as a share of a cell's, of the square around a cell's middle that a ray must meet to clear it."""
GOLDEN = 0.6180339887498949
"""Cells by which each ray is looked at elsewhere than the one before, or all might meet but borders of cells."""
UNRELATED = 4.0
"""Times `surface`, by which an innovation says nothing about the height of the whole map: it is another surface."""


class Scratch(NamedTuple):
    """Sums over one cloud, by cell; all zero and `top` -inf between clouds."""

    top: NDArray
    """(n * n,) m, highest point."""
    weight: NDArray
    """(n * n,) 1/m^2, sum of the inverse variances of the highest surface's points."""
    weighted: NDArray
    """(n * n,) 1/m, sum of their heights times these."""
    count: NDArray
    """(n * n,) number of these points."""
    misses: NDArray
    """(n * n,) number of rays that pass below the cell's height."""
    touched: NDArray
    """(n * n,) numbers of the cells in which points lie, as many as there are."""
    missed: NDArray
    """(n * n,) numbers of the cells with misses."""


def new_scratch(n: int) -> Scratch:
    """For maps of n x n cells."""
    cells = n * n
    return Scratch(
        np.full(cells, -np.inf, np.float32),
        *(np.zeros(cells, np.float32) for _ in range(2)),
        *(np.zeros(cells, np.int32) for _ in range(4)),
    )


@compiled
def fuse(
    heights: NDArray,
    variances: NDArray,
    corner: NDArray,
    points: NDArray,
    variance: NDArray,
    origin: NDArray,
    rules: Rules,
    scratch: Scratch,
    cells: NDArray,
    turn: int,
) -> float:
    """Take points (k, 3) m with vertical variances (k,) m^2, seen from `origin` (3,) m, into the map, in place.

    `cells` (k,) is room for the points' cells, `turn` the number of the cloud: another part of the rays is followed in
    each. Returns the m by which the whole map was shifted.
    """
    n, flat, own = len(heights), heights.reshape(-1), variances.reshape(-1)
    found = bin_points(corner, n, points, variance, origin, rules, scratch, cells)
    missed = follow_rays(flat, own, corner, n, points, variance, origin, rules, scratch, cells, turn)
    clear(flat, own, missed, rules, scratch)
    common = common_innovation(flat, own, found, rules, scratch)
    shifted = rules.correction * common
    if shifted != 0.0:
        for cell in range(n * n):
            flat[cell] += shifted
    fuse_cells(flat, own, found, common - shifted, rules, scratch)
    return shifted


@compiled
def bin_points(
    corner: NDArray,
    n: int,
    points: NDArray,
    variance: NDArray,
    origin: NDArray,
    rules: Rules,
    scratch: Scratch,
    cells: NDArray,
) -> int:
    """Sum up what the cloud says of the highest surface in each cell; the number of cells in which points lie."""
    found, limit = 0, origin[2] + rules.ceiling
    for i in range(len(points)):
        cell, z = cell_number(points[i, 0], points[i, 1], rules.resolution, corner, n), points[i, 2]
        if cell != OUTSIDE and z <= limit and z > -math.inf and 0.0 < variance[i] < math.inf:
            if scratch.top[cell] == -math.inf:
                scratch.touched[found] = cell
                found += 1
            scratch.top[cell] = max(scratch.top[cell], z)
        else:
            cell = OUTSIDE
        cells[i] = cell
    for i in range(len(points)):
        cell = cells[i]
        if cell != OUTSIDE:
            below, weight = scratch.top[cell] - points[i, 2], 1.0 / variance[i]
            if below <= rules.surface or below * below * weight <= rules.gate * rules.gate * 2.0:
                scratch.weight[cell] += weight
                scratch.weighted[cell] += weight * points[i, 2]
                scratch.count[cell] += 1
    return found


@compiled
def follow_rays(
    flat: NDArray,
    own: NDArray,
    corner: NDArray,
    n: int,
    points: NDArray,
    variance: NDArray,
    origin: NDArray,
    rules: Rules,
    scratch: Scratch,
    cells: NDArray,
    turn: int,
) -> int:
    """Count for each cell the rays that pass well below its height; the number of cells with such rays.

    A ray is looked at once a cell side, as far as it lies below the highest cell of the map.
    """
    missed, highest = 0, -math.inf
    for cell in range(n * n):
        if flat[cell] > highest:
            highest = flat[cell]
    x0, y0 = origin[0] / rules.resolution - corner[0], origin[1] / rules.resolution - corner[1]
    for i in range(turn % rules.ray_stride, len(points), rules.ray_stride):
        if cells[i] == OUTSIDE:
            continue
        dx = points[i, 0] / rules.resolution - corner[0] - x0
        dy = points[i, 1] / rules.resolution - corner[1] - y0
        dz, away = points[i, 2] - origin[2], math.hypot(dx, dy)
        last = away - END - 3.0 * math.sqrt(variance[i]) / rules.resolution
        first = 0.0
        if origin[2] >= highest - rules.clearance:
            if dz >= 0.0:
                continue
            first = away * (highest - rules.clearance - origin[2]) / dz
        if not first < last:
            continue
        step_x, step_y, step_z = dx / away, dy / away, dz / away
        along = math.floor(first) + 1.0 + (i * GOLDEN) % 1.0
        while along < last:
            u, v = x0 + along * step_x, y0 + along * step_y
            if not (0.0 <= u < n and 0.0 <= v < n):
                if along > n:
                    break
                along += 1.0
                continue
            column, row = int(u), int(v)
            if abs(u - column - 0.5) <= INNER and abs(v - row - 0.5) <= INNER:
                cell, z = kept_at(column, row, corner, n), origin[2] + along * step_z
                over = flat[cell] - z - rules.clearance
                if over > 0.0 and over * over > rules.gate * rules.gate * own[cell]:
                    if scratch.misses[cell] == 0:
                        scratch.missed[missed] = cell
                        missed += 1
                    scratch.misses[cell] += 1
            along += 1.0
    return missed


@compiled
def clear(flat: NDArray, own: NDArray, missed: int, rules: Rules, scratch: Scratch) -> None:
    """Forget the cells that enough rays pass below and in which no point of the cloud lies as high."""
    for i in range(missed):
        cell = scratch.missed[i]
        if scratch.misses[cell] >= rules.clear_rays and scratch.top[cell] < flat[cell] - rules.clearance:
            flat[cell], own[cell] = UNKNOWN, 0.0
        scratch.misses[cell] = 0


@compiled
def common_innovation(flat: NDArray, own: NDArray, found: int, rules: Rules, scratch: Scratch) -> float:
    """m by which the cloud as a whole is above the map: weighted mean over the cells that both know; 0 for too few."""
    total, weights, common = 0.0, 0.0, 0
    for i in range(found):
        cell = scratch.touched[i]
        if not math.isnan(flat[cell]):
            innovation = scratch.weighted[cell] / scratch.weight[cell] - flat[cell]
            if abs(innovation) <= UNRELATED * rules.surface:
                total += innovation
                common += 1
    if rules.correction == 0.0 or common < rules.correction_cells:
        return 0.0
    mean, total, common = total / common, 0.0, 0
    for i in range(found):
        cell = scratch.touched[i]
        if not math.isnan(flat[cell]):
            innovation = scratch.weighted[cell] / scratch.weight[cell] - flat[cell]
            if abs(innovation - mean) <= rules.surface:
                weight = 1.0 / (own[cell] + 1.0 / scratch.weight[cell])
                total += weight * innovation
                weights += weight
                common += 1
    return float(total / weights) if common >= rules.correction_cells else 0.0


@compiled
def fuse_cells(flat: NDArray, own: NDArray, found: int, excess: float, rules: Rules, scratch: Scratch) -> None:
    """Let each cell take in what the cloud, less `excess` m that all of it is too high, says of it (Kalman).

    Empties the sums.
    """
    for i in range(found):
        cell = scratch.touched[i]
        noise = 1.0 / scratch.weight[cell]
        z, sure = scratch.weighted[cell] * noise - excess, scratch.count[cell] >= rules.sure_points
        scratch.top[cell], scratch.weight[cell], scratch.weighted[cell], scratch.count[cell] = -math.inf, 0.0, 0.0, 0
        if math.isnan(flat[cell]):
            flat[cell], own[cell] = z, max(noise, rules.least_variance)
            continue
        innovation, spread = z - flat[cell], own[cell] + noise
        if innovation * innovation <= rules.gate * rules.gate * spread:
            gain = own[cell] / spread
            flat[cell] += gain * innovation
            own[cell] = max((1.0 - gain) * own[cell], rules.least_variance)
        elif innovation > 0.0 and sure:
            flat[cell], own[cell] = z, max(noise, rules.least_variance)
        else:
            own[cell] = min(own[cell] + rules.outlier_variance, rules.most_variance)
