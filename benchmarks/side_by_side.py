"""One process a core, as train.py works: each measures its share of the robots at the same time as the others."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from agents import distributed, launch


@contextmanager
def ranks(name: str, processes: int, threads: int) -> Iterator[bool]:
    """Context in which this benchmark runs in so many processes; whether this is the one that reports."""
    with launch.processes(processes, ["-m", f"benchmarks.{name}", *sys.argv[1:]]), distributed.connected():
        torch.set_num_threads(threads)
        yield distributed.rank() == 0


def rate(seconds: float, samples: int) -> float:
    """Samples per s of all processes, each of which took `samples` in its own `seconds`."""
    return sum(samples / each for each in distributed.gather(seconds))
