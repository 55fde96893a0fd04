"""One process a core, as train.py works: each measures its share of the robots at the same time as the others."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from agents import distributed, launch


@contextmanager
def ranks(name: str, processes: int, threads: int) -> Iterator[bool]:
    """Context in which this benchmark runs in so many processes; whether this is the one that reports."""
    with launch.processes(processes, ["-m", f"benchmarks.{name}", *sys.argv[1:]]) as others:
        try:
            with distributed.connected(), distributed.together():
                torch.set_num_threads(threads)
                yield distributed.rank() == 0
        except distributed.LostRank:
            print(others.messages(), file=sys.stderr, end="")
            raise


def timed(work: Callable[[], object]) -> float:
    """Seconds that this process takes for its work, which all begin together."""
    distributed.wait()
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def rate(seconds: float, samples: int) -> float:
    """Environment steps per s of all processes, each of which took `samples` of them in its own `seconds`."""
    return sum(samples / each for each in distributed.gather(seconds))
