"""How often a policy gets across what: `python evaluate.py --checkpoint policy.pt zero --terrains rough,stairs_up`.

With `--suite paper --out DIR` the experiments of the paper (docs/evaluate.md).
"""

from __future__ import annotations

from system import early

if __name__ == "__main__":
    early.at_once()  # for the seconds that the imports below take

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from envs.config import EnvConfig
from envs.tasks import task_config
from evaluation.agents import Agent, NotFiniteError, find_teacher, load_agent
from evaluation.args import (
    Args,
    agent_names,
    items,
    numbers,
    require_map,
    require_one_kind,
    require_sizes,
    require_writable,
)
from evaluation.cells import ANY, PARAMETERS, Cell, make_cells
from evaluation.conditions import Crowd
from evaluation.experiments.experiment import Experiment, Request
from evaluation.experiments.parts import OtherResultsError
from evaluation.experiments.suite import choose, remaining, run_suite
from evaluation.noise import levels_for, require_levels, with_map
from evaluation.protocol import evaluate
from evaluation.tables import console_table, markdown_table
from system import stopping
from system.console import say, show
from system.files import write
from system.folders import FolderInUse
from system.numbers import require_finite

EPISODES = 100
"""Of each policy on each ground."""


@dataclass(frozen=True)
class Plan:
    """What is to be evaluated, and where the results go."""

    args: Args
    agents: list[Agent]
    cells: list[Cell]
    noises: tuple[str, ...]

    def run(self) -> None:
        """Evaluate on every ground, and write the files that were asked for."""
        args, progress = self.args, Progress(self)
        crowd = Crowd(args.episodes or EPISODES, args.seed, threads=args.threads)
        results = evaluate(self.agents, self.cells, self.noises, crowd, progress, self.world)
        try:
            show(console_table(results["cells"]))
        finally:  # each is worth having where the other cannot be written
            if args.json is not None:
                write(args.json, json.dumps(results, indent=2, allow_nan=False) + "\n")
            if args.markdown is not None:
                write(args.markdown, markdown_table(results["cells"]) + "\n")

    def world(self, cfg: EnvConfig) -> EnvConfig:
        """An environment with the physics, and where robots make maps with the sensors, that were asked for."""
        return with_map(self.args.physics(cfg), self.args.map)


@dataclass(frozen=True)
class SuitePlan:
    """Which experiments are to be made, and where their results go."""

    experiments: list[Experiment]
    request: Request
    out: Path

    def run(self) -> None:
        """Make them."""
        run_suite(self.experiments, self.request, self.out)


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate as the command line says; exit code 0 when finished, 2 for a request that cannot be met."""
    args = tyro.cli(Args, args=argv, prog="evaluate.py")
    try:
        require_one_kind(args)
        require_sizes(args)
        require_finite(args.map, "map")
        require_finite(args.physics, "physics")
        require_finite(args.drive, "drive")
        plan = prepare_suite(args) if args.suite else prepare(args)
    except (ValueError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    try:
        plan.run()
    except (NotFiniteError, FolderInUse, OtherResultsError, OSError) as error:
        print(f"evaluate.py: {error}", file=sys.stderr)
        return 2
    return 0


def prepare(args: Args) -> Plan:
    """Check the whole request before anything is simulated."""
    for path in (args.json, args.markdown):
        require_writable(path)
    task = task_config(args.task)
    explicit = {name: numbers(name, getattr(args, name)) for name in PARAMETERS if getattr(args, name)}
    terrains, difficulties = items("terrains", args.terrains), numbers("difficulties", args.difficulties)
    headings = [ANY] if args.heading == "any" else numbers("heading", args.heading)
    cells = make_cells(terrains, difficulties, explicit, args.resolution, args.scale, args.start, headings, args.walls)
    noises = require_levels(items("noise", args.noise))
    require_map(args, noises)
    agents = [load_agent(name, task, args.drive) for name in agent_names(args)]
    for agent in agents:
        args.physics(agent.env)
    return Plan(args, agents, cells, noises)


def prepare_suite(args: Args) -> SuitePlan:
    """Check the whole request before anything is simulated."""
    if args.out is None:
        raise ValueError("A suite needs a directory for its results: name one with --out.")
    task = task_config(args.task)
    agents = [load_agent(name, task, args.drive) for name in agent_names(args)]
    teacher = find_teacher(args.teacher, args.drive)
    shared = ("episodes", "drive_network", "robot_urdf", "map_cells", "seed", "threads")
    own = {name: getattr(args, name) for name in shared}
    conditions, grounds = subset("conditions", args.conditions), subset("grounds", args.grounds)
    request = Request(agents, teacher, args.runs, conditions=conditions, grounds=grounds, **own)
    experiments = choose(items("suite", args.suite), request)
    return SuitePlan(remaining(experiments, request, args.out), request, args.out)


def subset(flag: str, text: str) -> tuple[str, ...]:
    """The names in a list; none if it was not asked for."""
    return tuple(items(flag, text)) if text else ()


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
        say(f"{self.done}/{self.total} {row['checkpoint']}, {', '.join(ground)}: success {success}")


if __name__ == "__main__":
    sys.exit(main())
