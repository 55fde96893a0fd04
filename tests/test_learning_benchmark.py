"""What the benchmark of learning makes of curves."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.learning import WINDOW, Outcome, read, summary


def curves(path: Path, scores: list[float]) -> Path:
    """A run's curves with these scores, one iteration every 30 s."""
    rows = [f"{score},{30 * (index + 1)}" for index, score in enumerate(scores)]
    path.write_text("\n".join(["tracking/linear,train/seconds", *rows]) + "\n", encoding="utf-8")
    return path


def test_score_is_reached_when_the_mean_of_the_window_is(tmp_path: Path) -> None:
    scores = [0.0] * WINDOW + [1.0] * WINDOW
    outcome = read(curves(tmp_path / "curves.csv", scores), 0.5)
    assert outcome == Outcome(minutes=(WINDOW + WINDOW / 2) / 2, reached=True)


def test_run_that_falls_short_counts_with_all_its_minutes(tmp_path: Path) -> None:
    assert read(curves(tmp_path / "curves.csv", [0.4] * 50), 0.5) == Outcome(minutes=25.0, reached=False)
    assert read(tmp_path / "none.csv", 0.5) == Outcome(minutes=0.0, reached=False)


@pytest.mark.parametrize(
    ("ours", "first", "ratios"),
    [
        (True, True, {"ours to first, minutes": 0.25}),
        (True, False, {"ours to first, minutes (at most)": 0.25}),
        (False, True, {"ours to first, minutes (at least)": 0.25}),
        (False, False, {}),
    ],
)
def test_summary_names_bounds(*, ours: bool, first: bool, ratios: dict[str, float]) -> None:
    found, sides = summary([Outcome(3.0, ours)], [Outcome(12.0, first)])
    assert found == ratios
    assert list(sides.values()) == [3.0, 12.0]
    assert [name.endswith("(at least)") for name in sides] == [not ours, not first]
