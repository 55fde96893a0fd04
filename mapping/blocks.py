"""Blocks of a map's arrays, with their highest cells: a ray that stays above one is past it at once."""

from __future__ import annotations

import math

from numpy.typing import NDArray

from mapping.compiled import compiled

BLOCK = 8
"""Cells along a block's side."""


@compiled
def blocks_along(n: int) -> int:
    """Blocks along a side of a map of n x n cells."""
    return (n + BLOCK - 1) // BLOCK


@compiled
def highest_in_blocks(flat: NDArray, n: int, blocks: NDArray) -> float:
    """Highest cell in m of each block into `blocks` (b * b,); the highest of all, -inf where nothing is known."""
    side, highest = blocks_along(n), -math.inf
    blocks[:] = -math.inf
    for row in range(n):
        for column in range(side):
            start, top = row * n + column * BLOCK, blocks[row // BLOCK * side + column]
            for cell in range(start, min(start + BLOCK, (row + 1) * n)):
                if flat[cell] > top:
                    top = flat[cell]
            blocks[row // BLOCK * side + column] = top
    for block in range(side * side):
        highest = max(highest, blocks[block])
    return highest


@compiled
def block_of(column: int, row: int, first: tuple[int, int], n: int) -> int:
    """Number of the block of the window's cell in this column and row."""
    a, b = column + first[0], row + first[1]
    a, b = a - n * (a >= n), b - n * (b >= n)
    return b // BLOCK * blocks_along(n) + a // BLOCK


@compiled
def until_border(at: float, first: int, step: float, n: int) -> float:
    """Cell sides of a ray's way until it leaves its block, or the window, on one axis; inf if it stays.

    It is `at` cells from the window's corner, which is kept at `first`, and goes `step` cells on the axis for each.
    """
    cell = int(at)
    place = cell + first - n * (cell + first >= n)
    low = cell - place % BLOCK
    if step > 0.0:
        return (min(low + BLOCK, cell + n - place, n) - at) / step
    return (max(low, 0) - at) / step if step < 0.0 else math.inf
