"""What a robot on stairs sees at each noise level and failure: `python -m envs.height_noise --out height_noise.png`."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import tyro
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from anymal_policy import layout
from envs.height_noise import LEVELS, NEVER, HeightNoise, HeightNoiseConfig, MapFailures, Pose
from envs.robot import FOOT_RADIUS, STANDING_HEIGHT
from envs.sensors import ring_points
from envs.terrains import Surface, build_map, make_tile
from system import stopping
from system.files import draw_to

PANELS = {
    "none": "none: perfect map",
    "nominal": "nominal, 60 % of the maps in training",
    "offset": "offset, 30 %",
    "noisy": "noisy, 10 %",
    "small": "small, evaluation",
    "large": "large, evaluation",
    "training": "training: nominal, cell offsets, missing patches",
    "covered": "covered sensors",
    "blank": "blank: nothing is known",
    "invented": "invented: about the soles",
    "plane": "plane",
    "elsewhere": "elsewhere: relief of another place",
    "frozen": "frozen: nothing beyond its edge",
    "stuck": "stuck: samples of 0.5 m ago, under the soles",
    "jump": "jump",
    "wall": "wall that is not there",
    "corridor": "corridor that is not there",
    "holes": "holes",
    "partial": "partial: holes at some feet",
    "late": "late by 0.2 to 0.4 s",
    "drift": "drift with the odometry",
    "shadow": "shadow of a low eye",
    "dropout": "dropout: before, while nothing is known (x), after",
}
"""Noise level -> title of its panel."""
DROPOUT = "dropout"
"""Level whose failure comes and goes."""
BRIEF = (0.2, 0.2)
"""s until it does so in its panel, and for how long."""
COLUMNS = 4
FEET = torch.tensor([[1.15, 0.2], [1.15, -0.2], [0.35, 0.2], [0.35, -0.2]])
"""m from the stairs' start, (4, 2)."""
SPEED, STEPS = 0.7, 36
"""m/s and policy steps of the walk since the map's failure began."""
COLOURS = ("tab:blue", "tab:orange", "tab:green", "tab:red")
OFFSETS = torch.from_numpy(layout.ring_offsets()).float()


def noise_of(level: str) -> HeightNoiseConfig:
    """Noise of one panel; failures begin at once."""
    if level == "training":
        return HeightNoiseConfig(condition="nominal", factor=1.0, failures=NEVER)
    failures = LEVELS[level].failures
    if level == DROPOUT:
        return replace(LEVELS[level], failures=replace(failures, begins=BRIEF, lasts=BRIEF))
    return replace(LEVELS[level], failures=replace(failures, sudden=0.0))


def standing(surface: Surface, start: Tensor, back: float) -> Pose:
    """A robot with all feet on the ground, `back` m before where it is looked at."""
    feet = FEET + start - torch.tensor([back, 0.0])
    soles = torch.from_numpy(surface.height(feet.numpy()))
    centres = torch.cat([feet, soles.unsqueeze(-1) + FOOT_RADIUS], dim=-1)
    base = centres.mean(dim=0) + torch.tensor([0.0, 0.0, STANDING_HEIGHT])
    return Pose(centres.unsqueeze(0), soles.unsqueeze(0), base.unsqueeze(0), torch.zeros(1))


def looks(surface: Surface, start: Tensor, level: str, seed: int) -> tuple[Tensor, Pose]:
    """Three looks (3, 4, 52) m of one robot in one episode, and its pose then."""
    cfg, generator, env_ids = noise_of(level), torch.Generator().manual_seed(seed), torch.zeros(1, dtype=torch.long)
    maps = HeightNoise(cfg, 1, layout.POLICY_DT, generator)
    failures = MapFailures(cfg.failures, maps.redraw_steps, 1, layout.POLICY_DT, generator)
    factor = cfg.factor or 0.0

    def query(points_w: Tensor) -> Tensor:
        return torch.from_numpy(surface.height(points_w.numpy()))

    def look(pose: Pose) -> Tensor:
        points, holes = (
            ring_points(*failures.looks_from(env_ids), OFFSETS),
            failures.holes(env_ids, maps.holes(1, factor)),
        )
        return maps.sample(env_ids, points, pose.soles, failures.shown(env_ids, pose, query), factor, holes)[0]

    pose = standing(surface, start, 0.0 if level == DROPOUT else SPEED * layout.POLICY_DT * STEPS)
    maps.reset(env_ids)
    failures.reset(env_ids, pose, factor)
    if level == DROPOUT:  # before it, in its middle, and after it
        seen = [look(pose)]
        for _ in range(2):
            for _ in range(round(0.75 * sum(BRIEF) / layout.POLICY_DT)):
                failures.advance(pose)
            seen.append(look(pose))
        return torch.stack(seen), pose
    first = look(pose) - pose.soles[0].unsqueeze(-1)
    for step in reversed(range(STEPS)):
        pose = standing(surface, start, SPEED * layout.POLICY_DT * step)
        failures.advance(pose)
    soles = pose.soles[0].unsqueeze(-1)
    return torch.stack([first + soles if failures.stuck() else look(pose) for _ in range(3)]), pose


def draw_level(axes: Axes, surface: Surface, start: Tensor, level: str, seed: int) -> None:
    """Stairs from the side with what one robot's map says, newest look darkest; + marks soles, x what is unknown."""
    x = torch.linspace(-0.4, 1.9, 700)
    line = surface.height((torch.stack([x, torch.zeros_like(x)], dim=-1) + start).numpy())
    axes.plot(x, line, color="black", linewidth=1)
    heights, pose = looks(surface, start, level, seed)
    along = (ring_points(pose.foot_position[..., :2], pose.heading, OFFSETS)[0, ..., 0] - start[0]).numpy()
    for foot, colour in enumerate(COLOURS):
        sole = float(pose.soles[0, foot])
        for look, opacity in zip(heights[:, foot].numpy(), (0.15, 0.3, 0.9), strict=True):
            axes.plot(along[foot], look, ".", color=colour, markersize=5, alpha=opacity, markeredgewidth=0)
        unknown = heights[:, foot].isnan().any(dim=0).numpy()
        axes.plot(along[foot][unknown], np.full(unknown.sum(), sole), "x", color=colour, markersize=4)
        axes.plot(FEET[foot, 0], sole, "+", color=colour, markersize=9, label=layout.LEGS[foot])
    axes.set_title(PANELS[level], fontsize=9)


def draw(seed: int) -> Figure:
    """All noise levels and failures over the same stairs of 17 x 30 cm (Miki et al. climb 17 x 29)."""
    tile = make_tile("stairs_up", height=0.17, depth=0.3)
    surface = Surface(build_map([tile]))
    edge = np.argmax(tile.heights.max(axis=0) > 0.01) * 0.05
    start = torch.from_numpy(surface.map.tile_corner_w[0]) + torch.tensor([float(edge) - 0.3, tile.size[1] / 2])
    rows = -(-len(PANELS) // COLUMNS)
    figure = Figure(figsize=(5.0 * COLUMNS, 2.4 * rows), dpi=80)
    panels = figure.subplots(rows, COLUMNS, sharex=True, sharey=True)
    for axes in panels.flat[len(PANELS) :]:
        axes.set_visible(False)
    for axes, level in zip(panels.flat, PANELS, strict=False):
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
    """Draw what the four feet's height samples say about stairs at every noise level and failure of the map.

    Args:
        out: Picture to write; its ending chooses the format.
        seed: Seed of the noise.
    """
    return draw_to(out, lambda: draw(seed))


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
