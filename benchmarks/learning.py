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


def minutes(version: Path, seed: int, arguments: Arguments, run: Path) -> float:
    """Minutes of training until the score is reached; infinite if it is not."""
    command = [sys.executable, "train.py", "--stage", "teacher", "--seed", str(seed), "--run-dir", str(run)]
    command += ["--max-iterations", str(arguments.iterations), "--agent.keep-every", "0"]
    process = subprocess.Popen(command, cwd=version, stdout=subprocess.DEVNULL)
    try:
        while True:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)
            reached = first_above(run / "curves.csv", arguments.score)
            if reached is not None or process.returncode is not None:
                return reached if reached is not None else float("inf")
    finally:
        process.terminate()
        process.wait()


def first_above(curves: Path, score: float) -> float | None:
    """Minutes at which the mean tracking score of the last iterations first reached `score`, if it did."""
    if not curves.is_file():
        return None
    with curves.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for end in range(WINDOW, len(rows) + 1):
        if mean(float(row["tracking/linear"]) for row in rows[end - WINDOW : end]) >= score:
            return float(rows[end - 1]["train/seconds"]) / 60
    return None


def main(arguments: Arguments) -> None:
    """Measure and report."""
    taken: dict[str, list[float]] = {"ours": [], "first": []}
    with tempfile.TemporaryDirectory() as temporary:
        versions = {"ours": ROOT, "first": check_out(FIRST, Path(temporary) / "version")}
        for seed in range(arguments.seeds):
            for side, version in versions.items():
                taken[side].append(minutes(version, seed, arguments, Path(temporary) / f"{side}_{seed}"))
    results = {f"{side}, minutes": mean(runs) for side, runs in taken.items()}
    ratios = {"ours to first, minutes": results["ours, minutes"] / results["first, minutes"]}
    report("learning", ratios, results, arguments.json)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
