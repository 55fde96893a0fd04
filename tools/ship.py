"""Puts what a run of all stages has made into pretrained/, byte for byte, each policy with a card of its making.

`python -m tools.ship RUN` copies teacher, student and, if it is there, blind, and exports the Student;
`--reference DIR/reference.json` (of `evaluate.py --suite reference`) adds their tables to the cards.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from agents.checkpoint import (
    BLIND,
    CURVES_FILE,
    POLICY_FILE,
    REFINE,
    STUDENT,
    TEACHER,
    WALK,
    CheckpointError,
    read_policy,
    stage_folder,
)
from agents.curves import read
from benchmarks.report import processor
from evaluation.experiments.parts import of_this_version, read_results
from evaluation.experiments.reference import ground
from evaluation.tables import Column, markdown_table, success, value
from export import export
from system import stopping
from system.files import whole, write
from system.shell import quoted

PRETRAINED = Path(__file__).resolve().parents[1] / "pretrained"
MADE_BY = {TEACHER: (WALK, REFINE), STUDENT: (STUDENT,), BLIND: (BLIND,)}
"""Stages of which each policy comes, the last one last."""
WHAT = {
    TEACHER: "The Teacher: sees the true ground around its feet and everything else that a simulator knows.",
    STUDENT: "The Student (GRU, gate, reconstruction): has a robot's sensors and a noisy map, which may fail.",
    BLIND: "The blind baseline: the Student's network and training without heights.",
}
COLUMNS = (
    Column("ground", ground, is_number=False),
    Column("noise", value("noise"), is_number=False),
    Column("success [95 % interval]", success),
    Column("falls", value("falls", "d")),
    Column("speed (m/s)", value("speed", ".2f")),
    Column("cost of transport", value("cost_of_transport", ".2f")),
)


@dataclass(frozen=True)
class Arguments:
    """What to ship."""

    run: tyro.conf.Positional[Path]
    """Run directory of all stages."""
    reference: Path | None = None
    """reference.json of an evaluation of these policies."""
    out: Path = PRETRAINED
    """Directory for the policies and their cards."""


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Ship; exit code 2 for a run that is not complete."""
    arguments = tyro.cli(Arguments, args=argv, description=__doc__, prog="python -m tools.ship")
    try:
        for kind in ship(arguments):
            print(f"Shipped {kind}.pt and {kind}.md.")
    except (OSError, ValueError) as error:
        print(f"tools.ship: {error}", file=sys.stderr)
        return 2
    return 0


def ship(arguments: Arguments) -> list[str]:
    """Copy and describe; returns the kinds of policies that there are."""
    run, out = arguments.run, arguments.out
    kinds = [kind for kind in MADE_BY if kind != BLIND or (run / BLIND / POLICY_FILE).is_file()]
    files = {kind: made(run, kind) for kind in kinds}
    records = {kind: read_policy(file) for kind, file in files.items()}
    if any(records[kind]["teacher_hash"] != records[TEACHER]["hash"] for kind in kinds if kind != TEACHER):
        raise CheckpointError(f"The Students in {run} are not of its Teacher: name a run of all stages.")
    rows = {kind: judged(arguments.reference, record["hash"]) for kind, record in records.items()}
    out.mkdir(parents=True, exist_ok=True)
    for kind, record in records.items():
        with whole(out / f"{kind}.pt") as part:
            shutil.copyfile(files[kind], part)
            if read_policy(part)["hash"] != record["hash"]:
                raise CheckpointError(f"The run {quoted(run)} has gone on since this command began: give it once more.")
        with of_this_version(arguments.reference or run):
            text = card(kind, record, run, rows[kind])
        write(out / f"{kind}.md", text)
    export(out / f"{STUDENT}.pt", out)
    return kinds


def made(run: Path, kind: str) -> Path:
    """The policy of a kind that a run has made: that of the last of its stages that there is."""
    stages = [stage_folder(run, stage) / POLICY_FILE for stage in MADE_BY[kind]]
    return next((file for file in reversed(stages) if file.is_file()), stages[-1])


def judged(reference: Path | None, content: str) -> list[dict[str, Any]]:
    """Rows of the evaluation about the policy with this content; an error if it is not among those evaluated."""
    if reference is None:
        return []
    results = read_results(reference)
    with of_this_version(reference):
        names = {each["checkpoint"] for each in results["settings"]["agents"] if each.get("hash") == content}
        seed = results["settings"]["seed"]
    if len(names) != 1:
        raise CheckpointError(f"{reference} must have each policy of the run once: evaluate them as they are now.")
    return [{**row, "seed": seed} for row in results["cells"] if row["checkpoint"] in names]


def card(kind: str, record: dict[str, Any], run: Path, rows: Sequence[dict[str, Any]]) -> str:
    """How this policy was made, and what it does."""
    flags = f" --seed {record['seed']}" if record["seed"] else ""
    flags += " --blind" if kind == BLIND else ""
    folders = {stage: stage_folder(run, stage) for stage in MADE_BY[kind]}
    spent = ", ".join(spending(stage, folder / CURVES_FILE) for stage, folder in folders.items() if folder.is_dir())
    workers = f"{record.get('ranks', 1)} processes on {os.cpu_count()} cores ({processor()})"
    parts = [
        f"# {kind}.pt",
        WHAT[kind],
        f"    python train.py --task {quoted(record['task'])}{flags}",
        f"Seed {record['seed']}, commit {record['versions']['commit']}, {record['precision']} updates, {workers}: "
        f"{spent}. It is the run's policy.pt as it stands, a running mean over its last updates (decision 36).",
        f"Content hash: `{record['hash']}`"
        + (f"; its Teacher's: `{record['teacher_hash']}`" if kind != TEACHER else ""),
    ]
    if rows:
        parts += [
            f"`make evaluate` ({rows[0]['episodes']} episodes a cell, seed {rows[0]['seed']}; "
            "conditions: docs/paper.md, decision 24):",
            markdown_table(rows, COLUMNS),
        ]
    return "\n\n".join(parts) + "\n"


def spending(stage: str, curves: Path) -> str:
    """Samples and minutes of the training that a stage took."""
    rows = read(curves)
    if not rows:
        raise ValueError(f"{curves} holds no iterations: name a run with all that its training has logged.")
    samples, seconds = float(rows[-1]["train/samples"]), float(rows[-1]["train/seconds"])
    return f"{stage} {samples / 1e6:.1f} million environment steps in {seconds / 60:.0f} minutes"


if __name__ == "__main__":
    sys.exit(main())
