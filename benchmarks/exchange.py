"""The sum of a Teacher's gradients over the ranks, as agents/exchange.py takes it, against gloo's.

`python -m benchmarks.exchange [--json FILE]` prints sums per second: how long each takes from when the last rank comes
with its gradients to when the last one has the sum. As in training the ranks compute before each, one a core: where
they do nothing else, gloo's threads never wait for a core.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import FileStore  # pyright: ignore[reportPrivateImportUsage]

from agents import distributed
from agents.models import ActorNetwork, CriticNetwork
from anymal_policy import layout
from benchmarks.report import medians, ratio, report, run, take_turns
from benchmarks.side_by_side import ranks

WORK = 1000
"""Rows and columns of a matrix that is squared twice before each sum, which takes some 30 ms, as a mini-batch does."""
STRETCH = 15
"""Sums in a row: those of an iteration."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    processes: int = 2
    """Ranks."""
    threads: int = 1
    """Threads with which each computes between two sums."""
    rounds: int = 10
    """Stretches of sums of each kind."""
    json: Path | None = None
    """File to write the result to."""


def main(arguments: Arguments) -> None:
    """Measure and report."""
    with ranks("exchange", arguments.processes, arguments.threads) as reports:
        if distributed.neighbours is None:
            raise ValueError("Ranks of one machine are measured, at least two: give --processes 2.")
        meeting = distributed.gather(mkdtemp())[0]
        store = FileStore(f"{meeting}/gloo", arguments.processes)
        dist.init_process_group("gloo", store=store, rank=distributed.rank(), world_size=arguments.processes)
        networks = nn.ModuleList([ActorNetwork(layout.size(layout.ACTION)), CriticNetwork()])
        gradients = torch.zeros(sum(parameter.numel() for parameter in networks.parameters()))
        kinds = {"exchange": distributed.neighbours.total, "gloo": distributed.all_reduce}
        rates = take_turns(
            {name: lambda total=total: rate(total, gradients) for name, total in kinds.items()}, arguments.rounds
        )
        if reports:
            report("exchange", {"exchange to gloo": ratio(rates, "exchange", "gloo")}, medians(rates), arguments.json)


def rate(total: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Sums per s, by a stretch of them with work before each: who has one goes on, whether the others do or not."""
    matrix, own = torch.ones(WORK, WORK), []
    for _ in range(STRETCH):
        for _ in range(2):
            matrix = matrix @ matrix / WORK
        begin = time.perf_counter()
        total(x)
        own.append((begin, time.perf_counter()))
    begins, ends = torch.tensor(distributed.gather(own), dtype=torch.float64).amax(0).unbind(-1)
    return STRETCH / (ends - begins).sum().item()


if __name__ == "__main__":
    sys.exit(run("exchange", Arguments, main, __doc__))
