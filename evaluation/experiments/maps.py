"""Success maps over the parameters of grid steps and stairs (Miki et al. E4, Fig. S1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from envs.terrains import RESOLUTION
from evaluation.cells import make_cells
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import by_label
from evaluation.protocol import evaluate_cells
from evaluation.tables import Column, markdown_table, success

NOISES = ("nominal",)
EPISODES = 50
HEIGHT = "height"
LETTERS = 12
"""Points of numbers and titles: legible where the picture is as wide as a page of text."""


@dataclass(frozen=True)
class Map:
    """A terrain and the ranges of its parameters, beyond those of training."""

    terrain: str
    height: tuple[float, float]
    """m, of columns or risers."""
    side: str
    """Name of the other parameter."""
    sides: tuple[float, float]
    """m, its range."""

    def values(self, cells: int) -> dict[str, list[float]]:
        """Values along both axes: this many, as far as terrain of 5 cm can tell them apart."""
        heights = np.linspace(*self.height, cells).round(4)
        sides = (np.linspace(*self.sides, cells) / RESOLUTION).round() * RESOLUTION
        return {HEIGHT: heights.tolist(), self.side: np.unique(sides.round(4)).tolist()}


MAPS_OF = (
    Map("grid_steps", (0.05, 0.45), "width", (0.2, 1.0)),
    Map("stairs_up", (0.04, 0.28), "depth", (0.2, 0.6)),
)


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, and the cells."""
    axes = {each.terrain: each.values(request.map_cells) for each in MAPS_OF}
    return request.settings(NOISES, EPISODES, maps=axes)


def run(request: Request) -> list[dict[str, Any]]:
    """A row for each policy and cell."""
    rows = []
    for agent, noise in request.pairs(NOISES):
        for each in MAPS_OF:
            cells = make_cells([each.terrain], [0.0], each.values(request.map_cells))
            rows += evaluate_cells(agent, cells, noise, request.crowd(EPISODES))
            say("maps", rows[-1], each.terrain)
    return rows


def maps_in(rows: Sequence[Row]) -> dict[str, list[tuple[Map, list[Row]]]]:
    """The rows of each policy by map."""
    return {
        name: [(each, [row for row in own if row["terrain"] == each.terrain]) for each in MAPS_OF]
        for name, own in by_label(rows).items()
    }


def axes_of(each: Map, rows: Sequence[Row]) -> tuple[list[float], list[float]]:
    """Heights and sides that occur, ascending."""
    heights, sides = ({row["parameters"][name] for row in rows} for name in (HEIGHT, each.side))
    return sorted(heights), sorted(sides)


def markdown(rows: Sequence[Row]) -> str:
    """A table for each policy and map: a line for each height, a column for each side."""
    parts = []
    for name, maps in maps_in(rows).items():
        for each, own in maps:
            heights, sides = axes_of(each, own)
            cells = {(row["parameters"][HEIGHT], row["parameters"][each.side]): success(row) for row in own}
            lines = [{HEIGHT: h, **{f"{s:g}": cells[h, s] for s in sides}} for h in heights]
            columns = [Column(f"height (m) \\ {each.side} (m)", lambda line: f"{line[HEIGHT]:g}")]
            columns += [Column(f"{s:g}", lambda line, key=f"{s:g}": line[key]) for s in sides]
            parts.append(f"{name}, {each.terrain}, {own[0]['episodes']} episodes a cell\n\n")
            parts[-1] += markdown_table(lines, columns)
    return "\n\n".join(parts)


def draw(rows: Sequence[Row]) -> Figure:
    """A heat map for each policy and map, with success in percent in each cell; the tables have its intervals."""
    maps = maps_in(rows)
    figure = Figure(figsize=(7 * len(MAPS_OF), 6 * len(maps)), layout="constrained")
    panels = figure.subplots(len(maps), len(MAPS_OF), squeeze=False)
    for line, (name, own) in zip(panels, maps.items(), strict=True):
        for axes, (each, cells) in zip(line, own, strict=True):
            image = heat(axes, each, cells)
            axes.set_title(f"{name}: {each.terrain}", fontsize=LETTERS)
        figure.colorbar(image, ax=line[-1], label="success")
    return figure


def heat(axes: Axes, each: Map, rows: Sequence[Row]) -> AxesImage:
    """One heat map."""
    heights, sides = axes_of(each, rows)
    image = np.zeros((len(heights), len(sides)))
    for row in rows:
        y, x = heights.index(row["parameters"][HEIGHT]), sides.index(row["parameters"][each.side])
        image[y, x] = row["success"]
        ink = "black" if row["success"] > 0.5 else "white"
        axes.text(x, y, f"{100 * row['success']:.0f}", ha="center", va="center", fontsize=LETTERS, color=ink)
    shown = axes.imshow(image, origin="lower", vmin=0, vmax=1, cmap="viridis", aspect="auto")
    axes.set_xticks(range(len(sides)), [f"{side:g}" for side in sides], rotation=45)
    axes.set_yticks(range(len(heights)), [f"{height:g}" for height in heights])
    axes.set(xlabel=f"{each.side} (m)", ylabel="height (m)")
    return shown


MAPS = Experiment("maps", settings, run, markdown, draw)
