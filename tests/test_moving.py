"""Moving pictures made from videos, and how far a walk has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evaluation import moving
from evaluation.playing import Progress
from evaluation.recording import open_video


def test_a_video_becomes_a_picture_that_moves_at_half_the_rate(tmp_path: Path) -> None:
    video = open_video(tmp_path / "video.mp4", (64, 48), 25)
    for number in range(10):
        video.send(np.full((48, 64, 3), 25 * number, np.uint8))
    video.close()
    assert moving.main([str(tmp_path / "video.mp4"), str(tmp_path / "picture.webp")]) == 0
    with Image.open(tmp_path / "picture.webp") as picture:
        assert (picture.size, picture.n_frames) == ((64, 48), 5)  # pyright: ignore[reportAttributeAccessIssue]
        picture.seek(1)
        picture.load()
        assert picture.info["duration"] == 80


def test_a_video_that_is_not_there_is_said_in_one_sentence(tmp_path: Path, capsys: Any) -> None:
    assert moving.main([str(tmp_path / "none.mp4"), str(tmp_path / "picture.webp")]) == 2
    assert capsys.readouterr().err == f"evaluation.moving: There is no video {tmp_path / 'none.mp4'}.\n"


def test_progress_says_what_is_left_every_few_seconds_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    time = [0.0]
    progress = Progress(0.02, lambda: time[0])
    for step in range(1, 101):
        time[0] += 0.12
        progress.tell(step, 200)
    progress.end()
    assert capsys.readouterr().err.splitlines() == ["0.84 s of 4.00 s, 19 s left", "1.68 s of 4.00 s, 14 s left"]
