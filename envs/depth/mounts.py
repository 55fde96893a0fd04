"""Where the depth sensors of an ANYmal C are, which way they look, and which rays they send.

Places of the cameras: ANYbotics' URDF (anymal_c_simple_description, BSD-3-Clause). Its sensor frames have x ahead, y to
the left and z up.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DOWN = math.radians(30.0)
"""rad by which every camera looks down (URDF: rpy 0 0.5236 0)."""
LENS = np.array([0.0255, 0.0175, 0.0])
"""m, from a camera's housing to the frame of its depth pictures, in the frame of the camera (URDF)."""
FACE = 0.4145 + 0.04715
"""m ahead of the base's origin, of the housing of the front camera, behind it of the rear one (URDF)."""


class Mount(NamedTuple):
    """A sensor on the base."""

    position_b: NDArray[np.float64]
    """(3,) m, where its rays begin."""
    rotation_b: NDArray[np.float64]
    """(3, 3) from its frame to the base's."""


def mounted(housing_b: tuple[float, float, float], yaw: float, pitch: float, lens: NDArray = LENS) -> Mount:
    """A sensor whose housing is turned by yaw about z, then by pitch about y: rad, down for above 0."""
    rotation = turned(yaw, pitch)
    return Mount(np.array(housing_b) + rotation @ lens, rotation)


def turned(yaw: float, pitch: float, roll: float = 0.0) -> NDArray[np.float64]:
    """Rotation (3, 3) by roll about x, then pitch about y, then yaw about z, rad."""
    (cy, sy), (cp, sp), (cr, sr) = ((math.cos(angle), math.sin(angle)) for angle in (yaw, pitch, roll))
    about_z = np.array([[cy, -sy, 0.0], [sy, cy, 0.0], [0.0, 0.0, 1.0]])
    about_y = np.array([[cp, 0.0, sp], [0.0, 1.0, 0.0], [-sp, 0.0, cp]])
    return about_z @ about_y @ np.array([[1.0, 0.0, 0.0], [0.0, cr, -sr], [0.0, sr, cr]])


CAMERAS: dict[str, Mount] = {
    "front": mounted((FACE, 0.0, -0.0292), 0.0, DOWN),
    "rear": mounted((-FACE, 0.0, -0.0292), math.pi, DOWN),
    "left": mounted((0.0, 0.07646, 0.02905), math.pi / 2, DOWN),
    "right": mounted((0.0, -0.07646, 0.02905), -math.pi / 2, DOWN),
}
"""Intel RealSense D435 (ANYbotics), one on each side."""
DOMES: dict[str, Mount] = {
    "front": mounted((FACE, 0.0, 0.0), 0.0, math.radians(45.0), np.zeros(3)),
    "rear": mounted((-FACE, 0.0, 0.0), math.pi, math.radians(45.0), np.zeros(3)),
}
"""RoboSense RS-Bpearl, one at each end; where they are and how they look is assumed."""
INNERMOST = math.radians(0.5)
"""rad off a dome's axis, of its first beam (RS-Bpearl: 89.5 degrees above its base; the last is at 2.3125 degrees)."""


def camera_rays(width: int, height: int, across: float, along: float) -> NDArray[np.float64]:
    """Unit directions (height, width, 3) of pixels, from the upper left, of a picture `across` x `along` rad wide."""
    right = math.tan(across / 2) * (1 - (2 * np.arange(width) + 1) / width)
    up = math.tan(along / 2) * (1 - (2 * np.arange(height) + 1) / height)
    rays = np.stack(np.broadcast_arrays(1.0, right[None, :], up[:, None]), axis=-1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def dome_rays(columns: int, beams: int) -> NDArray[np.float64]:
    """Unit directions (beams, columns, 3) of a half sphere around x: beams from its axis outwards, columns around."""
    off = INNERMOST + np.arange(beams)[:, None] * (math.pi / 2 / beams)
    around = np.arange(columns)[None, :] * (2 * math.pi / columns)
    return np.stack(np.broadcast_arrays(np.cos(off), np.sin(off) * np.cos(around), np.sin(off) * np.sin(around)), -1)
