"""Success on a single step up against its height (Miki et al. E6, Fig. S2B)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from evaluation.cells import make_cells
from evaluation.conditions import Command
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import by_label, curve, finish
from evaluation.protocol import evaluate_cells
from evaluation.tables import markdown_table

HEIGHTS = tuple(round(0.05 * step, 2) for step in range(1, 9))
"""m, of the step."""
NOISES = ("small", "large")
COMMAND: Command = (0.8, 0.0, 0.0)
EPISODES = 100


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, and the steps."""
    return request.settings(NOISES, EPISODES, command=list(COMMAND), heights=list(HEIGHTS))


def run(request: Request) -> list[dict[str, Any]]:
    """A row for each policy, noise and height."""
    cells, rows = make_cells(["step_up"], [0.0], {"height": HEIGHTS}), []
    for agent, noise in request.pairs(NOISES):
        rows += evaluate_cells(agent, cells, noise, request.crowd(EPISODES, COMMAND))
        say("steps", rows[-1])
    return rows


def draw(rows: Sequence[Row]) -> Figure:
    """Success over height, a curve for each policy and noise."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for own in by_label(rows).values():
        curve(axes, [row["parameters"]["height"] for row in own], own, "success", "ci95")
    axes.set_ylim(-0.02, 1.02)
    finish(axes, title="single step up at 0.8 m/s", xlabel="height of the step (m)", ylabel="success, 95 % interval")
    return figure


STEPS = Experiment("steps", settings, run, markdown_table, draw)
