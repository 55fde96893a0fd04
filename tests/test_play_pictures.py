"""What play.py shows: videos, pictures, the window, and a Student's belief in them."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import mujoco
import numpy as np
import pytest
from PIL import Image
from policy_files import write_policy, write_student
from spectator import SHORT, Spectator

import play
from agents.policies import StudentPolicy
from envs.config import EnvConfig
from evaluation.belief import COLOURS
from evaluation.legend import BACKGROUND

pytestmark = pytest.mark.usefixtures("project")


def test_a_video_that_is_asked_for_is_named_after_the_terrain(
    spectator: Spectator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert play.main(["--agent", "zero", "--viewer", "video", "--seconds", "0.02", "--terrain", "rough"]) == 0
    assert (spectator.video, spectator.frames, spectator.size) == (Path("play_rough.mp4"), None, (1280, 720))
    assert capsys.readouterr().out.endswith("Wrote play_rough.mp4\n")


def test_an_earlier_video_or_frames_are_left_alone(spectator: Spectator, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("play_rough.mp4", "play_rough_2.mp4"):
        Path(name).touch()
    assert play.main(["--agent", "zero", "--viewer", "video", "--seconds", "0.02", "--terrain", "rough"]) == 0
    assert spectator.video == Path("play_rough_3.mp4")


def test_frames_alone_need_no_video(spectator: Spectator) -> None:
    assert play.main(["--agent", "zero", "--frames", "pictures", *SHORT]) == 0
    assert (spectator.video, spectator.frames) == (None, Path("pictures"))


@pytest.mark.parametrize("who", [["--checkpoint", "teacher.pt"], ["--agent", "zero"]])
def test_belief_is_refused_for_those_who_have_none(who: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    write_policy(Path("teacher.pt"), EnvConfig())
    assert play.main([*who, "--belief", *SHORT]) == 2
    expected = f"play.py: --belief is for Students, who alone have one; leave it out for {who[1]}.\n"
    assert capsys.readouterr().err == expected


def test_belief_is_shown_only_if_asked_for(spectator: Spectator) -> None:
    write_student(Path("student.pt"), EnvConfig())
    assert play.main(["--checkpoint", "student.pt", *SHORT]) == 0
    assert spectator.belief is None
    assert play.main(["--checkpoint", "student.pt", "--belief", "--noise", "large", *SHORT]) == 0
    assert spectator.belief is not None and spectator.belief.noise == "large"


def test_belief_is_shown_with_the_observations_it_comes_from_and_costs_no_second_thought(
    spectator: Spectator, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_student(Path("student.pt"), EnvConfig())
    events: list[Any] = []
    act, show = StudentPolicy.act, spectator.show

    def acting(policy: StudentPolicy, obs: Any) -> Any:
        events.append(obs["extero_noisy"].clone())
        return act(policy, obs)

    def showing() -> bool:
        assert spectator.belief is not None
        spectator.belief.look(100)
        events.append(spectator.env.get_observations()["extero_noisy"].clone())
        return show()

    monkeypatch.setattr(StudentPolicy, "act", acting)
    monkeypatch.setattr(spectator, "show", showing)
    assert play.main(["--checkpoint", "student.pt", "--belief", *SHORT]) == 0
    assert len(events) == 6
    assert all(np.array_equal(thought, shown) for thought, shown in zip(events[::2], events[1::2], strict=True))
    assert not np.array_equal(events[0], events[4])


@pytest.mark.usefixtures("opengl")
def test_belief_gives_the_pictures_a_legend() -> None:
    write_student(Path("student.pt"), EnvConfig())
    size = ["--terrain", "flat", "--seconds", "0.04", "--size", "320", "240"]
    assert play.main(["--checkpoint", "student.pt", "--belief", "--frames", "pictures", *size]) == 0
    for path in sorted(Path("pictures").iterdir()):
        corner = np.asarray(Image.open(path))[:40, :60].reshape(-1, 3)
        assert all((corner == colour).all(-1).any() for colour in (BACKGROUND, *COLOURS.values()))


@pytest.mark.usefixtures("opengl")
def test_video_has_a_picture_every_other_step_in_a_format_that_everything_plays() -> None:
    assert play.main(["--agent", "zero", "--video", "deep/out.mp4", "--frames", "pictures", *SHORT]) == 0
    video = next(imageio_ffmpeg.read_frames("deep/out.mp4"))
    assert (video["size"], video["fps"], video["codec"]) == ((64, 48), 25.0, "h264")
    assert video["pix_fmt"].startswith("yuv420p")
    assert imageio_ffmpeg.count_frames_and_secs("deep/out.mp4")[0] == 2
    pictures = sorted(Path("pictures").iterdir())
    assert [picture.name for picture in pictures] == [f"frame_0000{i}.png" for i in range(2)]
    assert Image.open(pictures[0]).size == (64, 48)
    assert len(np.unique(np.asarray(Image.open(pictures[0])))) > 50


def test_with_a_screen_the_robot_walks_in_a_window_until_it_is_closed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown: list[np.ndarray] = []
    stop = SimpleNamespace(closed=False)

    def launch_passive(model: Any, data: Any, **_: Any) -> Any:
        handle = SimpleNamespace(cam=SimpleNamespace(), lock=nullcontext, is_running=lambda: len(shown) < 4)
        handle.sync = lambda: shown.append(data.qpos.copy())
        handle.close = lambda: setattr(stop, "closed", True)
        return handle

    monkeypatch.setattr(play, "find_viewer", lambda: SimpleNamespace(launch_passive=launch_passive))
    assert play.main(["--agent", "zero", "--terrain", "flat"]) == 0
    assert len(shown) == 4
    assert stop.closed
    assert shown[0][2] > 0.3
    assert not np.array_equal(shown[0], shown[3])
    assert "in 0.06 s" in capsys.readouterr().out


def test_with_a_screen_the_belief_is_in_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    write_student(Path("student.pt"), EnvConfig())
    counts: list[int] = []
    images: list[Any] = []

    def launch_passive(model: Any, data: Any, **_: Any) -> Any:
        scene = mujoco.MjvScene(model, maxgeom=1000)
        handle = SimpleNamespace(cam=SimpleNamespace(), lock=nullcontext, is_running=lambda: len(counts) < 3)
        handle.user_scn, handle.set_images, handle.close = scene, images.append, lambda: None
        handle.sync = lambda: counts.append(scene.ngeom)
        return handle

    monkeypatch.setattr(play, "find_viewer", lambda: SimpleNamespace(launch_passive=launch_passive))
    assert play.main(["--checkpoint", "student.pt", "--belief", "--terrain", "flat"]) == 0
    assert counts == [3 * 208] * 3
    for viewport, legend in images:
        assert (viewport.height, viewport.width, 3) == legend.shape
