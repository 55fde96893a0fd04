"""What a robot on stairs sees under each noise level: `python -m envs.height_noise --out height_noise.png`."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from anymal_policy import layout
from envs.height_noise import LEVELS, HeightNoise, HeightNoiseConfig
from envs.senses import ring_points
from envs.terrains import Surface, build_map, make_tile
from system import stopping
from system.console import say
from system.files import whole
from system.shell import quoted

PANELS = {
    "none": "perfect map",
    "nominal": "nominal, 60 % of the maps in training",
    "offset": "offset, 30 %",
    "noisy": "noisy, 10 %",
    "small": "small, evaluation",
    "large": "large, evaluation",
    "training": "training: nominal with cell offsets and missing patches",
    "covered": "covered sensors",
}
"""Noise level -> title of its panel."""
FEET = torch.tensor([[1.15, 0.2], [1.15, -0.2], [0.35, 0.2], [0.35, -0.2]])
"""m from the stairs' start, (4, 2)."""
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")


def noise_of(level: str) -> HeightNoiseConfig:
    """Noise of one panel."""
    return HeightNoiseConfig(condition="nominal", factor=1.0) if level == "training" else LEVELS[level]


def draw_level(axes: Axes, surface: Surface, start: Tensor, level: str, seed: int) -> None:
    """Stairs from the side with three looks of one robot's map in one episode, newest darkest; + marks the soles."""
    noise = HeightNoise(noise_of(level), 1, layout.POLICY_DT, torch.Generator().manual_seed(seed))
    row = torch.zeros(1, dtype=torch.long)
    noise.reset(row)

    def query(points_w: Tensor) -> Tensor:
        return torch.from_numpy(surface.height(points_w.numpy()))

    x = torch.linspace(-0.4, 1.9, 700)
    axes.plot(x, query(torch.stack([x, torch.zeros_like(x)], dim=-1) + start), color="black", linewidth=1)
    feet = FEET + start
    soles = query(feet)
    points = ring_points(feet.unsqueeze(0), torch.zeros(1), torch.from_numpy(layout.ring_offsets()).float())
    factor = noise_of(level).factor or 0.0
    for opacity in (0.15, 0.3, 0.9):
        heights = noise.sample(row, points, soles.unsqueeze(0), query, factor)[0]
        for foot, colour in enumerate(COLOURS):
            along = points[0, foot, :, 0] - start[0]
            axes.plot(along, heights[foot], ".", color=colour, markersize=5, alpha=opacity, markeredgewidth=0)
    for foot, colour in enumerate(COLOURS):
        axes.plot(FEET[foot, 0], soles[foot], "+", color=colour, markersize=9, label=layout.LEGS[foot])
    axes.set_title(PANELS[level], fontsize=9)


def draw(seed: int) -> Figure:
    """All noise levels over the same stairs of 17 x 30 cm (Miki et al. climb 17 x 29)."""
    tile = make_tile("stairs_up", height=0.17, depth=0.3)
    surface = Surface(build_map([tile]))
    edge = np.argmax(tile.heights.max(axis=0) > 0.01) * 0.05
    start = torch.from_numpy(surface.map.tile_corner_w[0]) + torch.tensor([edge - 0.3, tile.size[1] / 2])
    figure = Figure(figsize=(13.0, 11.0), dpi=90)
    panels = figure.subplots(4, 2, sharex=True, sharey=True)
    for axes, level in zip(panels.flat, PANELS, strict=True):
        draw_level(axes, surface, start, level, seed)
    panels[0, 0].set_ylim(-0.6, 1.6)
    panels[0, 0].legend(fontsize=8, loc="upper left")
    for axes in panels[:, 0]:
        axes.set_ylabel("height, m", fontsize=8)
    for axes in panels[-1]:
        axes.set_xlabel("where the sample should lie, m", fontsize=8)
    figure.tight_layout(pad=0.8)
    return figure


@stopping.stoppable
def main(out: Path = Path("height_noise.png"), seed: int = 0) -> int:
    """Draw what the four feet's height samples say about stairs under every noise level.

    Args:
        out: Picture to write; its ending chooses the format.
        seed: Seed of the noise.
    """
    try:
        with whole(out) as part:
            draw(seed).savefig(part)
    except (OSError, ValueError) as error:
        say(f"Cannot write {out}: {error}")
        return 2
    print(f"Wrote {quoted(out)}")
    return 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
