"""Pictures of one robot of an environment, drawn off screen by MuJoCo's OpenGL renderer; importing this needs no OpenGL."""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.anymal import AnymalEnv
from envs.simulation import build_model
from envs.terrains import Surface

Image = NDArray[np.uint8]

SIZE = (1280, 720)
"""Pixels, width and height of a picture unless another size is asked for."""
LARGEST = 4096
"""Pixels, longest side that software renderers can draw."""
BACKENDS = {"linux": "egl", "darwin": "cgl"}
"""Module of mujoco with the OpenGL that needs no screen, by platform; glfw elsewhere."""
SHADOW_RADIUS, SHADOW_TEXELS = 6.0, 4096
"""Region around the robot that is in the shadow map, in extents of the model, and the map's side."""
SUN_DISTANCE = 4.0
"""m from the robot to the centre of the sun's shadow map."""
FLOOR_DEPTH = 0.005
"""m of the endless floor below the terrain's lowest point."""


class RenderingError(ValueError):
    """This machine cannot draw; the message is one sentence that says what to install."""


class FollowCamera:
    """A camera beside the robot that follows its base smoothly and rises where terrain would hide it."""

    distance = 3.0
    """m from the point it looks at."""
    bearing = {"level or rising": 70.0, "falling": 110.0}
    """Degrees from the robot's first heading to the direction of view, by the ground ahead: what rises is best seen from
    behind, what falls from ahead."""
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


class Renderer:
    """Draws one robot of an environment, its terrain and an endless floor, whenever it is asked to."""

    def __init__(self, env: AnymalEnv, size: tuple[int, int] = SIZE, row: int = 0) -> None:
        """Pictures of `size` = (width, height) pixels of the robot in this row."""
        self.env, self.size, self.row = env, check_size(size), row
        self.model = build_model(env.surface, collider="stock", visual=True)
        self.data = mujoco.MjData(self.model)
        self.model.vis.global_.offwidth, self.model.vis.global_.offheight = size
        self.model.vis.map.shadowclip = SHADOW_RADIUS
        self.model.vis.quality.shadowsize = SHADOW_TEXELS
        self.camera = FollowCamera(env.surface, env.cfg.dt)
        self.floor_w = float(env.surface.map.heights.min()) - FLOOR_DEPTH
        self.option, self.scene = mujoco.MjvOption(), mujoco.MjvScene(self.model, maxgeom=500)
        self.rectangle = mujoco.MjrRect(0, 0, *size)
        self.gl, self.context = open_context(self.model, size)

    def draw(self) -> Image:
        """The robot as it is now, (height, width, 3) RGB in a new array."""
        pose(self.model, self.data, self.env, self.row)
        base = self.data.body("base")
        x_axis = base.xmat[[0, 3]]
        view = self.camera.follow(base.xpos, float(np.arctan2(x_axis[1], x_axis[0])))
        self._set_sun(self.camera.sun_w)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self.model, self.data, self.option, None, view, everything, self.scene)
        self._add_floor()
        self.gl.make_current()
        mujoco.mjr_render(self.rectangle, self.scene, self.context)
        pixels = np.empty((self.size[1], self.size[0], 3), np.uint8)
        mujoco.mjr_readPixels(pixels, None, self.rectangle, self.context)
        return pixels[::-1].copy()

    def _set_sun(self, direction_w: NDArray[np.float64]) -> None:
        """Let the sun shine along this direction onto the robot."""
        light = self.model.light("sun").id
        self.model.light_dir0[light] = direction_w / np.linalg.norm(direction_w)
        self.model.light_poscom0[light] = -SUN_DISTANCE * self.model.light_dir0[light]
        mujoco.mj_camlight(self.model, self.data)

    def _add_floor(self) -> None:
        """Put a floor under the terrain; it exists in the picture only."""
        floor = self.scene.geoms[self.scene.ngeom]
        centre = np.array([*self.data.body("base").xpos[:2], self.floor_w])
        plane, half_size = mujoco.mjtGeom.mjGEOM_PLANE, np.array([60.0, 60.0, 1.0])
        mujoco.mjv_initGeom(floor, plane.value, half_size, centre, np.eye(3).ravel(), np.ones(4, np.float32))
        floor.matid = self.model.material("ground").id
        floor.specular = floor.shininess = floor.reflectance = 0.0
        self.scene.ngeom += 1

    def close(self) -> None:
        """Give back what OpenGL holds; nothing can be drawn any more."""
        if self.context is not None:
            self.gl.make_current()
            self.context.free()
            self.gl.free()
            self.context = None


def pose(model: mujoco.MjModel, data: mujoco.MjData, env: AnymalEnv, row: int) -> None:
    """Put the model with looks where the robot in this row of the environment is now."""
    data.qpos = env.simulation.qpos[row]
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_camlight(model, data)


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size, or a ValueError unless both sides are even, as videos need them, and can be drawn."""
    if not all(16 <= side <= LARGEST and side % 2 == 0 for side in size):
        raise ValueError(f"A picture's sides must be even and within 16 and {LARGEST} pixels, not {size[0]} x {size[1]}.")
    return size


def open_context(model: mujoco.MjModel, size: tuple[int, int]) -> tuple[Any, Any]:
    """An OpenGL context without a window, and MuJoCo's context within it that holds the model's textures."""
    backend = os.environ.get("MUJOCO_GL", "").lower().strip()
    backend = backend if backend in ("egl", "osmesa", "glfw", "cgl") else BACKENDS.get(sys.platform, "glfw")
    try:
        gl = importlib.import_module(f"mujoco.{backend}").GLContext(*size)
        gl.make_current()
        context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
    except Exception as error:  # missing libraries and drivers show as a dozen types, down to AttributeError
        raise RenderingError(
            f"Drawing needs OpenGL, but its {backend} library does not work here ({error or type(error).__name__}): "
            "on Debian or Ubuntu install the package libegl1 and set MUJOCO_GL=egl."
        ) from error
    return gl, context
