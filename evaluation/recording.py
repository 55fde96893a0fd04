"""Where play shows a robot: a video file, a folder of pictures, or MuJoCo's window."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import imageio_ffmpeg
import mujoco
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from envs.anymal import AnymalEnv
from envs.camera import FollowCamera, SideCamera
from envs.dots import add_dots
from envs.rendering import Renderer, pose, visual_model
from evaluation.belief import BeliefView
from evaluation.legend import inset
from system.files import whole
from system.folders import taken
from system.shell import quoted

RATE = 25
"""Pictures per second of a video: every other step of 20 ms."""
QUALITY = 6
"""Of the video, 1 to 10; still clean at 6."""
LEGEND_FOR = 720
"""Pixels, height of the picture that a window's legend is as large as for."""


class Screen(Protocol):
    """Shows what the first robot of an environment does."""

    def show(self) -> bool:
        """Show it as it is now; False when nobody looks any more."""
        ...


class Recorder:
    """Draws the robot into a video, a folder of pictures, or both."""

    def __init__(
        self,
        renderer: Renderer,
        rate: int,
        video: Path | None,
        frames: Path | None,
        belief: BeliefView | None,
        name: Path | None,
    ) -> None:
        """Open the files for `rate` steps per second: an .mp4, and a folder for frame_00000.png and so on.

        The user knows the video by its `name`.
        """
        self.renderer, self.frames, self.belief, self.count, self.steps = renderer, frames, belief, 0, 0
        self.every = max(1, round(rate / RATE))
        self.path, self.name, self.video = video, name, None
        if video is not None:
            with said_in_one_sentence(name):
                self.video = open_video(video, renderer.size, round(rate / self.every))

    def show(self) -> bool:
        """Add a picture of the robot as it is now, if one is due."""
        if self.belief is not None:
            self.belief.note()
        self.steps += 1
        if (self.steps - 1) % self.every:
            return True
        picture = self._draw()
        if self.video is not None:
            with said_in_one_sentence(self.name):
                self.video.send(picture)
        if self.frames is not None:
            with whole(self.frames / f"frame_{self.count:05d}.png") as part:
                Image.fromarray(picture).save(part)
        self.count += 1
        return True

    def _draw(self) -> NDArray[np.uint8]:
        """The robot, and what it believes if that shall be seen."""
        if self.belief is None:
            return self.renderer.draw()
        dots, legend = self.belief.look(self.renderer.size[1])
        return inset(self.renderer.draw(dots), legend)

    def close(self) -> None:
        """Finish the video."""
        if self.video is not None:
            self.video.close()


def open_video(path: Path, size: tuple[int, int], rate: int) -> Any:
    """A generator to send RGB pictures of `size` pixels to, which writes them as H.264 at `rate` per second."""
    writer = imageio_ffmpeg.write_frames(path, size, fps=rate, codec="libx264", quality=QUALITY, macro_block_size=2)
    writer.send(None)
    return writer


@contextmanager
def said_in_one_sentence(path: Path | None) -> Iterator[None]:
    """What keeps ffmpeg from writing a video, without its command line and its log."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        raise ValueError(f"ffmpeg could not write {path}: see whether there is space and whether you may.") from error


@contextmanager
def recording(
    env: AnymalEnv,
    size: tuple[int, int],
    video: Path | None = None,
    frames: Path | None = None,
    belief: BeliefView | None = None,
) -> Iterator[Recorder]:
    """A recorder whose files are whole afterwards, even after an interruption."""
    if video is not None and (video.suffix.lower() != ".mp4" or video.is_dir()):
        raise ValueError(f"A video must be an .mp4 file, not {video}.")
    if frames is not None and frames.exists() and not frames.is_dir():
        raise ValueError(f"Frames need a folder, and {frames} is a file.")
    rate = round(1 / env.cfg.dt)
    camera = FollowCamera if belief is None else SideCamera
    if video is not None:
        video.parent.mkdir(parents=True, exist_ok=True)
    with taken(frames) if frames else nullcontext(), whole(video) if video else nullcontext() as part:
        if frames is not None and next(frames.glob("frame_*.png"), None) is not None:
            raise ValueError(f"{quoted(frames)} holds the frames of an earlier recording: name another folder.")
        with (
            closing(Renderer(env, size, camera=camera)) as renderer,
            closing(Recorder(renderer, rate, part, frames, belief, video)) as recorder,
        ):
            yield recorder
        if part is not None and part.is_file() and not is_complete(part):
            with said_in_one_sentence(video):
                raise OSError("ffmpeg does not say")


def is_complete(video: Path) -> bool:
    """Whether an .mp4 has its index, which ffmpeg writes last, and no box of it is cut off."""
    boxes, content = set[bytes](), video.read_bytes()
    place = 0
    while place + 8 <= len(content):
        size, name = int.from_bytes(content[place : place + 4]), content[place + 4 : place + 8]
        size = int.from_bytes(content[place + 8 : place + 16]) if size == 1 else size or len(content) - place
        boxes.add(name)
        place += max(size, 8)
    return b"moov" in boxes and place == len(content)


class Window:
    """MuJoCo's viewer in real time; the camera stays with the robot and turns with the mouse."""

    def __init__(self, env: AnymalEnv, viewer: ModuleType, belief: BeliefView | None = None) -> None:
        """Show `env` through `viewer`, the module mujoco.viewer."""
        self.env, self.belief, self.model = env, belief, visual_model(env.surface, env.cfg.shapes)
        self.data = mujoco.MjData(self.model)
        follower = FollowCamera if belief is None else SideCamera
        view = follower(env.surface, env.cfg.dt).follow(*pose(self.model, self.data, env))
        others = threading.enumerate()
        self.handle = viewer.launch_passive(self.model, self.data, show_left_ui=False, show_right_ui=False)
        self.threads = [thread for thread in threading.enumerate() if thread not in others]
        with self.handle.lock():
            camera = self.handle.cam
            camera.type, camera.trackbodyid = mujoco.mjtCamera.mjCAMERA_TRACKING.value, self.model.body("base").id
            camera.distance, camera.azimuth, camera.elevation = view.distance, view.azimuth, view.elevation
        self.due = time.monotonic()

    def show(self) -> bool:
        """Show the robot as it is now, once the last step has lasted its time; False when the window is closed."""
        self.due = max(self.due + self.env.cfg.dt, time.monotonic())
        time.sleep(max(0.0, self.due - time.monotonic()))
        with self.handle.lock():
            pose(self.model, self.data, self.env)
            if self.belief is not None:
                self._overlay(self.belief)
        self.handle.sync()
        return self.handle.is_running()

    def _overlay(self, belief: BeliefView) -> None:
        """Put the robot's belief into the window, its legend into the lower left corner."""
        belief.note()
        dots, legend = belief.look(LEGEND_FOR)
        self.handle.user_scn.ngeom = 0
        add_dots(self.handle.user_scn, dots)
        self.handle.set_images((mujoco.MjrRect(0, 0, legend.shape[1], legend.shape[0]), legend))

    def close(self) -> None:
        """Close the window and wait until it is gone: the viewer's thread crashes if the interpreter ends before it."""
        self.handle.close()
        for thread in self.threads:
            thread.join(timeout=5.0)


def find_viewer() -> ModuleType | None:
    """The module mujoco.viewer where it can open a window, else None."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return None
    if sys.platform == "darwin" and Path(sys.executable).name != "mjpython":
        return None
    try:
        glfw = importlib.import_module("glfw")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            screen = glfw.init()
        return importlib.import_module("mujoco.viewer") if screen else None
    except (ImportError, RuntimeError):
        return None
