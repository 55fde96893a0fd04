"""What the benchmark of learning makes of trainings."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import learning
from benchmarks.learning import EVERY, Arguments, Outcome, summary, train


class FakeTraining:
    """Stands for train.py, of which an iteration takes 30 s, and for measurements of its policies in turn."""

    def __init__(self, *scores: float) -> None:
        """Measurements to come."""
        self.scores, self.trained = list(scores), []

    def execute(self, _: Path, script: str, *arguments: str) -> str:
        """Write curves, or give the next score."""
        if script != "train.py":
            return f"{self.scores.pop(0)}\n"
        run = Path(arguments[arguments.index("--run-dir" if "--run-dir" in arguments else "--resume") + 1])
        iterations = int(arguments[arguments.index("--max-iterations") + 1])
        run.mkdir(exist_ok=True)
        seconds = [str(30 * (iteration + 1)) for iteration in range(iterations)]
        (run / "curves.csv").write_text("\n".join(["train/seconds", *seconds]) + "\n", encoding="utf-8")
        self.trained.append(("--resume" in arguments, iterations))
        return ""


def test_training_goes_on_until_the_score_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTraining(0.3, 0.6, 0.9)
    monkeypatch.setattr(learning, "execute", fake.execute)
    outcome = train(tmp_path, 0, Arguments(score=0.6), tmp_path / "run")
    assert fake.trained == [(False, EVERY), (True, 2 * EVERY)]
    assert outcome == Outcome(minutes=EVERY, reached=True)


def test_training_that_falls_short_counts_with_all_its_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "execute", FakeTraining(0.3, 0.4, 0.5).execute)
    outcome = train(tmp_path, 0, Arguments(score=0.6, minutes=1.2 * EVERY), tmp_path / "run")
    assert outcome == Outcome(minutes=1.5 * EVERY, reached=False)


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
