"""Pictures of one robot of an environment, drawn off screen by MuJoCo; importing this needs no OpenGL."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.anymal import AnymalEnv
from envs.camera import FollowCamera
from envs.dots import Dots, add_dots
from envs.robot import SHAPES, Shapes
from envs.simulation import build_model
from envs.terrains import Surface
from envs.terrains.scenery import Scenery

Image = NDArray[np.uint8]

SIZE = (1280, 720)
"""Pixels, width and height of a picture unless another size is asked for."""
LARGEST = 4096
"""Pixels, longest side that software renderers can draw."""
BACKENDS = {"linux": "egl", "darwin": "cgl"}
"""Module of mujoco with the OpenGL that needs no screen, by platform; glfw elsewhere."""
SHADOW_RADIUS, SHADOW_TEXELS = 6.0, {"hardware": 4096, "software": 1024}
"""Region around the robot that is in the shadow map, in extents of the model, and the map's side by who draws it."""
SAMPLES = {"hardware": 4, "software": 0}
"""Of a pixel, which smooth edges, by who draws: in software four of them take 0.20 s of a core a picture of 640 x 360
pixels, none 0.08 s."""
SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader")
"""What OpenGL calls itself where a processor draws, in small letters."""
SUN_DISTANCE = 4.0
"""m from the robot to the centre of the sun's shadow map."""
FLOOR_DEPTH = 0.005
"""m of the endless floor below the terrain's lowest point."""
FLOOR_TINT = np.array([0.62, 0.68, 0.78, 1.0], np.float32)
"""Colour by which the floor's texture is multiplied: bluer and darker than any terrain, which is thus seen to end."""
FLOOR_SIZE = np.array([300.0, 300.0, 1.0])
"""m, half sides of the floor along x and y: as far as the camera can see; the third is not used."""
SPARE_GEOMS = 2000
"""Shapes in a picture beyond the model's."""
BURIED = 0.35
"""Opacity of a dot where something is in front of it."""


class RenderingError(ValueError):
    """This machine cannot draw; the message is one sentence that says what to install."""


class Renderer:
    """Draws one robot of an environment, its terrain and an endless floor, whenever it is asked to."""

    def __init__(
        self, env: AnymalEnv, size: tuple[int, int] = SIZE, env_id: int = 0, camera: type[FollowCamera] = FollowCamera
    ) -> None:
        """Pictures of `size` = (width, height) pixels of robot `env_id`."""
        self.env, self.size, self.env_id = env, check_size(size), env_id
        self.model = visual_model(env.surface, env.cfg.shapes)
        self.data = mujoco.MjData(self.model)
        self.model.vis.global_.offwidth, self.model.vis.global_.offheight = size
        self.model.vis.map.shadowclip = SHADOW_RADIUS
        self.camera = camera(env.surface, env.cfg.dt)
        self.floor_w = float(env.surface.map.heights.min()) - FLOOR_DEPTH
        self.option = mujoco.MjvOption()
        self.scene = mujoco.MjvScene(self.model, maxgeom=SPARE_GEOMS + self.model.ngeom)
        self.rectangle = mujoco.MjrRect(0, 0, *size)
        self.gl, self.context = open_context(self.model, size)

    def draw(self, dots: Sequence[Dots] = ()) -> Image:
        """The robot as it is now, (height, width, 3) RGB in a new array; dots shine through what hides them."""
        view = self.camera.follow(*pose(self.model, self.data, self.env, self.env_id))
        self._set_sun(self.camera.sun_w)
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(self.model, self.data, self.option, None, view, everything, self.scene)
        self._add_floor()
        self.gl.make_current()
        picture = self._render()
        return self._overlay(picture, dots) if dots else picture

    def _render(self) -> Image:
        """Picture (height, width, 3) RGB of the scene."""
        pixels = np.empty((self.size[1], self.size[0], 3), np.uint8)
        mujoco.mjr_render(self.rectangle, self.scene, self.context)
        mujoco.mjr_readPixels(pixels, None, self.rectangle, self.context)
        return pixels[::-1].copy()

    def _depth(self) -> NDArray[np.float32]:
        """How far away is what was drawn last, (height, width) from 0 to 1, which is nothing."""
        depth = np.empty((self.size[1], self.size[0]), np.float32)
        mujoco.mjr_readPixels(None, depth, self.rectangle, self.context)
        return depth[::-1]

    def _overlay(self, picture: Image, dots: Sequence[Dots]) -> Image:
        """The picture that was drawn last with dots in it: unshaded, and faint where something is in front of them."""
        depth, sky = self._depth(), mujoco.mjtRndFlag.mjRND_SKYBOX.value
        self.scene.ngeom = self.scene.nlight = self.scene.flags[sky] = 0
        add_dots(self.scene, dots)
        shine, dot_depth = self._render(), self._depth()
        self.scene.flags[sky] = 1
        opacity = np.where(dot_depth < 1.0, np.where(dot_depth <= depth, 1.0, BURIED), 0.0)[..., None]
        return np.round(picture + opacity * (shine.astype(np.float64) - picture)).astype(np.uint8)

    def _set_sun(self, direction_w: NDArray[np.float64]) -> None:
        """Let the sun shine along this direction onto the robot."""
        light = self.model.light("sun").id
        self.model.light_dir0[light] = direction_w / np.linalg.norm(direction_w)
        self.model.light_poscom0[light] = -SUN_DISTANCE * self.model.light_dir0[light]
        mujoco.mj_camlight(self.model, self.data)

    def _add_floor(self) -> None:
        """Put a floor under the terrain; it exists in the picture only."""
        floor = self.scene.geoms[self.scene.ngeom]
        plane, centre = mujoco.mjtGeom.mjGEOM_PLANE, np.array([0.0, 0.0, self.floor_w])
        mujoco.mjv_initGeom(floor, plane.value, FLOOR_SIZE, centre, np.eye(3).ravel(), FLOOR_TINT)
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


