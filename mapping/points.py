"""Clouds of points before they go into a map: how exact they are, and which of them are the robot itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapping import shapes
from mapping.compiled import compiled


@dataclass(frozen=True)
class PointErrors:
    """Standard deviations of a depth sensor's points (Fankhauser et al. 2014: sensor and attitude).

    Assumed, above what docs/mapping.md says of a RealSense D435.
    """

    least: float = 0.003
    """m, along the ray, at any range."""
    growth: float = 0.004
    """m per m^2: along the ray, grows with the square of the range (stereo); 0 for a lidar."""
    attitude: float = 0.01
    """rad, of the robot's roll and pitch: heights are as wrong as they are far away."""


def point_variance(points_w: ArrayLike, origin_w: ArrayLike, errors: PointErrors | None = None) -> NDArray[np.float64]:
    """Vertical variance (k,) m^2 of points (k, 3) m seen from `origin_w` (3,) m.

    The vertical part of the error along the ray, and the distance times the error of the attitude.
    """
    errors = errors or PointErrors()
    points, origin = shapes.cloud(points_w, origin_w)
    out = np.empty(len(points))
    _variance(points, origin, errors.least, errors.growth, errors.attitude, out)
    return out


@compiled
def _variance(points: NDArray, origin: NDArray, least: float, growth: float, attitude: float, out: NDArray) -> None:
    for i in range(len(points)):
        dx, dy, dz = points[i, 0] - origin[0], points[i, 1] - origin[1], points[i, 2] - origin[2]
        level, squared = dx * dx + dy * dy, dx * dx + dy * dy + dz * dz
        along = least + growth * squared
        out[i] = along * along * (dz * dz / max(squared, 1e-12)) + attitude * attitude * level + 1e-8


def thinned(points: ArrayLike, every: int) -> NDArray[np.float64]:
    """Every so many points of a cloud (k, 3), beginning with the first: for clouds that are too large for the time."""
    return np.ascontiguousarray(np.asarray(points, np.float64)[::every])


def outside(points: ArrayLike, capsules: ArrayLike, margin: float = 0.05) -> NDArray[np.bool_]:
    """Whether points (k, 3) m are further than `margin` m from the robot's own capsules, (k,) bool.

    Capsules are (c, 7) m: both ends and the radius, in the points' frame.
    """
    cloud, parts = shapes.rows(points, 3, "Points of a cloud"), shapes.rows(capsules, 7, "Capsules")
    out = np.empty(len(cloud), np.bool_)
    _outside(cloud, parts, margin, out)
    return out


def placed(capsules_b: ArrayLike, position_w: ArrayLike, rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """Capsules (c, 7) m of a base's frame in the frame in which the base is at `position_w` (3,) m; `rotation` (3, 3)
    turns the one into the other."""
    parts = shapes.rows(capsules_b, 7, "Capsules")
    ends = parts[:, :6].reshape(-1, 3) @ rotation.T + np.asarray(position_w, np.float64)
    return np.concatenate([ends.reshape(-1, 6), parts[:, 6:]], axis=1)


@compiled
def _outside(points: NDArray, capsules: NDArray, margin: float, out: NDArray) -> None:
    for i in range(len(points)):
        out[i] = True
        for c in range(len(capsules)):
            along, length, aside = 0.0, 0.0, 0.0
            for axis in range(3):
                side = capsules[c, 3 + axis] - capsules[c, axis]
                along += (points[i, axis] - capsules[c, axis]) * side
                length += side * side
            share = min(max(along / length, 0.0), 1.0) if length > 0.0 else 0.0
            for axis in range(3):
                start, side = capsules[c, axis], capsules[c, 3 + axis] - capsules[c, axis]
                aside += (points[i, axis] - start - share * side) ** 2
            reach = capsules[c, 6] + margin
            if aside <= reach * reach:
                out[i] = False
                break
