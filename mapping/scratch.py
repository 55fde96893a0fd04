"""Room for what one cloud says, before it goes into the map."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mapping.blocks import blocks_along


class Scratch(NamedTuple):
    """Sums over one cloud, by cell; all zero and `top` -inf between clouds."""

    top: NDArray
    """(n * n,) m, highest point."""
    weight: NDArray
    """(n * n,) 1/m^2, sum of the inverse variances of the highest surface's points."""
    weighted_sum: NDArray
    """(n * n,) 1/m, sum of these points' heights, each times its inverse variance."""
    count: NDArray
    """(n * n,) number of these points."""
    misses: NDArray
    """(n * n,) number of rays that pass below the cell's height."""
    touched: NDArray
    """(n * n,) numbers of the cells in which points lie, as many as there are."""
    missed: NDArray
    """(n * n,) numbers of the cells with misses."""
    blocks: NDArray
    """(b * b,) m, highest cell of each block of the map before the cloud."""


def new_scratch(n: int) -> Scratch:
    """For maps of n x n cells."""
    cells = n * n
    weight, weighted_sum = np.zeros((2, cells), np.float32)
    count, misses, touched, missed = np.zeros((4, cells), np.int32)
    top, blocks = np.full(cells, -np.inf, np.float32), np.zeros(blocks_along(n) ** 2, np.float32)
    return Scratch(top, weight, weighted_sum, count, misses, touched, missed, blocks)
