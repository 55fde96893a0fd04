"""Time that an elevation map takes: on one core four pictures fused and 208 heights looked up, on all simulated robots.

`python -m benchmarks.mapping [--json FILE]` prints the best of interleaved runs in ms and us. Four pictures of 80 x 60
points should take at most 3 ms, 208 heights at most 20 us; 50 robots with four simulated cameras at 15 Hz, their maps
and heights, physics left out, at most 1 s for a second on two cores.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import report, run, take_turns
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.depth.config import DepthConfig
from envs.depth.mounts import CAMERAS
from envs.terrains import make_tile
from evaluation.noise import MAPPED, with_noise
from mapping import ElevationMap, point_variance

EYE_HEIGHT, FARTHEST = 0.55, 3.0
"""m, of the cameras above level ground, and of what they see."""
RISE, TREAD, START = 0.17, 0.3, 1.0
"""m, of stairs ahead, and where they start."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    rounds: int = 30
    """Runs of each side, one after the other in turns."""
    robots: int = 50
    """Robots with four cameras each."""
    threads: int = 2
    """Threads that they share."""
    json: Path | None = None
    """File for the result."""


def picture(name: str, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Points (4800, 3) m that a camera sees of stairs, and where it is, (3,) m."""
    mount = CAMERAS[name]
    rays = DepthConfig("cameras").rays().reshape(-1, 3) @ mount.rotation_b.T
    eye = mount.position_b + [0.0, 0.0, EYE_HEIGHT]
    away = np.where(rays[:, 2] < 0, np.minimum(-eye[2] / np.minimum(rays[:, 2], -1e-9), FARTHEST), FARTHEST)
    points = eye + rays * away[:, None]
    points[:, 2] = np.minimum(points[:, 2] + RISE * np.ceil(np.maximum(points[:, 0] - START, 0.0) / TREAD), EYE_HEIGHT)
    return points + rng.normal(0.0, 0.005, points.shape), eye


def sensing(robots: int, threads: int) -> AnymalEnv:
    """Robots that stand before stairs, with the cameras of `--noise mapped`."""
    cfg = with_noise(replace(EnvConfig(), num_envs=robots, threads=threads, noisy_groups=True), MAPPED)
    return AnymalEnv(cfg, [make_tile("stairs_up", height=RISE, depth=TREAD)])


def main(args: Arguments) -> None:
    """Measure."""
    rng, elevation = np.random.default_rng(0), ElevationMap()
    pictures = [picture(name, rng) for name in CAMERAS]
    points = rng.uniform(-1.0, 1.0, (208, 2))

    def fuse() -> None:
        elevation.move([0.0, 0.0])
        for cloud, eye in pictures:
            elevation.integrate(cloud, eye, point_variance(cloud, eye))

    robots = sensing(args.robots, args.threads)

    def second() -> None:
        for _ in range(round(1 / robots.cfg.dt)):
            robots.sensors.sense(robots.state, 0)

    sides: dict[str, Callable[[], object]] = {
        "four pictures of 80 x 60 points (ms)": fuse,
        "208 heights (us)": lambda: elevation.height(points),
        "208 heights, holes of 0.2 m filled, as in simulation (us)": lambda: elevation.height(points, fill=0.2),
        f"{args.robots} robots for a second, {args.threads} threads (ms)": second,
    }
    for work in sides.values():
        work()  # compiles
    rates = take_turns({name: lambda work=work: 1 / seconds(work) for name, work in sides.items()}, args.rounds)
    best = {name: (1e3 if "(ms)" in name else 1e6) / max(values) for name, values in rates.items()}
    report("mapping", {}, best, args.json)


def seconds(work: Callable[[], object]) -> float:
    """s that work takes by the clock."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


if __name__ == "__main__":
    sys.exit(run("mapping", Arguments, main, __doc__))
