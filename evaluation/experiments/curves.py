"""Learning curves of Students side by side (Miki et al. E5, Fig. S2A)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray

from agents.checkpoint import stage_directories, versions
from evaluation.curves import SMOOTHING, read_curves, smooth
from evaluation.experiments.experiment import Experiment, Request, Row
from evaluation.experiments.plots import finish
from evaluation.summary import measured
from evaluation.tables import Column, markdown_table, value, with_interval

LOSSES: dict[str, tuple[str, ...]] = {
    "behaviour": ("loss/behaviour",),
    "reconstruction": ("loss/heights", "loss/privileged"),
}
"""Name -> metrics of the run of which it is the sum."""
SAMPLES = "train/samples"


def read(run: Path) -> dict[str, NDArray[np.float64]]:
    """Samples and losses by iteration of the Student's training in a run directory."""
    curves = read_curves([stage_directories(run)[-1]])
    if LOSSES["behaviour"][0] not in curves:
        raise ValueError(f"{run} holds no training of a Student: name the directory of one with --runs.")
    unknown = np.full(len(curves[SAMPLES]), np.nan)
    losses = {name: np.sum([curves.get(part, unknown) for part in parts], 0) for name, parts in LOSSES.items()}
    return {"samples": curves[SAMPLES], **losses}


def settings(request: Request) -> dict[str, Any]:
    """The runs, and how far each had got."""
    curves = {str(run): read(run) for run in request.runs}
    runs = [
        {"run": name, "iterations": len(own["samples"]), "samples": own["samples"][-1]} for name, own in curves.items()
    ]
    return {"runs": runs, "smoothing": SMOOTHING, "versions": versions()}


def run(request: Request) -> list[dict[str, Any]]:
    """A row for each run: its curves, and its losses over the last iterations."""
    rows = []
    for directory in request.runs:
        curves = read(directory)
        last = measured(**{name: torch.from_numpy(curves[name][-SMOOTHING:]) for name in LOSSES})
        points = {name: [float(x) if np.isfinite(x) else None for x in values] for name, values in curves.items()}
        rows.append({"run": str(directory), "iterations": len(curves["samples"]), **last, "curves": points})
    return rows


COLUMNS = (
    Column("run", value("run"), is_number=False),
    Column("iterations", value("iterations", "d")),
    Column("environment steps", lambda row: f"{row['curves']['samples'][-1]:,.0f}"),
    Column("behaviour [95 % interval]", with_interval("behaviour", "behaviour_ci95", ".4f")),
    Column("reconstruction [95 % interval]", with_interval("reconstruction", "reconstruction_ci95", ".4f")),
)


def markdown(rows: Sequence[Row]) -> str:
    """Losses at the end of each run."""
    return f"Mean over the last {SMOOTHING} iterations:\n\n{markdown_table(rows, COLUMNS)}"


def draw(rows: Sequence[Row]) -> Figure:
    """Both losses over environment steps, smoothed, with the interval of that mean at the end."""
    figure = Figure(figsize=(11, 5), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2), LOSSES, strict=True):
        for row in rows:
            samples, losses = (np.array(row["curves"][key], float) for key in ("samples", name))
            (line,) = axes.plot(samples / 1e6, smooth(losses), label=row["run"], linewidth=1.2)
            if row[f"{name}_ci95"] is not None:
                axes.vlines(samples[-1] / 1e6, *row[f"{name}_ci95"], color=line.get_color(), linewidth=3)
        finish(axes, title=f"{name} loss", xlabel="million environment steps", ylabel="mean squared error")
    return figure


def lacks(request: Request) -> str | None:
    """Runs; those that cannot be read raise a ValueError."""
    for directory in request.runs:
        read(directory)
    return None if request.runs else "name directories of Students' trainings with --runs"


CURVES = Experiment("curves", settings, run, markdown, draw, lacks)
