"""A Student on stairs: truth, its own map, what it makes of it: `python -m tools.map_picture --out mapped.png`."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro
from einops import rearrange
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from envs.anymal import AnymalEnv
from envs.robot import FOOT_RADIUS
from envs.sensors import NoisySensors
from envs.terrains import make_tile
from envs.threads import one_torch_thread
from evaluation.agents import load_agent
from evaluation.belief import COLOURS, RECONSTRUCTED, SEEN, read_belief, require_student, sample_points
from evaluation.conditions import SECONDS, Crowd, edge, environment
from evaluation.noise import MAPPED
from system import stopping
from system.files import draw_to

RISE, TREAD = 0.17, 0.3
"""m, of the stairs."""
BEYOND = 0.75
"""m that the base is beyond the first riser in the picture."""
BEHIND, AHEAD, ASIDE, APART = 1.4, 2.2, 1.2, 0.02
"""m around the base that are drawn, and between two points of it."""
WRONG = 0.1
"""m of error at which the colours end."""
FIRST = torch.zeros(1, dtype=torch.long)
"""Row of the robot that is drawn."""
LETTERS = 9
"""Points, in a picture of 9 inches."""


@dataclass(frozen=True)
class Scene:
    """A moment of a walk: the ground around the robot, and what it knows of it; m in the world."""

    x: NDArray[np.float32]
    """(w,) of the columns."""
    y: NDArray[np.float32]
    """(h,) of the rows."""
    truth: NDArray[np.float32]
    """(h, w)."""
    shown: NDArray[np.float32]
    """(h, w) by the map; NaN where it knows nothing."""
    soles: NDArray[np.float32]
    """(4, 3)."""
    samples: dict[str, NDArray[np.float64]]
    """Kind -> (208, 3), what the Student sees and reconstructs around its feet."""


@one_torch_thread()
def walk(checkpoint: Path | None, seed: int) -> Scene:
    """Let the Student climb until it stands well on the stairs; a ValueError if it does not come so far."""
    agent, crowd = load_agent(checkpoint), Crowd(1, seed)
    student = require_student(agent)
    env = environment(agent, [make_tile("stairs_up", height=RISE, depth=TREAD)], MAPPED, crowd)
    agent.start(1, crowd.seeds.agent)
    obs, start = env.get_observations(), edge(env)[0]
    for _ in range(round(SECONDS / env.cfg.dt)):
        action = agent.act(obs)
        if env.state.base_position_w[0, 0] > start + BEYOND:
            belief = read_belief(env, student)
            kinds = [kind for kind in (SEEN, RECONSTRUCTED) if kind in belief.heights]
            return scene_of(env, {kind: sample_points(env.state, belief.heights[kind]) for kind in kinds})
        obs, _, done, _ = env.step(action)
        if done.any():
            break
    raise ValueError(f"{agent.name} does not climb the stairs with seed {seed}: choose another one.")


def scene_of(env: AnymalEnv, samples: dict[str, NDArray[np.float64]]) -> Scene:
    """The ground around the first robot as it is, and as its map has it."""
    sensors, (base_x, base_y) = env.sensors, env.state.base_position_w[0, :2].tolist()
    assert isinstance(sensors, NoisySensors) and sensors.sensed is not None
    x = np.arange(base_x - BEHIND, base_x + AHEAD, APART, dtype=np.float32)
    y = np.arange(base_y - ASIDE, base_y + ASIDE, APART, dtype=np.float32)
    points = rearrange(torch.from_numpy(np.stack(np.meshgrid(x, y), axis=-1)), "h w xy -> (h w) xy")
    truth, shown = (
        rearrange(look(points), "(h w) -> h w", h=len(y)).numpy()
        for look in (sensors.true_heights, sensors.sensed.query(FIRST))
    )
    soles = env.state.foot_position_w[0].numpy() - np.array([0.0, 0.0, FOOT_RADIUS], np.float32)
    return Scene(x, y, truth, shown, soles, samples)


def draw(scene: Scene) -> Figure:
    """Truth, map and error from above; below, stairs, map, samples and reconstruction from the side."""
    figure = Figure(figsize=(9.0, 5.6), dpi=100, layout="constrained")
    above, below = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.0, 1.05))[:, 0]
    panels: list[Axes] = list(above.subplots(1, 3, sharey=True))
    span = {"vmin": float(scene.truth.min()), "vmax": float(scene.truth.max())}
    error = 100 * (scene.shown - scene.truth)
    from_above(panels[0], scene, scene.truth, "true height, m", cmap="cividis", **span)
    from_above(panels[1], scene, scene.shown, "the map's height, m", cmap="cividis", **span)
    from_above(panels[2], scene, error, "map - truth, cm", cmap="RdBu", vmin=-100 * WRONG, vmax=100 * WRONG)
    panels[0].set_ylabel("m", fontsize=LETTERS)
    from_the_side(below.subplots(), scene)
    return figure


def from_above(axes: Axes, scene: Scene, heights: NDArray[np.float32], title: str, **colours: Any) -> None:
    """A picture of heights (h, w); grey is unknown, crosses are soles."""
    left, low = scene.x[0], scene.y[0]
    extent = (0.0, float(scene.x[-1] - left), 0.0, float(scene.y[-1] - low))
    image = axes.imshow(heights, origin="lower", extent=extent, interpolation="nearest", **colours)
    axes.set_facecolor("0.8")
    axes.plot(scene.soles[:, 0] - left, scene.soles[:, 1] - low, "x", color="black", markersize=6)
    axes.set_title(title, fontsize=LETTERS + 1)
    axes.tick_params(labelsize=LETTERS)
    bar = axes.figure.colorbar(image, ax=axes, location="bottom", shrink=0.9, aspect=30)
    bar.ax.tick_params(labelsize=LETTERS)


def from_the_side(axes: Axes, scene: Scene) -> None:
    """Stairs and map along the middle, and the samples around all feet."""
    left, middle = scene.x[0], len(scene.y) // 2
    axes.plot(scene.x - left, scene.truth[middle], color="black", linewidth=1.5, label="truth")
    axes.plot(
        scene.x - left, scene.shown[middle], color="tab:green", linewidth=1.5, label="map, under the base's middle"
    )
    for kind, points in scene.samples.items():
        colour = np.array(COLOURS[kind]) / 255
        label = {SEEN: "seen by the Student", RECONSTRUCTED: "reconstructed by it"}[kind]
        axes.plot(points[:, 0] - left, points[:, 2], ".", color=colour, markersize=4, alpha=0.7, label=label)
    axes.plot(scene.soles[:, 0] - left, scene.soles[:, 2], "x", color="black", markersize=8, label="soles")
    axes.set_xlim(0.0, float(scene.x[-1] - left))
    axes.set_xlabel("m along the stairs", fontsize=LETTERS)
    axes.set_ylabel("height, m", fontsize=LETTERS)
    axes.tick_params(labelsize=LETTERS)
    axes.legend(fontsize=LETTERS, loc="upper left")


@stopping.stoppable
def main(out: Path = Path("mapped.png"), checkpoint: Path | None = None, seed: int = 0) -> int:
    """Draw the ground of a Student on stairs, as it is and as its map of four depth cameras has it.

    Args:
        out: Picture to write; its ending chooses the format.
        checkpoint: Student's file or run directory; default the pretrained one.
        seed: Seed of start and errors.
    """
    return draw_to(out, lambda: draw(walk(checkpoint, seed)))


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
