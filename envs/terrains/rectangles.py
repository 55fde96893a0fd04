"""Equal values of an array as few rectangles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Block = tuple[int, int, int, int]
"""First and last column of a rectangle, then first and last row."""


def rectangles(values: NDArray) -> Iterator[Block]:
    """Rectangles of equal values that make up all that is not NaN, widest along the rows."""
    growing: dict[tuple[int, int, float], int] = {}
    for iy, row in enumerate(np.vstack((values, np.full(values.shape[1], np.nan)))):
        first = np.flatnonzero(np.concatenate(([True], row[1:] != row[:-1])))
        runs = [(int(ix), int(end) - 1, float(row[ix])) for ix, end in zip(first, [*first[1:], len(row)], strict=True)]
        here = {run: growing.get(run, iy) for run in runs if not np.isnan(run[2])}
        for run, since in growing.items():
            if run not in here:
                yield run[0], run[1], since, iy - 1
        growing = here
