"""How often a policy gets across what: `python evaluate.py --checkpoint policy.pt zero --terrains rough,stairs_up`."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tyro

from evaluation.agents import Agent, load_agent
from evaluation.cells import PARAMETERS, Cell, make_cells
from evaluation.noise import levels_for, require_levels
from evaluation.protocol import evaluate
from evaluation.tables import console_table, markdown_table


@dataclass(frozen=True)
class Args:
    """How often policies get across which terrain, with 95 % intervals; lists are separated by commas."""

    checkpoint: tuple[str, ...] = ()
    """Policy files, run directories, and the controls zero and random; by default the pretrained policy."""
    agent: Literal["policy", "zero", "random"] = "policy"
    """zero or random evaluates that control alone; it needs no checkpoint."""
    terrains: str = "flat,rough,slope_up,slope_down,step_up,step_down,stairs_up,stairs_down"
    """Terrain families (python -m envs.terrains draws them), or heightmap files (.npy, .png)."""
    noise: str = "nominal"
    """Errors of the elevation maps that Students get: none, nominal, offset, noisy, small, large, covered."""
    difficulties: str = "0.25,0.5"
    """Difficulties from 0 to 1, each linear over its family's range."""
    height: str = ""
    """m, heights of steps, risers, columns or boxes, in place of difficulties."""
    depth: str = ""
    """m, depths of a stair's tread."""
    width: str = ""
    """m, widths of large steps, step stairs or columns."""
    slope: str = ""
    """Degrees, inclinations."""
    amplitude: str = ""
    """m, amplitudes of rough ground."""
    feature: str = ""
    """m, sizes of the bumps of rough ground."""
    levels: str = ""
    """Numbers of heights of discrete rough ground."""
    density: str = ""
    """Boxes per m^2."""
    direction: str = ""
    """1 for stairs that rise, -1 for stairs that fall (--direction=-1)."""
    resolution: float | None = None
    """m between the samples of a heightmap file; default 0.05."""
    scale: float | None = None
    """m, height of full white in a PNG heightmap."""
    episodes: int = 100
    """Episodes of each policy on each ground."""
    seed: int = 0
    """Seed of terrain, start states, randomisation and pushes."""
    threads: int = 2
    """Threads of the physics; do not change results."""
    json: Path | None = None
    """File for the results with all settings."""
    markdown: Path | None = None
    """File for the table."""


@dataclass(frozen=True)
class Plan:
    """What is to be evaluated."""

    agents: list[Agent]
    cells: list[Cell]
    noises: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate as the command line says; exit code 0 when finished, 2 for a request that cannot be met."""
    args = tyro.cli(Args, args=argv, prog="evaluate.py")
    try:
        plan = prepare(args)
    except (ValueError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    try:
        results = evaluate(plan.agents, plan.cells, plan.noises, args.episodes, args.seed, args.threads, Progress(plan))
    except KeyboardInterrupt:
        print("Aborted.", file=sys.stderr)
        return 130
    print(console_table(results["cells"]))
    return write(args, results)


def prepare(args: Args) -> Plan:
    """Check the whole request before anything is simulated."""
    for name, least in (("episodes", 1), ("threads", 1), ("seed", 0)):
        if getattr(args, name) < least:
            raise ValueError(f"--{name} must be at least {least}, not {getattr(args, name)}.")
    for path in (args.json, args.markdown):
        if path is not None and (path.is_dir() or not path.resolve().parent.is_dir()):
            raise ValueError(f"{path} cannot be written: name a file in a directory that exists.")
    explicit = {name: numbers(name, getattr(args, name)) for name in PARAMETERS if getattr(args, name)}
    terrains, difficulties = items("terrains", args.terrains), numbers("difficulties", args.difficulties)
    cells = make_cells(terrains, difficulties, explicit, args.resolution, args.scale)
    noises = require_levels(items("noise", args.noise))
    return Plan([load_agent(name) for name in agent_names(args)], cells, noises)


def agent_names(args: Args) -> list[str | None]:
    """Who is evaluated, each once; None for the pretrained policy."""
    if args.agent == "policy":
        return list(dict.fromkeys(args.checkpoint)) or [None]
    if args.checkpoint:
        raise ValueError(
            f"--agent {args.agent} takes no checkpoint; for one table name both: --checkpoint PATH {args.agent}."
        )
    return [args.agent]


def items(flag: str, text: str) -> list[str]:
    """The parts of a comma-separated list."""
    parts = [part.strip() for part in text.split(",")]
    if not all(parts):
        raise ValueError(f"--{flag} takes a list like a,b, not '{text}'.")
    return parts


def numbers(flag: str, text: str) -> list[float]:
    """The numbers of a comma-separated list."""
    try:
        values = [float(part) for part in items(flag, text)]
    except ValueError:
        values = [math.nan]
    if not all(math.isfinite(value) for value in values):
        raise ValueError(f"--{flag} takes numbers like 0.1,0.2, not '{text}'.")
    return values


class Progress:
    """One line on stderr for each row of the table when it is done."""

    def __init__(self, plan: Plan) -> None:
        """Nothing is done."""
        rows = sum(len(levels_for(agent, plan.noises)) for agent in plan.agents)
        self.done, self.total = 0, rows * len(plan.cells)

    def __call__(self, row: dict[str, Any]) -> None:
        """Say what has been evaluated."""
        self.done += 1
        ground = [row["terrain"], *(f"{name} {value:g}" for name, value in row["parameters"].items())]
        ground += [f"noise {row['noise']}"] if row["noise"] else []
        success = f"{row['success']:.3f}"
        print(f"{self.done}/{self.total} {row['checkpoint']}, {', '.join(ground)}: success {success}", file=sys.stderr)


def write(args: Args, results: dict[str, Any]) -> int:
    """Write the files that were asked for; exit code."""
    try:
        if args.json is not None:
            args.json.write_text(json.dumps(results, indent=2, allow_nan=False) + "\n")
        if args.markdown is not None:
            args.markdown.write_text(markdown_table(results["cells"]) + "\n")
    except OSError as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
