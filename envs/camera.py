"""Where pictures of a robot are taken from."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.terrains import Surface


class FollowCamera:
    """A camera beside the robot that follows its base smoothly and rises where terrain would hide it."""

    distance = 2.2
    """m from the point it looks at: the robot fills a third of the width."""
    bearing = {"level or rising": 70.0, "falling": 110.0}
    """Degrees from the robot's first heading to the direction of view: what rises ahead of it is best seen from behind,
    what falls from ahead."""
    sunshine = {"level or rising": (-0.35, 0.25, -0.9), "falling": (0.35, 0.25, -0.9)}
    """Direction of the sun's light in the frame of the first heading: walls in sight are in the shade, the tops lit."""
    elevations = (-16.0, -24.0, -34.0, -46.0, -60.0, -80.0)
    """Degrees, directions of view to try, the one to prefer first."""
    clearance = 0.2
    """m between the line of sight and the terrain."""
    following, tilting = 0.3, 0.6
    """s, time constants of the point it looks at and of its elevation."""
    jump = 1.0
    """m in one step beyond which the robot has started anew elsewhere."""

    def __init__(self, surface: Surface, dt: float) -> None:
        """`dt` s passes between two calls of `follow`."""
        self.surface, self.dt = surface, dt
        self.view = mujoco.MjvCamera()
        self.view.distance = self.distance
        self.base_w: NDArray[np.float64] | None = None
        self.sun_w = np.array(self.sunshine["level or rising"])

    def follow(self, base_w: NDArray[np.float64], heading: float) -> mujoco.MjvCamera:
        """The view of a robot with its base at `base_w` (3,) m, which looks along `heading` rad."""
        if self.base_w is None or float(np.linalg.norm(base_w - self.base_w)) > self.jump:
            self._begin(base_w, heading)
        self.base_w = base_w.copy()
        self.view.lookat += (base_w - self.view.lookat) * min(1.0, self.dt / self.following)
        self.view.elevation += (self._elevation() - self.view.elevation) * min(1.0, self.dt / self.tilting)
        return self.view

    def _begin(self, base_w: NDArray[np.float64], heading: float) -> None:
        """Choose the side to look from, and where the sun stands, for a robot at the start of its way."""
        forward = np.array([np.cos(heading), np.sin(heading)])
        here, ahead = self.surface.height(base_w[:2] + np.outer((0.0, 2.0), forward))
        ground = "falling" if ahead < here - 0.02 else "level or rising"
        along, across, down = self.sunshine[ground]
        left = np.array([-forward[1], forward[0]])
        self.sun_w = np.array([*(along * forward + across * left), down])
        self.view.azimuth = np.degrees(heading) + self.bearing[ground]
        self.view.lookat = base_w
        self.view.elevation = self._elevation()

    def _elevation(self) -> float:
        """The first of `elevations` from which the robot is in sight, degrees."""
        return next((angle for angle in self.elevations if self._sees(angle)), self.elevations[-1])

    def _sees(self, elevation: float) -> bool:
        """Whether the terrain stays below the line of sight."""
        azimuth, angle = np.radians(self.view.azimuth), np.radians(elevation)
        forward = np.array([np.cos(angle) * np.cos(azimuth), np.cos(angle) * np.sin(azimuth), np.sin(angle)])
        line = self.view.lookat - np.linspace(0.15, 1.1, 12)[:, None] * self.distance * forward
        return bool((self.surface.height(line[:, :2]) + self.clearance < line[:, 2]).all())


class SideCamera(FollowCamera):
    """Closer to the robot and nearly square to its way, from where heights are told apart best."""

    distance = 2.1
    bearing = {"level or rising": 80.0, "falling": 100.0}
