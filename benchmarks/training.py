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

import tyro
from torch import Tensor

from agents import distributed
from agents.checkpoint import read_policy
from agents.config import PRESETS
from agents.precision import resolve_precision
from agents.rng import seed_everything
from agents.runner import TeacherRunner
from benchmarks.report import Rates, ratio, report
from benchmarks.side_by_side import ranks, rate
from envs.anymal import AnymalEnv
from envs.ranks import Ranks
from envs.tasks import TASKS


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    processes: int = 2
    """Processes that train together, among which the robots are shared out."""
    threads: int = 1
    """Threads of physics and networks of each."""
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
    with ranks("training", arguments.processes, arguments.threads) as reports, tempfile.TemporaryDirectory() as place:
        rates = measure(arguments, Path(place))
        if reports:
            ratios = {"training to env.step": ratio(rates, "training", "env.step")}
            report("training", ratios, {name: median(rate) for name, rate in rates.items()}, arguments.json)


def measure(arguments: Arguments, place: Path) -> Rates:
    """Control steps per s of all processes, by iteration."""
    preset = PRESETS["laptop"]
    seed_everything(distributed.own_seed(0))
    num_envs = preset.num_envs // arguments.processes
    cfg = replace(TASKS["anymal_rough"], num_envs=num_envs, threads=arguments.threads)
    env = RecordingEnv(cfg, ranks=Ranks(distributed.rank(), distributed.size(), distributed.total))
    runner = TeacherRunner(env, preset.agent, "anymal_rough", place, resolve_precision("auto"))
    runner.init_from(read_policy(arguments.checkpoint))
    runner.logger.open(0)
    rates: Rates = {"training": [], "env.step": []}
    for iteration in range(arguments.iterations + 1):
        env.actions, before = (), env.state_dict()
        distributed.wait()
        begin = time.perf_counter()
        runner.learn(1)
        trained = time.perf_counter() - begin
        actions, after = env.actions, env.state_dict()
        env.load_state_dict(before)
        distributed.wait()
        begin = time.perf_counter()
        for action in actions:
            AnymalEnv.step(env, action)
        stepped = time.perf_counter() - begin
        env.load_state_dict(after)
        samples = len(actions) * num_envs
        found = {"training": rate(trained, samples), "env.step": rate(stepped, samples)}
        if iteration > 0:
            for name, value in found.items():
                rates[name].append(value)
    runner.logger.close()
    return rates


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
