"""What feet say of the ground that they stand on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mapping.compiled import compiled
from mapping.window import OUTSIDE, cell_number, first_of, kept_at


@compiled
def contact_error(heights: NDArray, corner: NDArray, soles: NDArray, resolution: float, largest: float) -> float:
    """Median m by which soles (k, 3) m are above the map, of those within `largest` m of it; 0 without any."""
    n, flat, errors, found = len(heights), heights.reshape(-1), np.empty(len(soles)), 0
    first = first_of(corner, n)
    for i in range(len(soles)):
        cell = cell_number(soles[i, 0], soles[i, 1], resolution, corner, first, n)
        if cell != OUTSIDE and abs(soles[i, 2] - flat[cell]) <= largest:
            errors[found] = soles[i, 2] - flat[cell]
            found += 1
    return float(np.median(errors[:found])) if found else 0.0


@compiled
def stamp(
    heights: NDArray,
    variances: NDArray,
    corner: NDArray,
    soles: NDArray,
    resolution: float,
    radius: float,
    variance: float,
) -> None:
    """Give unknown cells within `radius` m of a sole (k, 3) m its height, in place; of the nearest one that stands."""
    n, reach = len(heights), int(math.ceil(radius / resolution))
    flat, own = heights.reshape(-1), variances.reshape(-1)
    first, nearest = first_of(corner, n), np.full(n * n, np.inf, np.float32)
    for i in range(len(soles)):
        cell = cell_number(soles[i, 0], soles[i, 1], resolution, corner, first, n)
        if cell == OUTSIDE or not abs(soles[i, 2]) < math.inf:
            continue
        u, v = soles[i, 0] / resolution - corner[0], soles[i, 1] / resolution - corner[1]
        for row in range(max(int(v) - reach, 0), min(int(v) + reach, n - 1) + 1):
            for column in range(max(int(u) - reach, 0), min(int(u) + reach, n - 1) + 1):
                away = math.hypot(column + 0.5 - u, row + 0.5 - v) * resolution
                cell = kept_at(column, row, first, n)
                if away <= radius and away < nearest[cell] and (math.isnan(flat[cell]) or nearest[cell] < math.inf):
                    flat[cell], own[cell], nearest[cell] = soles[i, 2], variance, away
