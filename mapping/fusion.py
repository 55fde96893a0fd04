"""One cloud of points into the map, in machine code: what it says of each cell, and the fusion.

Arrays of cells are flat, (n * n,); `touched` lists the cells in which points of the cloud lie.
"""

from __future__ import annotations

import math

from numpy.typing import NDArray

from mapping.compiled import compiled
from mapping.config import Rules
from mapping.rays import clear, follow_rays
from mapping.scratch import Scratch
from mapping.window import OUTSIDE, cell_number, first_of

UNRELATED = 4.0
"""Times `surface`, by which an innovation says nothing about the height of the whole map: it is another surface."""


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
    found, limit, first = 0, origin[2] + rules.ceiling, first_of(corner, n)
    for i in range(len(points)):
        cell, z = cell_number(points[i, 0], points[i, 1], rules.resolution, corner, first, n), points[i, 2]
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
                scratch.weighted_sum[cell] += weight * points[i, 2]
                scratch.count[cell] += 1
    return found


@compiled
def common_innovation(flat: NDArray, own: NDArray, found: int, rules: Rules, scratch: Scratch) -> float:
    """Drift estimate, m: weighted mean of cloud minus map over the cells that both know; 0 for too few."""
    total, weights, common = 0.0, 0.0, 0
    for i in range(found):
        cell = scratch.touched[i]
        if not math.isnan(flat[cell]):
            innovation = scratch.weighted_sum[cell] / scratch.weight[cell] - flat[cell]
            if abs(innovation) <= UNRELATED * rules.surface:
                total += innovation
                common += 1
    if rules.correction == 0.0 or common < rules.correction_cells:
        return 0.0
    mean, total, common = total / common, 0.0, 0
    for i in range(found):
        cell = scratch.touched[i]
        if not math.isnan(flat[cell]):
            innovation = scratch.weighted_sum[cell] / scratch.weight[cell] - flat[cell]
            if abs(innovation - mean) <= rules.surface:
                weight = 1.0 / (own[cell] + 1.0 / scratch.weight[cell])
                total += weight * innovation
                weights += weight
                common += 1
    return float(total / weights) if common >= rules.correction_cells else 0.0


@compiled
def fuse_cells(flat: NDArray, own: NDArray, found: int, excess: float, rules: Rules, scratch: Scratch) -> None:
    """Kalman update of each cell by what the cloud, less `excess` m that all of it is too high, says of it.

    Empties the sums.
    """
    for i in range(found):
        cell = scratch.touched[i]
        noise = 1.0 / scratch.weight[cell]
        z, sure = scratch.weighted_sum[cell] * noise - excess, scratch.count[cell] >= rules.sure_points
        scratch.top[cell], scratch.weight[cell], scratch.weighted_sum[cell], scratch.count[cell] = (
            -math.inf,
            0.0,
            0.0,
            0,
        )
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
