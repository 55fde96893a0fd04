"""The table that every policy of this project is judged by: success on easy, hard and the paper's own grounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from evaluation.cells import Cell, make_cells
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import CURVES, by_label, finish
from evaluation.protocol import evaluate_cells
from evaluation.tables import Column, markdown_table, success

GROUNDS: Mapping[str, dict[str, tuple[float, ...]]] = {
    "flat": {},
    "rough": {"amplitude": (0.05,)},
    "slope_up": {"slope": (20.0,)},
    "slope_down": {"slope": (20.0,)},
    "stairs_up": {"height": (0.12, 0.17, 0.22), "depth": (0.3,)},
    "stairs_down": {"height": (0.12, 0.17, 0.22), "depth": (0.3,)},
    "step_up": {"height": (0.1, 0.2, 0.305)},
    "boxes": {"height": (0.15,)},
    "grid_steps": {"height": (0.15,)},
}
"""Terrain -> parameters that matter, SI units and degrees; 0.17 m are the stairs of the paper's course, 0.22 m its
training limit, 0.305 m the highest step of its robot. All others as at difficulty 0.5."""
NOISES = ("nominal", "large")
EPISODES = 300
MEDIUM = 0.5


def cells_of(terrain: str) -> list[Cell]:
    """The grounds of one terrain."""
    return make_cells([terrain], [MEDIUM], GROUNDS[terrain])


def ground(row: Row) -> str:
    """Terrain and the parameters that matter."""
    own = (f"{name} {row['parameters'][name]:g}" for name in GROUNDS[row["terrain"]])
    return ", ".join([row["terrain"], *own])


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, and the grounds."""
    grounds = {terrain: [cell.parameters for cell in cells_of(terrain)] for terrain in GROUNDS}
    return request.settings(NOISES, EPISODES, grounds=grounds)


def run(request: Request) -> list[dict[str, Any]]:
    """A row for each policy, noise and ground."""
    rows, crowd = [], request.crowd(EPISODES)
    for agent, noise in request.pairs(NOISES):
        for terrain in GROUNDS:
            rows += evaluate_cells(agent, cells_of(terrain), noise, crowd)
            say("reference", rows[-1], ground(rows[-1]), f"success {rows[-1]['success']:.3f}")
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """A line for each ground with a column for each policy and noise; then everything else that was measured."""
    lines: dict[str, dict[str, str]] = {}
    for name, own in by_label(rows).items():
        for row in own:
            lines.setdefault(ground(row), {})[name] = success(row)
    columns = [Column("ground", lambda line: line["ground"], is_number=False)]
    columns += [Column(name, lambda line, name=name: line[name]) for name in by_label(rows)]
    overview = markdown_table([{"ground": name, **line} for name, line in lines.items()], columns)
    return f"{rows[0]['episodes']} episodes a cell:\n\n{overview}\n\nIn full:\n\n{markdown_table(rows)}"


def draw(rows: Sequence[Row]) -> Figure:
    """Success on each ground, with a mark for each policy and noise."""
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots()
    grounds = list(dict.fromkeys(ground(row) for row in rows))
    looks = {name: look for name, look in CURVES.items() if name != "linewidth"}
    for number, (name, own) in enumerate(by_label(rows).items()):
        places = [grounds.index(ground(row)) + 0.08 * number for row in own]
        bounds = [[abs(row["success"] - row["ci95"][end]) for row in own] for end in (0, 1)]
        axes.errorbar(places, [row["success"] for row in own], bounds, label=name, linestyle="none", **looks)
    axes.set_xticks(range(len(grounds)), grounds, rotation=40, ha="right", fontsize=8)
    axes.set_ylim(-0.02, 1.02)
    finish(axes, ylabel="success, 95 % interval")
    return figure


REFERENCE = Experiment("reference", settings, run, markdown, draw)
