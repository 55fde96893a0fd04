"""What the benchmark of learning makes of trainings, and what no benchmark measures."""

from __future__ import annotations

import sys
from math import exp, pi
from pathlib import Path

import pytest
import torch

from benchmarks import learning
from benchmarks.learning import EVERY, FIRST, ROOT, TRACKING, Arguments, Outcome, summary, train
from benchmarks.report import check, run
from benchmarks.tracking import scores
from envs.frames import multiply, roll_pitch_quaternion, rotate_inverse, yaw_quaternion


class FakeTraining:
    """Stands for train.py, of which an iteration takes 30 s, and for measurements of its policies in turn."""

    def __init__(self, version: Path, *scores: float) -> None:
        """Measurements to come, in the directory of a version."""
        self.version, self.scores, self.trained = version, list(scores), []

    def execute(self, version: Path, script: str, *arguments: str) -> str:
        """Write curves, or give the next score."""
        assert version == self.version
        if script != "train.py":
            assert (script, arguments) == (str(TRACKING), (str(self.run),))
            return f"{self.scores.pop(0)}\n"
        self.run = Path(arguments[arguments.index("--run-dir" if "--run-dir" in arguments else "--resume") + 1])
        iterations = int(arguments[arguments.index("--max-iterations") + 1])
        self.run.mkdir(exist_ok=True)
        seconds = [str(30 * (iteration + 1)) for iteration in range(iterations)]
        (self.run / "curves.csv").write_text("\n".join(["train/seconds", *seconds]) + "\n", encoding="utf-8")
        self.trained.append(("--resume" in arguments, iterations))
        return ""


def test_training_goes_on_until_the_score_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeTraining(tmp_path, 0.3, 0.5, 0.9, 1.0)
    monkeypatch.setattr(learning, "execute", fake.execute)
    outcome = train(tmp_path, 0, Arguments(score=0.8), tmp_path / "run")
    assert fake.trained == [(False, EVERY), (True, 2 * EVERY), (True, 3 * EVERY)]
    assert outcome.reached
    assert outcome.minutes == pytest.approx((2 + 0.75) * EVERY / 2)


def test_training_that_falls_short_counts_with_all_its_minutes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "execute", FakeTraining(tmp_path, 0.3, 0.4, 0.5).execute)
    outcome = train(tmp_path, 0, Arguments(score=0.6, minutes=1.2 * EVERY), tmp_path / "run")
    assert outcome == Outcome(minutes=1.5 * EVERY, reached=False)


def test_sides_are_this_version_and_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = []

    def fake(version: Path, seed: int, _: Arguments, run: Path) -> Outcome:
        trained.append((version == ROOT, seed, (version / "train.py").is_file(), run.name))
        return Outcome(1.0, reached=True)

    monkeypatch.setattr(learning, "check_out", lambda commit, place: place if commit == FIRST else ROOT)
    monkeypatch.setattr(learning, "train", fake)
    learning.main(Arguments(seeds=1))
    assert trained == [(True, 0, True, "ours_0"), (False, 0, False, "first_0")]


def test_scores_turn_with_the_heading_alone() -> None:
    """A robot that pitches 60 degrees nose up and heads along +y, at 1 m/s along +y in the world."""
    pitch = roll_pitch_quaternion(torch.zeros(1), torch.tensor([-pi / 3]))
    pitched = multiply(yaw_quaternion(torch.tensor([pi / 2])), pitch)
    velocity_b = rotate_inverse(pitched, torch.tensor([[0.0, 1.0, 0.0]]))
    command = torch.tensor([[1.0, 0.0, 2.0], [0.5, 0.0, 0.0]])
    found = scores(pitched.expand(2, 4), velocity_b.expand(2, 3), command)
    torch.testing.assert_close(found, torch.tensor([1.0, exp(-1.0)]))


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"rounds": 0, "json": None}, "--rounds must be at least 1, not 0."),
        ({"minutes": float("nan"), "json": None}, "--minutes must be at least 0, not nan."),
        ({"json": Path("nowhere") / "result.json"}, "cannot be written"),
    ],
)
def test_measurements_that_would_be_lost_are_refused_at_once(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check(values)


def test_what_cannot_be_measured_is_said_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def main(_: Arguments) -> None:
        raise ValueError("there is no policy.")

    monkeypatch.setattr(sys, "argv", ["learning"])
    assert run("learning", Arguments, main, None) == 2
    assert capsys.readouterr().err == "benchmarks.learning: there is no policy.\n"


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


def test_the_policy_of_a_version_is_judged_by_that_versions_packages(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Benchmarks are called mapping and training, too."""
    with pytest.raises(ValueError, match="failed in"):
        learning.execute(ROOT, str(TRACKING), str(tmp_path / "none.pt"))
    assert "There is no checkpoint" in capfd.readouterr().err
