"""Scenes that depth sensors look at in tests: exact distances to planes and boxes, and maps of what they see."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mapping import ElevationMap, MapConfig, PointErrors, point_variance

CELL = MapConfig().resolution
EXACT = PointErrors(0.002, 0.0, 0.0)
STILL = MapConfig(correction=0.0)
"""Maps whose height nothing corrects."""
EYE = np.array([0.0, 0.0, 0.6])
"""m, where the sensor is."""
Box = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Least and largest x, y, z in m."""


def fan(pitch: float = 0.5, yaw: float = 0.0, width: int = 80, height: int = 60, far: float = 0.95) -> NDArray:
    """Directions (k, 3) of a picture of tan(half angle) `far` across, looking down by `pitch` rad."""
    right = np.linspace(far, -far, width)[None] * np.ones((height, 1))
    up = np.linspace(0.6 * far, -0.6 * far, height)[:, None] * np.ones((1, width))
    ahead = np.stack([np.ones_like(right), right, up], axis=-1).reshape(-1, 3)
    c, s = np.cos(pitch), np.sin(pitch)
    ahead = ahead @ np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])
    c, s = np.cos(yaw), np.sin(yaw)
    ahead = ahead @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
    return ahead / np.linalg.norm(ahead, axis=1, keepdims=True)


def to_plane(rays: NDArray, eye: NDArray, rise: float = 0.0, level: float = 0.0) -> NDArray:
    """m along rays (k, 3) to the plane z = level + rise * x; inf where they do not meet it."""
    toward = rise * rays[:, 0] - rays[:, 2]
    away = np.divide(eye[2] - level - rise * eye[0], toward, out=np.full(len(rays), np.inf), where=toward > 1e-9)
    return np.where(away > 0, away, np.inf)


def to_box(rays: NDArray, eye: NDArray, box: Box) -> NDArray:
    """m along rays (k, 3) to a box; inf where they miss it."""
    with np.errstate(divide="ignore"):
        one, other = (np.array(box[0]) - eye) / rays, (np.array(box[1]) - eye) / rays
    near, far = np.minimum(one, other).max(axis=1), np.maximum(one, other).min(axis=1)
    return np.where((near <= far) & (near > 0), near, np.inf)


def cloud(rays: NDArray, away: NDArray, eye: NDArray, longest: float = 4.0) -> NDArray:
    """The points (k, 3) m that rays meet within `longest` m."""
    met = away <= longest
    return eye + rays[met] * away[met, None]


def look(boxes: list[Box], eye: NDArray = EYE, level: float = 0.0, **view: float) -> NDArray:
    """Points (k, 3) m of boxes on a level ground."""
    rays = fan(**view)  # pyright: ignore[reportArgumentType]
    away = np.min([to_plane(rays, eye, level=level), *(to_box(rays, eye, box) for box in boxes)], axis=0)
    return cloud(rays, away, eye)


def mapped(points: NDArray, eye: NDArray = EYE, cfg: MapConfig = STILL, times: int = 3) -> ElevationMap:
    """The map of one cloud, seen several times."""
    elevation = ElevationMap(cfg)
    elevation.move(eye)
    for _ in range(times):
        elevation.integrate(points, eye, point_variance(points, eye, EXACT))
    return elevation


def line(low: float, high: float, y: float = 0.0) -> NDArray:
    """Points (k, 2) m along x, 5 mm apart."""
    x = np.arange(low, high, 0.005)
    return np.column_stack([x, np.full_like(x, y)])
