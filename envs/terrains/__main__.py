"""One picture of all terrain families over difficulty: `python -m envs.terrains --out terrains.png`."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import fill

import numpy as np
import tyro
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from envs.terrains.grid import RESOLUTION
from envs.terrains.table import FAMILIES
from envs.terrains.tile import Tile, make_tile
from system import stopping
from system.files import draw_to

DIFFICULTIES = (0.0, 0.5, 1.0)
LETTERS = 13
"""Points of a title: legible where the picture is as wide as a page of text."""
LIGHT = np.array((-0.5, 0.5, 1.0)) / np.sqrt(1.5)
"""Direction to the light: upper left, about 55 degrees high."""


def brightness(tile: Tile) -> NDArray[np.float64]:
    """Light that falls on each sample, relative to level ground, (ny, nx)."""
    dy, dx = np.gradient(tile.heights.astype(np.float64), RESOLUTION)
    facing = (LIGHT[2] - LIGHT[0] * dx - LIGHT[1] * dy) / np.sqrt(1.0 + dx**2 + dy**2)
    return np.clip(facing, 0.0, None) / LIGHT[2]


def draw_tile(axes: Axes, tile: Tile, span: float) -> None:
    """A tile from above, lit from the upper left; colours reach from -span to span m, a dot is the start, a bar 1 m."""
    colour = colormaps["cividis"](np.clip(0.5 + tile.heights / (2.0 * span), 0.0, 1.0))[..., :3]
    shaded = np.clip(colour * (0.25 + 0.75 * brightness(tile)[..., None]), 0.0, 1.0)
    axes.imshow(shaded, origin="lower", extent=(0, tile.size[0], 0, tile.size[1]))
    axes.plot(*tile.start, "o", color="tab:red", markersize=4)
    for way in [] if tile.heading is None else [1.0, -1.0][: 1 + tile.both_ways]:
        axes.annotate("", (tile.start[0] + way, tile.start[1]), tile.start, arrowprops={"color": "tab:red", "width": 1})
    values = [f"{name} {value:.3g}" for name, value in tile.parameters.items()]
    axes.set_title(fill(", ".join(values), 42), fontsize=LETTERS - 2, pad=3)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.plot((0.3, 1.3), (0.3, 0.3), color="white", linewidth=3, solid_capstyle="butt")
    axes.text(0.8, 0.45, "1 m", color="white", ha="center", va="bottom", fontsize=LETTERS - 3)


def draw_families() -> Figure:
    """All families, a row each, over difficulty."""
    names = list(FAMILIES)
    rows = [[make_tile(name, difficulty) for difficulty in DIFFICULTIES] for name in names]
    figure = Figure(figsize=(12.0, sum(4.0 * row[0].size[1] / row[0].size[0] + 0.5 for row in rows)), dpi=75)
    shares = [row[0].size[1] / row[0].size[0] for row in rows]
    axes = figure.subplots(len(rows), len(DIFFICULTIES), squeeze=False, gridspec_kw={"height_ratios": shares})
    for name, row, row_axes in zip(names, rows, axes, strict=True):
        span = max(0.01, *(float(abs(tile.heights).max()) for tile in row))
        row_axes[0].set_ylabel(name, fontsize=LETTERS)
        for tile, one in zip(row, row_axes, strict=True):
            draw_tile(one, tile, span)
        row_axes[-1].text(
            1.02,
            0.5,
            f"±{span:.2g} m",
            transform=row_axes[-1].transAxes,
            rotation=90,
            va="center",
            fontsize=LETTERS - 2,
        )
    for difficulty, one in zip(DIFFICULTIES, axes[0], strict=True):
        one.set_title(f"difficulty {difficulty:g}\n{one.get_title()}", fontsize=LETTERS)
    figure.tight_layout(pad=0.6)
    return figure


@stopping.stoppable
def main(out: Path = Path("terrains.png")) -> int:
    """Draw all terrain families over difficulty 0 to 1, seen from above, +x to the right.

    Args:
        out: Picture to write; its ending chooses the format.
    """
    return draw_to(out, draw_families)


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
