"""Minutes of training until a Teacher climbs stairs: each run's kept policies on stairs up of 0.10, 0.17 and 0.22 m.

`python -m benchmarks.climbing --runs BEFORE AFTER` evaluates them without exploration, under the conditions of every
evaluation, and reports when the share of successes first reaches 0.9 on each, by a line between the policies before and
after it. Minutes are those of collecting and updating, of all stages; compare runs of the same machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.checkpoint import POLICY_FILE, TEACHER, read_policy, stage_directories
from benchmarks.report import report
from benchmarks.report import run as run_benchmark
from evaluation.agents import load_agent
from evaluation.cells import make_cells
from evaluation.conditions import Crowd
from evaluation.protocol import evaluate_cells

HEIGHTS = (0.10, 0.17, 0.22)
"""m, of the risers."""
DEPTH = 0.3
"""m, of the treads."""


@dataclass(frozen=True)
class Arguments:
    """What to measure."""

    runs: tuple[Path, ...] = field(default_factory=tuple)
    """Run directories; the ratios are those of each to the first."""
    score: float = 0.9
    """Share of successes to reach."""
    episodes: int = 100
    """Episodes of each policy on each stairs."""
    threads: int = 2
    """Threads of the physics."""
    json: Path | None = None
    """File to write the result to."""


def policies(run: Path) -> Iterator[tuple[float, Path]]:
    """Minutes of training behind each policy that the run has kept, and its file, in order."""
    spent = 0.0
    for place in stage_directories(run):
        kept = sorted(place.glob("policy_*.pt"), key=lambda path: int(path.stem.removeprefix("policy_")))
        records = [(read_policy(path), path) for path in (*kept, place / POLICY_FILE) if path.is_file()]
        of_teachers = [(record["seconds"], path) for record, path in records if record["kind"] == TEACHER]
        yield from ((spent + seconds / 60, path) for seconds, path in dict.fromkeys(of_teachers))
        spent += max((seconds / 60 for seconds, _ in of_teachers), default=0.0)


def reached(measured: Sequence[tuple[float, float]], score: float) -> float | None:
    """Minutes after which the successes (minutes, share) first reach the score; None if they never do."""
    before, lower = 0.0, 0.0
    for minutes, share in measured:
        if share >= score:
            return before + (minutes - before) * (score - lower) / (share - lower)
        before, lower = minutes, share
    return None


def climbs(run: Path, arguments: Arguments) -> dict[float, float | None]:
    """Minutes to the score on stairs of each height, in m."""
    measured: dict[float, list[tuple[float, float]]] = {height: [] for height in HEIGHTS}
    for minutes, path in policies(run):
        agent = load_agent(str(path))
        cells = make_cells(["stairs_up"], [0.5], {"height": HEIGHTS, "depth": (DEPTH,)})
        crowd = Crowd(arguments.episodes, threads=arguments.threads)
        for height, row in zip(HEIGHTS, evaluate_cells(agent, cells, None, crowd), strict=True):
            measured[height].append((minutes, row["success"]))
        print(f"{path}: {minutes:.1f} minutes", *(f"{own[-1][1]:.2f}" for own in measured.values()), flush=True)
    return {height: reached(own, arguments.score) for height, own in measured.items()}


def main(arguments: Arguments) -> None:
    """Measure and report."""
    if not arguments.runs:
        raise ValueError("name run directories with --runs.")
    found = {run: climbs(run, arguments) for run in arguments.runs}
    first = found[arguments.runs[0]]
    sides, ratios = {}, {}
    for run, minutes in found.items():
        for height, own in minutes.items():
            name, reference = f"{run.name}, {height:g} m", first[height]
            sides[f"{name}, minutes{'' if own else ' (not reached)'}"] = own or float("inf")
            if own and reference and minutes is not first:
                ratios[f"{name}, to {arguments.runs[0].name}"] = own / reference
    report("climbing", ratios, sides, arguments.json)


if __name__ == "__main__":
    sys.exit(run_benchmark("climbing", Arguments, main, __doc__))
