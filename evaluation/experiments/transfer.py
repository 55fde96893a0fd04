"""Transfer to worlds that a policy was not trained in: its success where one thing is different."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from anymal_policy.contract import digest
from envs.drives.network import load
from evaluation.agents import Agent
from evaluation.cells import Cell, make_cells
from evaluation.conditions import CONDITIONS
from evaluation.deployment import CONTRACT, deploy, require_packages
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import label, panels
from evaluation.experiments.worlds import WORLDS, World, with_network
from evaluation.protocol import Batch, evaluate_cells, run_batch
from evaluation.reconstruction import student_in
from evaluation.tables import Column, markdown_table, success, value
from evaluation.urdf.robot import load_robot
from evaluation.urdf.walk import UrdfWorld
from system.files import scratch

GROUNDS: Mapping[str, dict[str, tuple[float, ...]]] = {
    "flat": {},
    "stairs_up": {"height": (0.17, 0.22), "depth": (0.3,)},
    "stairs_down": {"height": (0.17,), "depth": (0.3,)},
    "step_up": {"height": (0.2, 0.305)},
}
"""Terrain -> parameters in m: the stairs of the paper's course and its training limit, and the step of its robot."""
NOISES = ("nominal",)
EPISODES = 100
OF_THE_URDF = "robot of the URDF, plain MuJoCo"
NO_EXPORT = "only Students can be exported"
QUANTITIES: Mapping[str, Callable[[Row], str]] = {
    "Success with its 95 % interval": success,
    "Falls": value("falls", "d"),
    "Speed along the heading of the start (m/s)": value("speed", ".2f"),
    "Cost of transport of those that succeed": value("cost_of_transport", ".2f"),
}
"""What the tables tell."""


def cells_of(terrain: str) -> list[Cell]:
    """The grounds of one terrain."""
    return make_cells([terrain], [0.0], GROUNDS[terrain])


def ground(row: Row) -> str:
    """Terrain and height."""
    height = row["parameters"].get("height")
    return " ".join([row["terrain"].replace("_", " "), *([] if height is None else [f"{height:g} m"])])


def lacks(request: Request) -> str | None:
    """Nothing; a ValueError if a file, or what exporting takes, is not as it must be."""
    if request.drive_network is not None:
        load(request.drive_network, "with --drive-network")
    if request.robot_urdf is not None:
        load_robot(request.robot_urdf)
        if any(student_in(agent) for agent in request.agents):
            require_packages()
    return None


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, the grounds, and what is different in each world."""
    grounds = {terrain: [cell.parameters for cell in cells_of(terrain)] for terrain in GROUNDS}
    worlds: dict[str, Any] = {world.name: world.difference() for world in worlds_of(request)}
    if request.robot_urdf is not None:
        worlds[OF_THE_URDF] = {"sha256": digest(request.robot_urdf)}
    return request.settings(NOISES, EPISODES, grounds=grounds, worlds=worlds)


def worlds_of(request: Request) -> tuple[World, ...]:
    """The worlds that are a change of the environment."""
    return WORLDS if request.drive_network is None else (*WORLDS, with_network(request.drive_network))


def run(request: Request) -> list[dict[str, Any]]:
    """A row for each world, policy and ground, or for a policy that a world is not made for."""
    for file, flag in ((request.drive_network, "--drive-network"), (request.robot_urdf, "--robot-urdf")):
        if file is None:
            print(f"transfer: a world is left out: name its file with {flag}.", file=sys.stderr)
    rows = []
    with scratch() as folder:
        for world in worlds_of(request):
            rows += cross(request, world.name, partial(changed, world=world), world.unfit)
        if request.robot_urdf is not None:
            exporting = partial(exported, urdf=request.robot_urdf, folder=folder)
            rows += cross(request, OF_THE_URDF, exporting, NO_EXPORT)
    return rows


def cross(request: Request, world: str, make: Callable[[Agent], Batch | None], unfit: str) -> Iterator[dict[str, Any]]:
    """The rows of one world, in which `make` lets an agent walk, or gives None if the world does not fit it."""
    crowd = request.crowd(EPISODES)
    for agent, noise in request.pairs(NOISES):
        batch = make(agent)
        if batch is None:
            yield {"checkpoint": agent.name, "noise": noise, "world": world, "unfit": unfit}
            continue
        for terrain in GROUNDS:
            walk = partial(evaluate_cells, agent, cells_of(terrain), noise, crowd, batch)
            for row in request.parts.rows_of(f"{world}, {agent.name}, {noise}, {terrain}", walk):
                say("transfer", row, world, ground(row), f"success {row['success']:.3f}")
                yield {**row, "world": world}


def changed(agent: Agent, world: World) -> Batch | None:
    """The world of evaluation with one change."""
    walked = replace(CONDITIONS, drive=agent.env.drive)
    return partial(run_batch, change=world.change) if world.fits(walked) else None


def exported(agent: Agent, urdf: Path, folder: Path) -> Batch | None:
    """The robot of a URDF under an agent's exported policy, whose files go to a directory of their own."""
    student = student_in(agent)
    if student is None:
        return None
    out = Path(folder, str(len(list(folder.iterdir()))))
    deploy(student, agent.env.drive, out)
    return UrdfWorld(urdf, out / CONTRACT)


def markdown(rows: Sequence[Row]) -> str:
    """A table for each quantity: a line for each world and policy, a column for each ground."""
    walked = [row for row in rows if "terrain" in row]
    columns = [Column("world", value("world"), is_number=False), Column("policy", value("policy"), is_number=False)]
    columns += [Column(name, value(name)) for name in dict.fromkeys(ground(row) for row in walked)]
    tables = [f"{title}:\n\n{markdown_table(lines(rows, text), columns)}" for title, text in QUANTITIES.items()]
    return "\n\n".join([f"{walked[0]['episodes']} episodes a cell.", *tables])


def lines(rows: Sequence[Row], text: Callable[[Row], str]) -> list[dict[str, str]]:
    """For each world and policy a quantity on each ground; blank, with the reason, if the world is not for it."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        world = f"{row['world']}: {row['unfit']}" if "unfit" in row else row["world"]
        line = found.setdefault((world, label(row)), {"world": world, "policy": label(row)})
        if "terrain" in row:
            line[ground(row)] = text(row)
    return list(found.values())


def draw(rows: Sequence[Row]) -> Figure:
    """Success in each world, a panel for each ground."""
    return panels([row for row in rows if "terrain" in row], value("world"), ground)


TRANSFER = Experiment("transfer", settings, run, markdown, draw, lacks)
