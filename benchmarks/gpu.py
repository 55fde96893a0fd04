"""The same environment on a GPU (--env.engine warp) against one process on this machine's cores, and training on it.

`python -m benchmarks.gpu [--json FILE]` prints control steps of 20 ms per second for each number of robots, of the
environment alone and of a Teacher that goes on learning with its networks on the GPU, each with its ratio to one
process with a thread a core in the same run, the memory that it takes, and how long a Teacher from scratch needs until
its robots walk. On many cores several processes do more than one. Where there is no GPU it says so.
"""

from __future__ import annotations

import gc
import importlib.util
import resource
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from agents.config import PRESETS, TeacherConfig
from agents.distributed import device
from agents.precision import resolve_precision
from agents.rng import seed_everything
from agents.runner import TeacherRunner
from benchmarks.report import report, run
from envs.anymal import AnymalEnv
from envs.engines import EngineName
from envs.tasks import TASKS
from training.cores import usable_cores

WALKS = 0.7
"""Mean score of linear tracking, of 1, from which robots walk."""
TRACKING = "tracking/linear"
"""Metric of it."""
ENV, TRAINING = "one process on the cores, env", "one process, training, networks on GPU"
"""Sides that the GPU is compared with."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    robots: tuple[int, ...] = (1024, 2048, 4096, 8192, 16384)
    """Numbers of robots on the GPU."""
    on_cores: int = 1024
    """Robots of one process on the cores, with a thread a core."""
    steps: int = 48
    """Control steps that are measured of each."""
    iterations: int = 3
    """Iterations of training that are measured of each; the first one more is not."""
    walk_seconds: float = 240.0
    """s that a Teacher from scratch may take to walk; 0 leaves that out."""
    json: Path | None = None
    """File to write the result to."""


def gpu() -> str | None:
    """Name of the GPU that both Warp and torch can use; None if there is none."""
    if not torch.cuda.is_available() or importlib.util.find_spec("mujoco_warp") is None:
        return None
    import warp  # pyright: ignore[reportMissingImports]

    warp.init()
    return torch.cuda.get_device_name(0) if warp.is_cuda_available() else None


def environment(engine: EngineName, robots: int) -> AnymalEnv:
    """Robots on all training ground."""
    return AnymalEnv(replace(TASKS["anymal_rough"], num_envs=robots, threads=usable_cores(), engine=engine))


def env_rate(env: AnymalEnv, steps: int) -> float:
    """Control steps per s of robots that trot, after as many that are not measured."""
    actions = torch.zeros(env.num_envs, env.num_actions)
    for measured in (False, True):
        begin = time.perf_counter()
        for _ in range(steps):
            env.step(actions)
        if measured:
            return steps * env.num_envs / (time.perf_counter() - begin)
    raise AssertionError


def trained_rate(env: AnymalEnv, iterations: int) -> float:
    """Control steps per s of PPO's iterations."""
    agent = PRESETS["laptop"].agent
    with tempfile.TemporaryDirectory() as place:
        runner = TeacherRunner(env, agent, "anymal_rough", Path(place), resolve_precision("auto", device()))
        runner.warm_up()
        runner.logger.open(0)
        runner.learn(1)
        begin = time.perf_counter()
        runner.learn(iterations)
        seconds = time.perf_counter() - begin
        runner.logger.close()
    return iterations * agent.num_steps_per_env * env.num_envs / seconds


def give_back() -> None:
    """Let the GPU have the memory again that nobody uses: runners and environments refer to each other."""
    gc.collect()
    torch.cuda.synchronize()
    torch.cuda.empty_cache()


def walk_seconds(robots: int, most: float) -> float:
    """s of training from scratch until the commanded velocity is tracked, inf if that is more than `most`."""
    env, agent = environment("warp", robots), TeacherConfig()
    seed_everything(0)
    with tempfile.TemporaryDirectory() as place:
        runner: Any = TeacherRunner(env, agent, "anymal_rough", Path(place), resolve_precision("auto", device()))
        runner.warm_up()
        runner.logger.open(0)
        begin, scores, seconds = time.perf_counter(), _Scores(env), 0.0
        while seconds < most and scores.last() <= WALKS:
            runner.learn(1)
            seconds = time.perf_counter() - begin
        runner.logger.close()
    return seconds if scores.last() > WALKS else float("inf")


class _Scores:
    """Watches the metrics that a training takes from its environment."""

    def __init__(self, env: AnymalEnv) -> None:
        """Nothing has been seen."""
        self.values: dict[str, float] = {}
        metrics = env.metrics

        def watched() -> dict[str, float]:
            self.values = metrics()
            return self.values

        env.metrics = watched

    def last(self) -> float:
        """Score of linear tracking in the last iteration."""
        return self.values.get(TRACKING, 0.0)


def main(arguments: Arguments) -> None:
    """Measure and report."""
    name = gpu()
    if name is None:
        print("There is no GPU that torch and MuJoCo Warp (extra gpu) can use here: nothing is measured.")
        return
    print(f"{name}, {usable_cores()} cores, {time.strftime('%Y-%m-%d')}")
    torch.set_num_threads(usable_cores())
    sides: dict[str, float] = {}
    on_cores = environment("mujoco", arguments.on_cores)
    sides[ENV] = env_rate(on_cores, arguments.steps)
    sides[TRAINING] = trained_rate(on_cores, arguments.iterations)
    ratios: dict[str, float] = {}
    for robots in arguments.robots:
        give_back()
        free = torch.cuda.mem_get_info()[0]
        env = environment("warp", robots)
        sides[f"{robots} robots, env"] = env_rate(env, arguments.steps)
        sides[f"{robots} robots, training"] = trained_rate(env, arguments.iterations)
        ratios[f"{robots} robots, env to one process"] = sides[f"{robots} robots, env"] / sides[ENV]
        ratios[f"{robots} robots, training to one process"] = sides[f"{robots} robots, training"] / sides[TRAINING]
        torch.cuda.synchronize()
        ratios[f"{robots} robots, GiB of the GPU"] = (free - torch.cuda.mem_get_info()[0]) / 2**30
        del env
    ratios["GiB resident at most"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    if arguments.walk_seconds:
        sides["s to the first walk, 4096 robots"] = walk_seconds(4096, arguments.walk_seconds)
    report("gpu", ratios, sides, arguments.json, "mujoco-warp", "warp-lang")


if __name__ == "__main__":
    sys.exit(run("gpu", Arguments, main, __doc__))
