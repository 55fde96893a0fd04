"""Videos that play writes: whole after an interruption, or refused in one sentence."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
from full_disk import FULL, needs_full_device

import play
from envs.rendering import Renderer
from evaluation.recording import Recorder
from system.folders import taken

pytestmark = pytest.mark.usefixtures("opengl")


@pytest.fixture(autouse=True)
def _written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_interruption_in_the_middle_of_a_picture_leaves_a_whole_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception there would break it: the picture is drawn to its end, and is the last one."""
    draw, pictures = Renderer.draw, []

    def interrupted(self: Renderer) -> Any:
        pictures.append(draw(self))
        if len(pictures) == 4:
            signal.raise_signal(signal.SIGINT)
        return pictures[-1]

    monkeypatch.setattr(Renderer, "draw", interrupted)
    assert play.main(["--agent", "zero", "--terrain", "flat", "--video", "out.mp4", "--size", "64", "48"]) == 0
    assert imageio_ffmpeg.count_frames_and_secs("out.mp4")[0] == len(pictures) == 4
    assert [path.name for path in Path().iterdir()] == ["out.mp4"]


@pytest.mark.parametrize("kept", [0.3, 0.999])
def test_a_video_that_ffmpeg_could_not_complete_is_not_left_behind(
    kept: float, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = Recorder.close

    def cut(self: Recorder) -> None:
        closed(self)
        assert self.path is not None
        self.path.write_bytes((content := self.path.read_bytes())[: int(kept * len(content))])

    monkeypatch.setattr(Recorder, "close", cut)
    arguments = ["--agent", "zero", "--terrain", "flat", "--video", "out.mp4", "--size", "64", "48", "--seconds", "0.1"]
    assert play.main(arguments) == 2
    assert "could not write out.mp4" in capsys.readouterr().err
    assert not list(Path().iterdir())


@needs_full_device
def test_video_that_cannot_be_written_is_said_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out.mp4").symlink_to(FULL)
    assert play.main(["--agent", "zero", "--terrain", "flat", "--video", "out.mp4", "--size", "640", "480"]) == 2
    assert "could not write out.mp4" in capsys.readouterr().err


def test_frames_of_two_recordings_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    with taken(Path("frames")):
        assert play.main(["--agent", "zero", "--terrain", "flat", "--frames", "frames"]) == 2
    assert "in use by process" in capsys.readouterr().err
    Path("frames").mkdir()
    Path("frames/frame_00000.png").touch()
    assert play.main(["--agent", "zero", "--terrain", "flat", "--frames", "frames"]) == 2
    assert "frames of an earlier recording: name another folder" in capsys.readouterr().err
