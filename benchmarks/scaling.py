"""Cost of an environment step over the number of robots and the area of the terrain, and peak memory.

`python -m benchmarks.scaling [--json FILE]` prints control steps of 20 ms per second; ratios are the slowest side to
the fastest. All sides take the same steps, so that their robots are as far into their episodes. The peak is that of a
process that trains 4096 robots for two iterations of 48 steps.
"""

from __future__ import annotations

import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import torch

from agents.config import TeacherConfig
from agents.precision import resolve_precision
from agents.rng import seed_everything
from agents.runner import TeacherRunner
from benchmarks.report import Rates, medians, report, run, take_turns
from envs.anymal import AnymalEnv
from envs.tasks import TASKS
from envs.terrains import make_tile

NUMBERS = (64, 256, 1024, 4096)
"""Robots side by side."""
LEAST = 256
"""Robots from which on the cost of a step shall stay the same."""
TILES = (16, 256)
"""Tiles of 8 x 8 m under 512 robots."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    threads: int = 1
    """Threads of physics and environment, one as in each process of train.py."""
    rounds: int = 8
    """Rounds in which all sides take turns."""
    steps: int = 12
    """Control steps that each side takes in a round."""
    before: int = 36
    """Control steps before the first of them."""
    json: Path | None = None
    """File to write the result to."""


class Side:
    """An environment whose robots trot."""

    def __init__(self, env: AnymalEnv, arguments: Arguments) -> None:
        """Let them land and find their stride."""
        self.env, self.steps = env, arguments.steps
        self.actions = torch.zeros(env.num_envs, env.num_actions)
        self._step(arguments.before)

    def _step(self, count: int) -> None:
        for _ in range(count):
            self.env.step(self.actions)

    def run(self) -> float:
        """Control steps per s of one round."""
        begin = time.perf_counter()
        self._step(self.steps)
        return self.steps * self.env.num_envs / (time.perf_counter() - begin)


def peak_memory(threads: int) -> float:
    """GiB resident at most in this process while it trains."""
    seed_everything(0)
    torch.set_num_threads(threads)
    agent = TeacherConfig(max_iterations=2, num_steps_per_env=48)
    env = AnymalEnv(replace(TASKS["anymal_rough"], num_envs=4096, threads=threads))
    with tempfile.TemporaryDirectory() as directory:
        TeacherRunner(env, agent, "anymal_rough", Path(directory), resolve_precision("auto")).train()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def slowest_to_fastest(rates: Rates, sides: list[str]) -> float:
    """Median over the rounds of the slowest side's rate to the fastest's."""
    return median(min(turn) / max(turn) for turn in zip(*(rates[side] for side in sides), strict=True))


def main(arguments: Arguments) -> None:
    """Measure and report."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        memory = pool.apply(peak_memory, (arguments.threads,))
    torch.set_num_threads(arguments.threads)
    cfg = replace(TASKS["anymal_rough"], threads=arguments.threads)
    numbers = {f"{n} robots": AnymalEnv(replace(cfg, num_envs=n)) for n in NUMBERS}
    areas = {
        f"{n} tiles": AnymalEnv(cfg, [make_tile("rough", difficulty=0.5, size=(8.0, 8.0), seed=i) for i in range(n)])
        for n in TILES
    }
    sides = {name: Side(env, arguments) for name, env in {**numbers, **areas}.items()}
    rates = take_turns({name: side.run for name, side in sides.items()}, arguments.rounds)
    ratios = {
        "slowest to fastest over robots": slowest_to_fastest(rates, [f"{n} robots" for n in NUMBERS if n >= LEAST]),
        "slowest to fastest over area": slowest_to_fastest(rates, list(areas)),
        "GiB at 4096 robots": memory,
    }
    report("scaling", ratios, medians(rates), arguments.json)


if __name__ == "__main__":
    sys.exit(run("scaling", Arguments, main, __doc__))
