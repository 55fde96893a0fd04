"""The benchmark of climbing: when a run's policies reach a share of successes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks import climbing
from benchmarks.climbing import Arguments, climbs, policies, reached


def test_the_score_is_reached_on_the_line_between_two_measurements() -> None:
    assert reached([(10.0, 0.4), (20.0, 0.8), (30.0, 1.0)], 0.9) == pytest.approx(25.0)
    assert reached([(10.0, 1.0)], 0.9) == pytest.approx(9.0)
    assert reached([(10.0, 0.4), (20.0, 0.89)], 0.9) is None


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of two stages of 20 and 10 minutes, and a Student."""
    kept = {
        "walk": {"policy_20.pt": 5, "policy_100.pt": 15, "policy.pt": 20},
        "refine": {"policy.pt": 10},
        "student": {"policy.pt": 7},
    }
    minutes = {}
    for stage, files in kept.items():
        (tmp_path / stage).mkdir()
        (tmp_path / stage / "curves.csv").touch()
        for name, spent in files.items():
            (tmp_path / stage / name).touch()
            minutes[tmp_path / stage / name] = spent

    def read(path: Path) -> dict[str, Any]:
        return {"kind": "student" if path.parent.name == "student" else "teacher", "seconds": 60.0 * minutes[path]}

    monkeypatch.setattr(climbing, "read_policy", read)
    return tmp_path


def test_a_runs_teachers_come_in_order_with_the_minutes_of_all_stages(run: Path) -> None:
    found = [(minutes, f"{path.parent.name}/{path.name}") for minutes, path in policies(run)]
    assert found == [
        (5, "walk/policy_20.pt"),
        (15, "walk/policy_100.pt"),
        (20, "walk/policy.pt"),
        (30, "refine/policy.pt"),
    ]


def test_each_height_has_its_own_minutes(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shares = iter([[0.5, 0.0, 0.0], [0.9, 0.8, 0.0], [1.0, 1.0, 0.1], [1.0, 1.0, 0.8]])
    monkeypatch.setattr(climbing, "load_agent", str)
    monkeypatch.setattr(climbing, "evaluate_cells", lambda *_: [{"success": share} for share in next(shares)])
    assert climbs(run, Arguments()) == {0.1: pytest.approx(15), 0.17: pytest.approx(17.5), 0.22: None}
