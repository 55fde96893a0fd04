"""`evaluate.py --suite`: which experiments are made, and where their results go."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluation.experiments.commands import COMMANDS
from evaluation.experiments.curves import CURVES
from evaluation.experiments.distance import DISTANCE
from evaluation.experiments.experiment import Experiment, Request
from evaluation.experiments.gait import GAIT
from evaluation.experiments.gate import GATE
from evaluation.experiments.mapfail import MAPFAIL
from evaluation.experiments.maps import MAPS
from evaluation.experiments.parts import OtherResultsError, Parts, read
from evaluation.experiments.reference import REFERENCE
from evaluation.experiments.robustness import ROBUSTNESS
from evaluation.experiments.sensed import SENSED_MAPS
from evaluation.experiments.steps import STEPS
from evaluation.experiments.transfer import TRANSFER
from system.console import tell
from system.files import whole, write
from system.folders import taken

OF_THE_PAPER = (MAPS, STEPS, DISTANCE, ROBUSTNESS, COMMANDS, CURVES)
EXPERIMENTS = {each.name: each for each in (REFERENCE, TRANSFER, GAIT, MAPFAIL, GATE, SENSED_MAPS, *OF_THE_PAPER)}
PAPER = "paper"
"""In place of names: every experiment of the paper for which there is all that it needs."""


def choose(names: Sequence[str], request: Request) -> list[Experiment]:
    """The experiments of these names; a ValueError for one that does not exist or lacks something."""
    chosen, everything = [], list(names) == [PAPER]
    for name in (each.name for each in OF_THE_PAPER) if everything else dict.fromkeys(names):
        if name not in EXPERIMENTS:
            raise ValueError(f"There is no experiment '{name}'; choose {PAPER} or from {', '.join(EXPERIMENTS)}.")
        if (words := EXPERIMENTS[name].lacks(request)) is None:
            chosen.append(EXPERIMENTS[name])
        elif everything:
            print(f"{name} is left out: {words}.", file=sys.stderr)
        else:
            raise ValueError(f"The experiment {name} cannot be made: {words}.")
    return chosen


def remaining(experiments: Sequence[Experiment], request: Request, out: Path) -> list[Experiment]:
    """Those whose results are not in `out` yet; a ValueError if other settings' are, for they would be lost."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a directory for the results with --out.")
    missing = []
    for experiment in experiments:
        path = out / f"{experiment.name}.json"
        if not path.exists():
            parts_of(experiment, request, out)
            missing.append(experiment)
        elif recorded(path) != split(experiment.settings(request))[0]:
            raise OtherResultsError(f"{path} holds results of other settings: name another --out, or move it away.")
        else:
            print(f"{experiment.name}: {path} holds these results already.", file=sys.stderr)
    return missing


def recorded(path: Path) -> dict[str, Any] | None:
    """Settings of the results in a file; None if it holds no results."""
    return read(path).get("settings")


def split(settings: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """What was asked for, as JSON gives it back, and the versions that it was made with."""
    asked = json.loads(json.dumps(settings))
    return asked, asked.pop("versions")


def parts_of(experiment: Experiment, request: Request, out: Path) -> Parts:
    """What an interruption has left of an experiment's rows; a ValueError if they are of other settings."""
    return Parts(out / f"{experiment.name}.part.json", json.loads(json.dumps(experiment.settings(request))))


def run_suite(experiments: Sequence[Experiment], request: Request, out: Path) -> None:
    """Make the experiments that are missing, as the only one who writes to `out`."""
    with taken(out):
        for experiment in remaining(experiments, request, out):
            make(experiment, request, out)


def make(experiment: Experiment, request: Request, out: Path) -> None:
    """Write one experiment's results when it is complete, the JSON last; the table is told even if nothing can be."""
    settings, versions = split(experiment.settings(request))
    parts = parts_of(experiment, request, out)
    rows = experiment.run(replace(request, parts=parts))
    results = {"experiment": experiment.name, "settings": settings, "versions": versions, "cells": rows}
    text = f"# {experiment.name}\n\n{experiment.markdown(rows)}\n"
    try:
        write(out / f"{experiment.name}.md", text)
        with whole(out / f"{experiment.name}.png") as part:
            experiment.draw(rows).savefig(part, dpi=100)
        write(out / f"{experiment.name}.json", json.dumps(results, indent=2, allow_nan=False) + "\n")
        parts.remove()
    finally:
        tell(text)
