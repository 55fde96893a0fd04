"""The circular grid: a cell of the world is always in the same place of the arrays while the window moves over it.

Cell (ix, iy) of the world covers [ix, ix + 1) x [iy, iy + 1) cell sides and is kept at [iy mod n, ix mod n]; the window
holds those with corner <= (ix, iy) < corner + n.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mapping.compiled import compiled

UNKNOWN = np.float32(np.nan)
OUTSIDE = -1
"""In place of a cell's number: a point that is not in the window."""


@compiled
def first_of(corner: NDArray, n: int) -> tuple[int, int]:
    """Column and row of the arrays at which the window's corner is kept."""
    return corner[0] % n, corner[1] % n


@compiled
def cell_number(x: float, y: float, resolution: float, corner: NDArray, first: tuple[int, int], n: int) -> int:
    """Where the cell of a point is kept, row * n + column; OUTSIDE beyond the window or for what is no number."""
    u, v = x / resolution - corner[0], y / resolution - corner[1]
    if not (0.0 <= u < n and 0.0 <= v < n):
        return OUTSIDE
    return kept_at(int(u), int(v), first, n)


@compiled
def kept_at(column: int, row: int, first: tuple[int, int], n: int) -> int:
    """Number of the window's cell in this column and row, 0 <= each < n."""
    a, b = column + first[0], row + first[1]
    a, b = a - n * (a >= n), b - n * (b >= n)
    return b * n + a


@compiled
def shift(heights: NDArray, variances: NDArray, corner: NDArray, column: int, row: int) -> None:
    """Move the window (n, n) so that its corner is (column, row), in place: cells that come in are unknown."""
    n = len(heights)
    dx, dy = column - corner[0], row - corner[1]
    if abs(dx) >= n or abs(dy) >= n:
        heights[:], variances[:] = UNKNOWN, 0.0
    else:
        first = corner[0] + n if dx > 0 else column
        for i in range(abs(dx)):
            heights[:, (first + i) % n], variances[:, (first + i) % n] = UNKNOWN, 0.0
        first = corner[1] + n if dy > 0 else row
        for i in range(abs(dy)):
            heights[(first + i) % n], variances[(first + i) % n] = UNKNOWN, 0.0
    corner[0], corner[1] = column, row


@compiled
def grow(variances: NDArray, added: float, most: float) -> None:
    """Process noise: add to all variances (n, n), in place, up to `most`."""
    flat = variances.reshape(-1)
    for i in range(len(flat)):
        flat[i] = min(flat[i] + added, most)


@compiled
def sample(
    heights: NDArray, corner: NDArray, resolution: float, smooth: float, reach: int, xy: NDArray, out: NDArray
) -> None:
    """Heights at points (k, 2) m: interpolated between four cells without an edge, else of the point's own cell.

    Unknown cells that lie within `reach` cells between known ones are filled.
    """
    n, flat = len(heights), heights.reshape(-1)
    first = first_of(corner, n)
    for i in range(len(xy)):
        u, v = xy[i, 0] / resolution - corner[0], xy[i, 1] / resolution - corner[1]
        if not (0.0 <= u < n and 0.0 <= v < n):
            out[i] = UNKNOWN
            continue
        column, row = int(u), int(v)
        own = flat[kept_at(column, row, first, n)]
        if math.isnan(own):
            out[i] = between(flat, first, n, column, row, reach, smooth) if reach > 0 else own
            continue
        west, south = math.floor(u - 0.5), math.floor(v - 0.5)
        if west < 0 or south < 0 or west + 1 >= n or south + 1 >= n:
            out[i] = own
            continue
        a, b = flat[kept_at(west, south, first, n)], flat[kept_at(west + 1, south, first, n)]
        c, d = flat[kept_at(west, south + 1, first, n)], flat[kept_at(west + 1, south + 1, first, n)]
        if max(a, b, c, d) - min(a, b, c, d) <= smooth and not math.isnan(a + b + c + d):
            right, up = u - 0.5 - west, v - 0.5 - south
            out[i] = (1 - up) * ((1 - right) * a + right * b) + up * ((1 - right) * c + right * d)
        else:
            out[i] = own


@compiled
def between(flat: NDArray, first: tuple[int, int], n: int, column: int, row: int, reach: int, smooth: float) -> float:
    """Height of an unknown cell on the shortest line, out of four, between two known cells; NaN if none is so short.

    Their mean, or where there is an edge between them the lower one: what a sensor cannot see lies behind the higher.
    """
    best, height = reach + 1, math.nan
    for dx, dy in ((1, 0), (0, 1), (1, 1), (1, -1)):
        ahead, far = known(flat, first, n, column, row, dx, dy, best - 1)
        back, near = known(flat, first, n, column, row, -dx, -dy, best - ahead)
        if ahead + back <= best and not math.isnan(far + near):
            best = ahead + back - 1
            height = 0.5 * (far + near) if abs(far - near) <= smooth else min(far, near)
    return height


@compiled
def known(
    flat: NDArray, first: tuple[int, int], n: int, column: int, row: int, dx: int, dy: int, most: int
) -> tuple[int, float]:
    """Cells until the first known one in a direction, and its height; NaN if there is none within `most`."""
    for away in range(1, most + 1):
        at_x, at_y = column + away * dx, row + away * dy
        if not (0 <= at_x < n and 0 <= at_y < n):
            break
        height = flat[kept_at(at_x, at_y, first, n)]
        if not math.isnan(height):
            return away, height
    return most + 1, math.nan
