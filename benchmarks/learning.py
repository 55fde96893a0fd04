"""Wall minutes to a mean linear tracking score on anymal_rough: this version's defaults against the first version's.

`python -m benchmarks.learning [--json FILE]` trains each side with two seeds, taking turns, until the score is reached
(the mean of 20 iterations) or the budget is spent: hours, on two cores. The first version comes from git's history.
"""

from __future__ import annotations

import contextlib
import csv
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import tyro

from benchmarks.report import report

ROOT = Path(__file__).resolve().parents[1]
FIRST = "32aa1ba"
"""Commit of the first version."""
WINDOW = 20
"""Iterations over which the score is averaged."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    score: float = 0.85
    """Mean linear tracking score to reach."""
    seeds: int = 2
    """Seeds of each side."""
    iterations: int = 1500
    """Iterations after which a run counts as one that does not get there."""
    json: Path | None = None
    """File to write the result to."""


def check_out(commit: str, directory: Path) -> Path:
    """The project as it was at a commit, in a new directory."""
    directory.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    if archive.returncode != 0:
        sys.exit(f"learning: commit {commit} is not in git's history here; clone the project with its whole history.")
    subprocess.run(["tar", "-x", "-C", directory], input=archive.stdout, check=True)
    return directory


@dataclass(frozen=True)
class Outcome:
    """How long one run trained."""

    minutes: float
    """Minutes until the score was reached, or until the run ended without it."""
    reached: bool
    """Whether it was reached."""


def train(version: Path, seed: int, arguments: Arguments, run: Path) -> Outcome:
    """Train until the score is reached or the iterations are spent."""
    command = [sys.executable, "train.py", "--stage", "teacher", "--seed", str(seed), "--run-dir", str(run)]
    command += ["--max-iterations", str(arguments.iterations), "--agent.keep-every", "0"]
    process = subprocess.Popen(command, cwd=version, stdout=subprocess.DEVNULL)
    try:
        while process.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            outcome = read(run / "curves.csv", arguments.score)
            if outcome.reached:
                return outcome
    finally:
        process.terminate()
        process.wait()
    if process.returncode != 0:
        sys.exit(f"learning: {' '.join(command)} failed in {version}; run it there to see why.")
    return outcome


def read(curves: Path, score: float) -> Outcome:
    """What a run's curves say so far: when the mean tracking score of the last iterations first reached `score`."""
    if not curves.is_file():
        return Outcome(0.0, reached=False)
    with curves.open(newline="") as file:
        rows = list(csv.DictReader(file))
    scores = [float(row["tracking/linear"]) for row in rows]
    ends = [float(row["train/seconds"]) / 60 for row in rows]
    for last in range(WINDOW - 1, len(rows)):
        if mean(scores[last + 1 - WINDOW : last + 1]) >= score:
            return Outcome(ends[last], reached=True)
    return Outcome(ends[-1] if ends else 0.0, reached=False)


def summary(ours: Sequence[Outcome], first: Sequence[Outcome]) -> tuple[dict[str, float], dict[str, float]]:
    """Ratio and mean minutes of both sides, named as the bounds that they are where a run did not reach the score."""
    sides = {"ours": ours, "first": first}
    complete = {name: all(run.reached for run in runs) for name, runs in sides.items()}
    minutes = {name: mean(run.minutes for run in runs) for name, runs in sides.items()}
    named = {f"{name}, minutes{'' if complete[name] else ' (at least)'}": minutes[name] for name in sides}
    if not any(complete.values()):
        return {}, named
    bound = "" if all(complete.values()) else " (at most)" if complete["ours"] else " (at least)"
    return {f"ours to first, minutes{bound}": minutes["ours"] / minutes["first"]}, named


def main(arguments: Arguments) -> None:
    """Measure and report."""
    taken: dict[str, list[Outcome]] = {"ours": [], "first": []}
    with tempfile.TemporaryDirectory() as temporary:
        versions = {"ours": ROOT, "first": check_out(FIRST, Path(temporary) / "version")}
        for seed in range(arguments.seeds):
            for side, version in versions.items():
                taken[side].append(train(version, seed, arguments, Path(temporary) / f"{side}_{seed}"))
    report("learning", *summary(**taken), arguments.json)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
