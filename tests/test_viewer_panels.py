"""What the panels show and record, without a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest
from pages import opened
from policy_files import write_student

from agents.policies import StudentPolicy
from envs.config import EnvConfig
from evaluation.agents import TrainedAgent, load_agent
from viewer.driving import Wish
from viewer.panels import record
from viewer.panels.record import film, video_size
from viewer.panels.thoughts import bars, decoded, table
from viewer.session import Session
from viewer.world import World


def test_video_has_the_browsers_proportions_even_sides_and_a_bound() -> None:
    assert video_size(1280, 720) == (1280, 720)
    assert video_size(2560, 1440) == (1280, 720)
    assert video_size(801, 601) == (800, 600)
    assert video_size(0, 0) == (16, 16)


def test_a_slow_browser_is_filmed_at_its_pace_and_the_video_lasts_as_long_as_it_took(tmp_path: Path) -> None:
    stop, pictures = threading.Event(), []

    def get_render(height: int, width: int, timeout: float) -> np.ndarray:
        pictures.append((height, width))
        stop.wait(0.2)
        if len(pictures) == 4:
            stop.set()
        return np.full((height, width, 3), 60 * len(pictures) % 256, np.uint8)

    client: Any = SimpleNamespace(camera=SimpleNamespace(image_width=64, image_height=48), get_render=get_render)
    (tmp_path / "video.mp4").write_bytes(film(client, stop))
    frames, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "video.mp4"))
    assert pictures == [(48, 64)] * 4
    assert frames >= 12
    assert seconds == pytest.approx(frames / 25, abs=0.05)


def test_a_video_that_is_cut_off_is_not_given_to_a_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    """As ffmpeg leaves it on a disk that is full."""

    def cut_off(path: Path, size: tuple[int, int], rate: int) -> Any:
        def write() -> Iterator[None]:
            try:
                while True:
                    yield
            finally:
                path.write_bytes((32).to_bytes(4) + b"ftypisom" + (1000).to_bytes(4) + b"mdat")

        writer: Any = write()
        writer.send(None)
        return writer

    monkeypatch.setattr(record, "open_video", cut_off)
    stop = threading.Event()

    def get_render(height: int, width: int, timeout: float) -> np.ndarray:
        stop.set()
        return np.zeros((height, width, 3), np.uint8)

    client: Any = SimpleNamespace(camera=SimpleNamespace(image_width=64, image_height=48), get_render=get_render)
    with pytest.raises(ValueError, match="space"):
        film(client, stop)


def test_a_recording_that_its_browser_does_not_take_is_said_to_be_lost(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(record, "film", lambda client, stop: b"video")
    monkeypatch.setattr(record, "arrives", lambda server, client, seconds: False)
    client: Any = SimpleNamespace(send_file_download=lambda *file, save_immediately: None)
    with opened() as page:
        page.record._toggle(client)
    assert capsys.readouterr().err == "There is no recording: its browser has not taken it.\n"


def test_bars_reach_to_the_right_for_what_is_given_and_to_the_left_for_what_is_taken() -> None:
    drawn = bars({"linear_tracking": 0.75, "torque": -0.3})
    assert "left:50.0%;width:25.0%" in drawn
    assert "left:40.0%;width:10.0%" in drawn
    assert "linear tracking" in drawn and "-0.30" in drawn


def test_what_a_student_believes_is_said_for_each_foot(tmp_path: Path) -> None:
    write_student(tmp_path / "student.pt", EnvConfig())
    agent = load_agent(tmp_path / "student.pt")
    session = Session([agent], World("flat"), Wish(), {})
    session.step()
    assert isinstance(agent, TrainedAgent) and isinstance(agent.policy, StudentPolicy)
    said = decoded(agent.policy)
    assert list(said) == ["gate open", "touches, decoded", "friction, decoded"]
    assert all(len(values) == 4 for values in said.values())
    assert all(0 < openness < 1 for openness in said["gate open"])
    assert np.mean(said["gate open"]) == pytest.approx(float(agent.policy.output.gate.mean()), abs=1e-6)
    rows = table(said)
    assert all(leg in rows for leg in ("LF", "RF", "LH", "RH"))


def test_rewards_are_those_of_the_training_per_second() -> None:
    session = Session([load_agent("zero")], World("flat"), Wish(), {})
    env = session.focused.env
    for _ in range(5):
        session.step()
    shown = session.focused.rewards()
    assert list(shown)[0] == "linear_tracking"
    before = env.metrics_since.drain()
    session.step()
    after = env.metrics_since.drain()
    assert before and after
    assert sum(session.focused.rewards().values()) == pytest.approx(after["reward/total"], abs=0.05)
