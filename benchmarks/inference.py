"""Latency of one policy step of one robot on one core: the runner, its network alone, and the same in torch.

`python -m benchmarks.inference [--checkpoint FILE] [--json FILE]` prints microseconds: by the clock, and by the
processor, to which time spent on other processes does not count. A step of the runner looks up 208 heights in an
elevation map; 99 of 100 steps should stay within 300 us.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import export
from anymal_policy import layout
from anymal_policy.deployed import Measured
from anymal_policy.exporting import example
from anymal_policy.runtime import Measurement, Runner
from benchmarks.report import ratio, report, run, take_turns
from envs.robot import STANDING_HEIGHT
from evaluation.deployment import deployed

CELL = 0.04
"""m, of the elevation map."""
MAP = np.random.default_rng(0).normal(0.0, 0.05, (150, 150))
"""m, heights around the robot."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    checkpoint: Path = Path("pretrained/student.pt")
    """Student to export."""
    rounds: int = 10
    """Stretches of steps, in turn with each way of running it."""
    steps: int = 500
    """Policy steps of a stretch."""
    json: Path | None = None
    """File to write the result to."""


class Side:
    """One way of running the policy, and how long its steps took."""

    def __init__(self, step: Callable[[int], Any], steps: int) -> None:
        """Measure stretches of `steps` calls of `step`, which is told their number."""
        self.step, self.steps = step, steps
        self.clock: list[float] = []
        self.processor: list[float] = []
        for i in range(steps):
            step(i)

    def round(self) -> float:
        """Steps per s of the clock, by the median step of a stretch."""
        for i in range(self.steps):
            clock, processor = time.perf_counter(), time.thread_time()
            self.step(i)
            self.processor.append(time.thread_time() - processor)
            self.clock.append(time.perf_counter() - clock)
        return 1 / median(self.clock[-self.steps :])

    def latencies(self) -> dict[str, float]:
        """Microseconds of the median step and of the 99th in 100."""
        return {
            f"{what}, p{percentile} us": 1e6 * float(np.percentile(times, percentile))
            for what, times in (("clock", self.clock), ("processor", self.processor))
            for percentile in (50, 99)
        }


def heights(points: NDArray) -> NDArray:
    """Heights (k,) m of the map's nearest cells at points (k, 2) m; NaN outside."""
    row, column = (points / CELL + 75).astype(int).T
    inside = (row >= 0) & (row < 150) & (column >= 0) & (column < 150)
    return np.where(inside, MAP[row.clip(0, 149), column.clip(0, 149)], np.nan)


def measurements(count: int) -> list[Measurement]:
    """Random measurements of a standing robot."""
    random = np.random.default_rng(0)
    return [
        Measurement(
            joint_position=layout.DEFAULT_JOINT_POSITION + 0.1 * random.normal(size=12),
            joint_velocity=random.normal(size=12),
            base_position_w=np.array([0.0, 0.0, STANDING_HEIGHT]),
            base_quaternion=np.array([0.8, 0.0, 0.0, 0.6]),
            linear_velocity_b=0.2 * random.normal(size=3),
            angular_velocity_b=0.2 * random.normal(size=3),
        )
        for _ in range(count)
    ]


class Torch:
    """The module that is exported, step by step in torch."""

    def __init__(self, checkpoint: Path) -> None:
        """One robot at the start of an episode."""
        self.module = deployed(export.load_student(checkpoint))
        self.measured: Measured = example(self.module, 1, torch.Generator().manual_seed(0))
        self.memory = self.module.start(self.measured)

    @torch.inference_mode()
    def step(self, _: int) -> None:
        """One policy step."""
        self.memory = self.module(self.measured, self.memory).memory


def main(arguments: Arguments) -> None:
    """Measure and report."""
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        export.export(arguments.checkpoint, Path(folder))
        runner, network = (Runner(Path(folder) / export.CONTRACT) for _ in range(2))
    given, command = measurements(50), np.array([0.5, 0.0, 0.2])
    eager = Torch(arguments.checkpoint)
    inputs = {name: value.numpy() for name, value in eager.measured.items()}
    inputs |= network.start(inputs)
    sides = {
        "runner": Side(lambda i: runner.step(given[i % 50], command, heights), arguments.steps),
        "network": Side(lambda i: network.session.run(None, inputs), arguments.steps),
        "torch": Side(eager.step, arguments.steps),
    }
    rates = take_turns({name: side.round for name, side in sides.items()}, arguments.rounds)
    report(
        "inference",
        {"network to torch, rate": ratio(rates, "network", "torch")},
        {f"{name}, {what}": value for name, side in sides.items() for what, value in side.latencies().items()},
        arguments.json,
        "onnxruntime",
    )


if __name__ == "__main__":
    sys.exit(run("inference", Arguments, main, __doc__))
