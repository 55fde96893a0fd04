"""The shapes that machine code relies on: it reads arrays without looking at their bounds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def rows(values: ArrayLike, width: int, what: str) -> NDArray[np.float64]:
    """Values (k, width); a ValueError that names `what` for any other shape."""
    array = np.ascontiguousarray(values, np.float64)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"{what} are (k, {width}), not {array.shape}.")
    return array


def cloud(points_w: ArrayLike, origin_w: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (k, 3) m and the place (3,) m that they are seen from; a ValueError for any other shapes."""
    points, origin = np.ascontiguousarray(points_w, np.float64), np.asarray(origin_w, np.float64)
    if points.ndim != 2 or points.shape[1] != 3 or origin.shape != (3,):
        raise ValueError(f"A cloud is points (k, 3) seen from (3,), not {points.shape} from {origin.shape}.")
    return points, origin
