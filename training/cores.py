"""How many processes a training is by default: those in which it is fastest, by what a step costs on one core."""

from __future__ import annotations

import argparse
import math
import os

from agents import distributed
from envs.engines import EngineName

LEAST_ROBOTS = 64
"""Of a process, by default: with fewer it spends most of its time on what does not depend on their number."""
OVERHEAD, ALONE, PHYSICS, LEARNING = 2.2, 7.5e-3, 69e-3, 46e-3
"""ms of a training step of one process: of any number of robots, and for each robot of what one thread does, of the
physics, which threads share, and of acting and learning, which gain less from them (docs/notebook.md, Speed)."""


def step_ms(robots: int, threads: int) -> float:
    """Time of a training step of a process with so many robots and threads."""
    return OVERHEAD + robots * (ALONE + PHYSICS / threads + LEARNING / math.sqrt(threads))


def best_processes(robots: int, cores: int) -> int:
    """Processes on a machine of so many cores, each with an equal share of the robots, that train them fastest."""
    most = max(1, min(cores, robots // LEAST_ROBOTS))
    counts = [count for count in range(1, most + 1) if robots % count == 0]
    return min(counts, key=lambda count: step_ms(robots // count, cores // count))


def fresh_processes(chosen: argparse.Namespace, robots: int, engine: EngineName) -> int:
    """Processes of a new run: those asked for, or one for a GPU that is, else those that train so many robots fastest.

    `robots` and `engine` are what the run has if its flags do not say otherwise.
    """
    numbers = {flag: int(value) for flag, value in vars(chosen).items() if value is not None and value.isdigit()}
    if distributed.launched() or chosen.threads is not None:
        return distributed.local_size()
    alone = chosen.device == "cuda" or (chosen.engine or engine) == "warp"
    by_default = 1 if alone else best_processes(max(1, numbers.get("num_envs", robots)), usable_cores())
    return max(1, numbers.get("processes", by_default))


def usable_cores() -> int:
    """CPU cores of the machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
