"""Moving pictures made from videos, and how far a walk has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from full_disk import full_disk
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


def test_a_wide_video_is_made_smaller_in_proportion_each_pixel_the_mean_of_those_it_covers(tmp_path: Path) -> None:
    video = open_video(tmp_path / "video.mp4", (128, 96), 25)
    stripes = np.zeros((96, 128, 3), np.uint8)
    stripes[:, ::2] = 255
    for _ in range(2):
        video.send(stripes)
    video.close()
    assert moving.main([str(tmp_path / "video.mp4"), str(tmp_path / "picture.webp"), "--width", "64"]) == 0
    with Image.open(tmp_path / "picture.webp") as picture:
        assert picture.size == (64, 48)
        pixels = np.asarray(picture.convert("L"))
    assert 115 < pixels.mean() < 140 and pixels.std() < 20


def test_a_picture_is_made_coarser_until_it_fits(tmp_path: Path, capsys: Any) -> None:
    drawn = np.random.default_rng(0)
    video, out = open_video(tmp_path / "video.mp4", (64, 48), 25), tmp_path / "picture.webp"
    for _ in range(6):
        video.send(drawn.integers(0, 256, (48, 64, 3), np.uint8))
    video.close()
    command = [str(tmp_path / "video.mp4"), str(out), "--quality", "90"]
    assert moving.main(command) == 0
    full = out.stat().st_size
    assert moving.main([*command, "--largest", str(0.6 * full / 1e6)]) == 0
    assert out.stat().st_size <= 0.6 * full
    before = out.read_bytes()
    assert moving.main([*command, "--largest", "0.0001"]) == 2
    assert "do not fit into 0.0001 MB" in capsys.readouterr().err
    assert out.read_bytes() == before


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


def test_a_closed_stderr_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert not Progress(0.02).terminal


def test_progress_of_a_walk_without_an_end_says_how_long_it_has_lasted(capsys: pytest.CaptureFixture[str]) -> None:
    time = [0.0]
    progress = Progress(0.02, lambda: time[0])
    time[0] = 6.0
    progress.tell(100, None)
    assert capsys.readouterr().err == "2.00 s\n"


def test_a_full_disk_leaves_the_picture_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    out = tmp_path / "my picture.webp"
    out.write_bytes(b"the one before")
    monkeypatch.setattr(moving, "read_pictures", lambda video, every, width: ([Image.new("RGB", (8, 8))] * 2, 25.0))
    with full_disk():
        assert moving.main(["video.mp4", str(out)]) == 2
    assert "my picture.webp" in capsys.readouterr().err and out.read_bytes() == b"the one before"
    assert moving.main(["video.mp4", str(out)]) == 0
    assert f"Wrote '{out}'," in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["my picture.webp"]
