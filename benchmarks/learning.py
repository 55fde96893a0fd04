"""Minutes of training to a mean linear tracking score on anymal_rough: our defaults against the first version's.

`python -m benchmarks.learning [--json FILE]` trains each side with two seeds, taking turns, and every 40 iterations
measures the policy on ground that is the same for both (benchmarks/tracking.py), until it reaches the score: hours on
two cores. Minutes are those of collecting and updating; the last are those at which a line between the last two
measurements reaches the score. The first version comes from git's history.
"""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from benchmarks.report import report
from benchmarks.report import run as run_benchmark

ROOT = Path(__file__).resolve().parents[1]
TRACKING = ROOT / "benchmarks" / "tracking.py"
FIRST = "32aa1ba"
"""Commit of the first version."""
EVERY = 40
"""Iterations between two measurements."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    score: float = 0.85
    """Mean linear tracking score to reach."""
    seeds: int = 2
    """Seeds of each side."""
    minutes: float = 60.0
    """Minutes of training after which a run counts as one that does not get there."""
    json: Path | None = None
    """File to write the result to."""


@dataclass(frozen=True)
class Outcome:
    """How long one run trained."""

    minutes: float
    """Minutes of training until the score was reached, or without it until the run was given up."""
    reached: bool
    """Whether it was reached."""


def check_out(commit: str, directory: Path) -> Path:
    """The project as it was at a commit, in a new directory."""
    directory.mkdir()
    archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=False)
    if archive.returncode != 0:
        raise ValueError(f"commit {commit} is not in git's history here; clone the project with its whole history.")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(directory, filter="data")
    return directory


def train(version: Path, seed: int, arguments: Arguments, run: Path) -> Outcome:
    """Train until the score is reached or the minutes are spent."""
    start, iteration, at, score = ["--stage", "teacher", "--seed", str(seed), "--run-dir", str(run)], 0, 0.0, 0.0
    while True:
        iteration, before, lower = iteration + EVERY, at, score
        execute(version, "train.py", *start, "--max-iterations", str(iteration), "--agent.keep-every", "0")
        at, score = trained_minutes(run / "curves.csv"), float(execute(version, str(TRACKING), str(run)))
        print(f"{run.name}: {score:.3f} after {iteration} iterations, {at:.2f} minutes", flush=True)
        if score >= arguments.score:
            return Outcome(before + (at - before) * (arguments.score - lower) / (score - lower), reached=True)
        if at >= arguments.minutes:
            return Outcome(at, reached=False)
        start = ["--resume", str(run)]


def execute(version: Path, *command: str) -> str:
    """What a script prints, run by a version of the project, whose packages its neighbours' names do not hide (-P)."""
    path = {"PYTHONPATH": str(version), "OMP_WAIT_POLICY": "passive"}
    started, surroundings = [sys.executable, "-P", *command], os.environ | path
    done = subprocess.run(started, cwd=version, env=surroundings, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise ValueError(f"{' '.join(command)} failed in {version}, for the reason above.")
    return done.stdout


def trained_minutes(curves: Path) -> float:
    """Minutes that a run has trained, by its curves."""
    with curves.open(newline="") as file:
        return float(list(csv.DictReader(file))[-1]["train/seconds"]) / 60


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
    sys.exit(run_benchmark("learning", Arguments, main, __doc__))
