"""The table that every policy of this project is judged by: success on easy, hard and the paper's own grounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from evaluation.cells import Cell, make_cells
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import CURVES, by_label, finish
from evaluation.experiments.requirements import Requirement, summary_table
from evaluation.protocol import evaluate_cells
from evaluation.reconstruction import is_blind
from evaluation.tables import Column, markdown_table, success, value

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
EASY = (
    "flat", "rough, amplitude 0.05", "slope_up, slope 20", "slope_down, slope 20", "stairs_up, height 0.12, depth 0.3",
    "stairs_down, height 0.12, depth 0.3", "stairs_down, height 0.17, depth 0.3", "stairs_down, height 0.22, depth 0.3",
)  # fmt: skip
HARD = {
    "easy ground": EASY,
    "stairs": ("stairs_up, height 0.17, depth 0.3",),
    "steep stairs": ("stairs_up, height 0.22, depth 0.3",),
    "high step": ("step_up, height 0.305",),
    "blocks": ("boxes, height 0.15", "grid_steps, height 0.15"),
}
LEAST = {
    "none": (0.99, 0.99, 0.95, 0.95, 0.97),
    "nominal": (0.99, 0.98, 0.92, 0.93, 0.95),
    "large": (0.98, 0.97, 0.88, 0.93, 0.93),
}
"""Noise -> least success on the grounds of `HARD`; none is what a Teacher has."""
SHIPPED = tuple(
    Requirement(words, "success", least, (noise,), grounds)
    for noise, row in LEAST.items()
    for (words, grounds), least in zip(HARD.items(), row, strict=True)
)
"""What shipped policies must reach."""


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
    """A row for each ground, policy and noise; one that sees no heights has one noise."""
    rows, crowd = [], request.crowd(EPISODES)
    for terrain in GROUNDS:
        for agent, noise in request.pairs(NOISES):
            if not is_blind(agent) or noise == NOISES[0]:
                make = partial(evaluate_cells, agent, cells_of(terrain), noise, crowd)
                rows += request.parts.rows_of(f"{agent.name}, {noise}, {terrain}", make)
                say("reference", rows[-1], ground(rows[-1]), f"success {rows[-1]['success']:.3f}")
    return rows


def markdown(rows: Sequence[Row]) -> str:
    """Success and cost on each ground of each policy and noise, what shipped ones must reach, and everything else."""
    parts = [f"{rows[0]['episodes']} episodes a cell:", overview(rows, success)]
    parts += ["Cost of transport of those that succeed:", overview(rows, value("cost_of_transport", ".2f"))]
    conditions = {row["noise"] for row in rows} - {None}
    if conditions:
        parts += ["What a Teacher (none) and a Student (nominal, large) must reach:"]
    for name in dict.fromkeys(row["checkpoint"] for row in rows if row["noise"] is not None):
        own = [{**row, "condition": row["noise"], "ground": ground(row)} for row in rows if row["checkpoint"] == name]
        noises = {row["noise"] for row in own}
        parts += [f"{name}:", summary_table(own, [each for each in SHIPPED if noises & set(each.conditions)])]
    return "\n\n".join([*parts, "In full:", markdown_table(rows)])


def overview(rows: Sequence[Row], text: Callable[[Row], str]) -> str:
    """A line for each ground with a column for each policy and noise."""
    lines: dict[str, dict[str, str]] = {}
    for name, own in by_label(rows).items():
        for row in own:
            lines.setdefault(ground(row), {})[name] = text(row)
    columns = [Column("ground", lambda line: line["ground"], is_number=False)]
    columns += [Column(name, lambda line, name=name: line[name]) for name in by_label(rows)]
    return markdown_table([{"ground": name, **line} for name, line in lines.items()], columns)


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
