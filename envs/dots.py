"""Points marked by dots in a picture of the world."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

Colour = tuple[int, int, int]
"""Red, green and blue, 0 to 255."""

RADIUS = 0.012
"""m of a dot."""
EMISSION = 0.7
"""Light of a dot's own; MuJoCo's ambient light adds the 0.3 that make it its colour where no lamp shines."""


class Dots(NamedTuple):
    """Points of one colour and size."""

    points_w: NDArray[np.float64]
    """(k, 3) m."""
    colour: Colour
    """Of all of them."""
    radius: float = RADIUS
    """m."""


def add_dots(scene: mujoco.MjvScene, dots: Sequence[Dots]) -> None:
    """Add a sphere at each point, without gloss."""
    sphere, upright = mujoco.mjtGeom.mjGEOM_SPHERE.value, np.eye(3).ravel()
    for points_w, colour, radius in dots:
        size = np.full(3, radius)
        rgba = np.array([*colour, 255], np.float32) / 255
        for point_w in points_w:
            geom = scene.geoms[scene.ngeom]
            mujoco.mjv_initGeom(geom, sphere, size, point_w, upright, rgba)
            geom.emission, geom.specular = EMISSION, 0.0
            scene.ngeom += 1
