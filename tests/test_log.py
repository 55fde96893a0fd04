"""Curves, TensorBoard and console of a training run."""

from __future__ import annotations

from pathlib import Path

from fake_run import resume, rows, start
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents.log import Curves, header, line


def test_every_iteration_has_one_row_of_all_metrics_in_csv_and_tensorboard(tmp_path: Path) -> None:
    start(tmp_path, 2).train()
    resume(tmp_path, 3).train()
    table = rows(tmp_path)
    assert [row["iteration"] for row in table] == ["1", "2", "3"]
    assert [float(row["train/samples"]) for row in table] == [32, 64, 96]
    assert {"tracking/linear", "loss/value", "policy/std", "policy/learning_rate", "terrain/rough"} <= set(table[0])
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("tracking/linear")] == [1, 2, 3]
    assert set(events.Tags()["scalars"]) == set(table[0]) - {"iteration"}


def test_rows_beyond_the_last_save_are_dropped_and_new_columns_added(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    curves = Curves(path, 0)
    for iteration in (1, 2, 3):
        curves.append({"iteration": iteration, "a": 0.5})
    curves = Curves(path, 2)
    curves.append({"iteration": 3, "a": 0.25, "b": 1.0})
    curves.append({"iteration": 4, "b": 2.0})
    assert path.read_text() == "iteration,a,b\n1,0.5,nan\n2,0.5,nan\n3,0.25,1\n4,nan,2\n"


def test_console_line_shows_mean_terrain_and_each_fall_once_under_its_titles() -> None:
    metrics = {
        "train/samples": 2.5e6,
        "terrain/a": 0.2,
        "terrain/b": 0.4,
        "falls_per_minute": 1.5,
        "falls_per_minute/tilt": 1.25,
        "falls_per_minute/base": 0.5,
    }
    text = line(7, 1500, metrics, 3661)
    assert text.split() == ["7/1500", "2.50M", "-", "-", "-", "1.50", "0.300", "-", "-", "1:01:01"]
    assert len(text) == len(header(1500))
