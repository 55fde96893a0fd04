"""Whole PPO iterations of the Teacher, collecting and learning, against `env.step` alone.

`python -m benchmarks.training [--json FILE]` prints control steps of 20 ms per second. The actions of each iteration
are played once more from the same state through `env.step` alone.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
import tyro
from torch import Tensor

from agents.checkpoint import read_policy
from agents.config import PRESETS
from agents.precision import resolve_precision
from agents.rng import seed_everything
from agents.runner import TeacherRunner
from benchmarks.report import Rates, ratio, report
from envs.anymal import AnymalEnv
from envs.tasks import TASKS


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    threads: int = 2
    """Threads of physics and networks."""
    iterations: int = 8
    """Iterations of the preset `laptop` that are measured."""
    checkpoint: Path = Path("pretrained/teacher.pt")
    """Policy that goes on learning."""
    json: Path | None = None
    """File to write the result to."""


class RecordingEnv(AnymalEnv):
    """An environment that remembers the actions of every step."""

    actions: tuple[Tensor, ...] = ()

    def step(self, actions: Tensor) -> tuple[Any, ...]:  # type: ignore
        """As ever."""
        self.actions = (*self.actions, actions.clone())
        return super().step(actions)


def main(arguments: Arguments) -> None:
    """Measure and report."""
    preset = PRESETS["laptop"]
    seed_everything(0)
    torch.set_num_threads(arguments.threads)
    env = RecordingEnv(replace(TASKS["anymal_rough"], num_envs=preset.num_envs, threads=arguments.threads))
    rates: Rates = {"training": [], "env.step": []}
    with tempfile.TemporaryDirectory() as directory:
        runner = TeacherRunner(env, preset.agent, "anymal_rough", Path(directory), resolve_precision("auto"))
        runner.init_from(read_policy(arguments.checkpoint))
        runner.logger.open(0)
        for iteration in range(arguments.iterations + 1):
            env.actions, before = (), env.state_dict()
            begin = time.perf_counter()
            runner.learn(1)
            trained = time.perf_counter() - begin
            actions, after = env.actions, env.state_dict()
            env.load_state_dict(before)
            begin = time.perf_counter()
            for action in actions:
                AnymalEnv.step(env, action)
            stepped = time.perf_counter() - begin
            env.load_state_dict(after)
            if iteration > 0:
                rates["training"].append(len(actions) * env.num_envs / trained)
                rates["env.step"].append(len(actions) * env.num_envs / stepped)
        runner.logger.close()
    ratios = {"training to env.step": ratio(rates, "training", "env.step")}
    report("training", ratios, {name: median(rate) for name, rate in rates.items()}, arguments.json)


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
