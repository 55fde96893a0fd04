"""Videos that play writes: whole after an interruption, or refused in one sentence."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest

import play
from evaluation.recording import Recorder


@pytest.fixture(autouse=True)
def _written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_interruption_in_the_middle_of_a_picture_leaves_a_whole_video(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Recorder._draw
    pictures = iter(range(100))

    def interrupted(self: Recorder) -> Any:
        if next(pictures) == 3:
            signal.setitimer(signal.ITIMER_PROF, 1e-4)
        return drawn(self)

    monkeypatch.setattr(Recorder, "_draw", interrupted)
    before = signal.signal(signal.SIGPROF, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        assert play.main(["--agent", "zero", "--terrain", "flat", "--video", "out.mp4", "--size", "64", "48"]) == 0
    finally:
        signal.signal(signal.SIGPROF, before)
    assert imageio_ffmpeg.count_frames_and_secs("out.mp4")[0] in (4, 5)
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


def test_video_that_cannot_be_written_is_said_in_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    Path("out.mp4").symlink_to("/dev/full")
    assert play.main(["--agent", "zero", "--terrain", "flat", "--video", "out.mp4", "--size", "640", "480"]) == 2
    assert "could not write out.mp4" in capsys.readouterr().err