def visual_model(surface: Surface, shapes: Shapes = SHAPES) -> mujoco.MjModel:
    """The robot on this terrain with its looks, to draw; the simulation's own model has none.

    What it touches the ground with is in geom group 3, which is drawn only in a window and only when asked for there.
    """
    return build_model(Scenery(surface), visual=True, shapes=shapes)


def pose(
    model: mujoco.MjModel, data: mujoco.MjData, env: AnymalEnv, env_id: int = 0
) -> tuple[NDArray[np.float64], float]:
    """Put the visual model where robot `env_id` is; returns its base's position (3,) m and heading rad."""
    data.qpos = env.simulation.qpos[env_id]
    mujoco.mj_kinematics(model, data)
    mujoco.mj_comPos(model, data)
    mujoco.mj_camlight(model, data)
    base = data.body("base")
    return base.xpos, float(np.arctan2(base.xmat[3], base.xmat[0]))


def check_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size, or a ValueError unless both sides are even, as videos need them, and can be drawn."""
    if not all(16 <= side <= LARGEST and side % 2 == 0 for side in size):
        wrong = f"{size[0]} x {size[1]}"
        raise ValueError(f"Both sides of a picture must be even and within 16 and {LARGEST} pixels, not {wrong}.")
    return size


def open_context(model: mujoco.MjModel, size: tuple[int, int]) -> tuple[Any, Any]:
    """An OpenGL context without a window, and MuJoCo's context within it that holds the model's textures."""
    backend = os.environ.get("MUJOCO_GL", "").lower().strip()
    backend = backend if backend in ("egl", "osmesa", "glfw", "cgl") else BACKENDS.get(sys.platform, "glfw")
    try:
        gl = importlib.import_module(f"mujoco.{backend}").GLContext(*size)
        gl.make_current()
        painter = who_draws()
        model.vis.quality.shadowsize, model.vis.quality.offsamples = SHADOW_TEXELS[painter], SAMPLES[painter]
        context = mujoco.MjrContext(model, mujoco.mjtFontScale.mjFONTSCALE_100.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, context)
    except Exception as error:  # missing libraries and drivers show as a dozen types, down to AttributeError
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise RenderingError(
            f"Drawing needs OpenGL, but its {backend} library does not work here ({reason}): "
            "on Debian or Ubuntu install the package libegl1 and set MUJOCO_GL=egl."
        ) from error
    return gl, context


def who_draws() -> str:
    """Whether graphics hardware or software draws in the present OpenGL context."""
    name = importlib.import_module("OpenGL.GL").glGetString(0x1F01)  # GL_RENDERER
    return (
        "software" if any(word in (name or b"").decode(errors="replace").lower() for word in SOFTWARE) else "hardware"
    )
