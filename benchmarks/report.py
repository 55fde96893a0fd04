"""What all benchmarks share: a command line, sides that take turns on the same cores, and how ratios are printed."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import tyro

from agents.distributed import LostRank
from evaluation.args import require_writable
from system import stopping
from system.files import write

PACKAGES = ("mujoco", "numba", "numpy", "torch", "rsl-rl-lib")
"""Packages whose versions a result names."""

Arguments = TypeVar("Arguments")
Rates = dict[str, list[float]]


@stopping.stoppable
def run(name: str, arguments: type[Arguments], main: Callable[[Arguments], None], about: str | None) -> int:
    """Measure what the command line asks for; a request that cannot be met ends in one sentence and exit code 2."""
    try:
        given = tyro.cli(arguments, description=about, prog=f"python -m benchmarks.{name}")
        check(vars(given))
        main(given)
    except (ValueError, OSError, LostRank) as error:
        print(f"benchmarks.{name}: {error}", file=sys.stderr)
        return 2
    return 0


def check(values: Mapping[str, Any]) -> None:
    """Refuse, before anything is measured, numbers below the least possible and a result that cannot be written."""
    for name, value in values.items():
        least = 1 if isinstance(value, int) else 0
        if isinstance(value, int | float) and not value >= least:
            raise ValueError(f"--{name.replace('_', '-')} must be at least {least}, not {value}.")
    require_writable(values["json"])


def take_turns(sides: Mapping[str, Callable[[], float]], rounds: int) -> Rates:
    """Rates per s that each side reports of itself in `rounds` rounds; in a round all run one after another."""
    rates: Rates = {name: [] for name in sides}
    for _ in range(rounds):
        for name, run in sides.items():
            rates[name].append(run())
    return rates


def ratio(rates: Rates, side: str, to: str) -> float:
    """Median over the rounds of one side's rate to another's: what slows the machine for both cancels."""
    return median(a / b for a, b in zip(rates[side], rates[to], strict=True))


def medians(rates: Rates) -> dict[str, float]:
    """The median rate of each side."""
    return {side: median(values) for side, values in rates.items()}


def processor() -> str:
    """The processor's name as the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def report(
    name: str, ratios: Mapping[str, float], sides: Mapping[str, float], file: Path | None, *packages: str
) -> None:
    """Print ratios and both sides of them, and write them to a JSON file if one is given, with more packages' versions
    than PACKAGES."""
    for side, rate in sides.items():
        print(f"{side:40s} {rate:12,.0f}" if rate >= 100 else f"{side:40s} {rate:12.2f}")
    for what, value in ratios.items():
        print(f"{what:40s} {value:12.2f}")
    if file is not None:
        result = {
            "name": name,
            "ratios": dict(ratios),
            "sides": dict(sides),
            "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.platform()},
            "versions": {"python": platform.python_version()}
            | {package: version(package) for package in (*PACKAGES, *packages)},
        }
        write(file, json.dumps(result, indent=2) + "\n")
