"""Which commands are tracked, how well and at what cost, and how robots stand (Miki et al. E3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from envs.terrains import make_tile
from envs.threads import one_torch_thread
from evaluation import conditions
from evaluation.agents import Agent
from evaluation.conditions import Command, Crowd, edge, environment, masses
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import by_label, curve, finish
from evaluation.experiments.tracking import BEFORE_STEP, BEHIND_STEP, SETTLING, Passage, Tracking, give
from evaluation.protocol import groups
from evaluation.rollout import roll_out
from evaluation.summary import measured
from evaluation.tables import WHO, Column, markdown_table, value, with_interval

NOISES = ("nominal",)
EPISODES = 20
STANDING: Command = (0.0, 0.0, 0.0)
FORWARD, LATERAL, YAW, STEP, STAND = "forward", "lateral", "yaw", "forward over a step", "standing"
COMPONENT = {FORWARD: 0, STEP: 0, LATERAL: 1, YAW: 2}
"""Sweep -> the component of the command that it varies."""
SWEEPS: dict[str, tuple[float, ...]] = {
    FORWARD: tuple(round(0.2 * i, 1) for i in range(1, 11)),
    LATERAL: tuple(round(0.2 * i, 1) for i in range(1, 9)),
    YAW: tuple(0.5 * i for i in range(1, 9)),
    STEP: tuple(round(0.2 * i, 1) for i in range(2, 9)),
    STAND: (0.0,),
}
"""Commands in m/s or rad/s."""
MEASURES: dict[str, tuple[str, ...]] = {
    FORWARD: ("velocity_error", "yaw_rate_error", "cost_of_transport"),
    LATERAL: ("velocity_error", "yaw_rate_error", "cost_of_transport"),
    YAW: ("velocity_error", "yaw_rate_error"),
    STEP: (),
    STAND: ("base_height", "drift", "joint_speed"),
}
"""What of `Tracking` a row says beside the velocity."""
STEP_HEIGHT = 0.2  # m
TOLERANCE = 0.15
"""Largest relative error of a command that is tracked."""
FLAT_SIZE = (60.0, 60.0)
"""m, enough that nobody leaves it."""


def command_of(sweep: str, size: float) -> Command:
    """The command of a sweep of this size."""
    forward, lateral, yaw_rate = (size * (COMPONENT.get(sweep) == component) for component in range(3))
    return forward, lateral, yaw_rate


def crowd_of(request: Request, commands: Sequence[Command]) -> Crowd:
    """The robots that follow these commands, which they get when they stand."""
    crowd = request.crowd(EPISODES, STANDING)
    return replace(crowd, robots=len(commands) * crowd.robots)


def on_flat(request: Request, agent: Agent, noise: str | None, commands: Sequence[Command]) -> dict[str, Tensor]:
    """As of `Tracking.finish`; robot i follows commands[i % len(commands)]."""
    crowd = crowd_of(request, commands)
    env = environment(agent, [make_tile("flat", size=FLAT_SIZE)], noise, crowd)
    tracking = Tracking(masses(env), env.cfg.dt)
    roll_out(env, agent, crowd.seeds.agent, round(conditions.SECONDS / env.cfg.dt), [give(commands)], [tracking])
    return {**tracking.finish(), "fell": tracking.fell}


def over_step(request: Request, agent: Agent, noise: str | None, commands: Sequence[Command]) -> dict[str, Tensor]:
    """Mean velocity over a step, (n, 3), and who fell; robot i follows commands[i % len(commands)]."""
    crowd = crowd_of(request, commands)
    env = environment(agent, [make_tile("step_up", height=STEP_HEIGHT)], noise, crowd)
    passage = Passage(edge(env), env.cfg.dt)
    roll_out(env, agent, crowd.seeds.agent, round(conditions.SECONDS / env.cfg.dt), [give(commands)], [passage])
    velocity = torch.zeros(crowd.robots, 3)
    velocity[:, COMPONENT[STEP]] = passage.finish()
    return {"velocity": velocity, "fell": passage.fell}


def row_of(sweep: str, size: float, results: dict[str, Tensor]) -> dict[str, Any]:
    """The entries of a row about its command, from the robots that had it."""
    velocity, fell = results["velocity"], results["fell"]
    row = {"sweep": sweep, "command": size, "episodes": len(fell), "falls": int(fell.sum())}
    if sweep in COMPONENT:
        achieved = measured(achieved=velocity[:, COMPONENT[sweep]])
        row |= {**achieved, "relative_error": abs(achieved["achieved"] - size) / size}
    return row | measured(**{name: results[name] for name in MEASURES[sweep]})


@one_torch_thread()
def run(request: Request) -> list[dict[str, Any]]:
    """A row for each policy, noise and command."""
    rows: list[dict[str, Any]] = []
    for agent, noise in request.pairs(NOISES):
        rows += request.parts.rows_of(f"{agent.name}, {noise}", partial(of_one, request, agent, noise))
        say("commands", rows[-1])
    return rows


def of_one(request: Request, agent: Agent, noise: str | None) -> Iterator[dict[str, Any]]:
    """The rows of one policy under one noise."""
    for sweeps, ground in (([FORWARD, LATERAL, YAW, STAND], on_flat), ([STEP], over_step)):
        wanted = [(sweep, size) for sweep in sweeps for size in SWEEPS[sweep]]
        for group in groups(wanted, request.crowd(EPISODES).robots):
            results = ground(request, agent, noise, [command_of(*each) for each in group])
            for number, each in enumerate(group):
                own = {name: values[number :: len(group)] for name, values in results.items()}
                yield {"checkpoint": agent.name, "noise": noise, **row_of(*each, own)}


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, and the commands."""
    sweeps: dict[str, Any] = {"sweeps": {name: list(sizes) for name, sizes in SWEEPS.items()}, "push_speed": 0.0}
    step = {"step_height": STEP_HEIGHT, "before_step": BEFORE_STEP, "behind_step": BEHIND_STEP}
    return request.settings(NOISES, EPISODES, command=None, settling=SETTLING, tolerance=TOLERANCE, **sweeps, **step)


def largest(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """For each policy and sweep the largest command that is tracked; None if none is."""
    lines = []
    for own in by_label(rows).values():
        line = {"checkpoint": own[0]["checkpoint"], "noise": own[0]["noise"]}
        for sweep in COMPONENT:
            tracked = [row["command"] for row in own if row["sweep"] == sweep and row["relative_error"] < TOLERANCE]
            line[sweep] = max(tracked, default=None)
        lines.append(line)
    return lines


LARGEST = (
    *WHO,
    Column("forward (m/s)", value(FORWARD, "g")),
    Column("lateral (m/s)", value(LATERAL, "g")),
    Column("yaw (rad/s)", value(YAW, "g")),
    Column(f"forward over {STEP_HEIGHT:g} m (m/s)", value(STEP, "g")),
)
MOVING = (
    *WHO,
    Column("sweep", value("sweep"), is_number=False),
    Column("command", value("command", "g")),
    Column("episodes", value("episodes", "d")),
    Column("falls", value("falls", "d")),
    Column("achieved [95 % interval]", with_interval("achieved", "achieved_ci95")),
    Column("relative error", value("relative_error", ".3f")),
    Column("velocity error (m/s)", with_interval("velocity_error", "velocity_error_ci95")),
    Column("yaw rate error (rad/s)", with_interval("yaw_rate_error", "yaw_rate_error_ci95")),
    Column("cost of transport", with_interval("cost_of_transport", "cost_of_transport_ci95")),
)
STILL = (
    *WHO,
    Column("episodes", value("episodes", "d")),
    Column("falls", value("falls", "d")),
    Column("base height (m)", with_interval("base_height", "base_height_ci95")),
    Column("drift (m)", with_interval("drift", "drift_ci95")),
    Column("joint speed (rad/s)", with_interval("joint_speed", "joint_speed_ci95")),
)


def markdown(rows: Sequence[Row]) -> str:
    """Largest commands, all commands, and standing."""
    moving, still = ([row for row in rows if (row["sweep"] == STAND) == stands] for stands in (False, True))
    return (
        f"Largest command whose error is below {TOLERANCE:.0%}:\n\n{markdown_table(largest(rows), LARGEST)}\n\n"
        f"Every command:\n\n{markdown_table(moving, MOVING)}\n\nStanding:\n\n{markdown_table(still, STILL)}"
    )


def draw(rows: Sequence[Row]) -> Figure:
    """Achieved over commanded velocity, a panel for each sweep."""
    figure = Figure(figsize=(11, 9), layout="constrained")
    for axes, sweep in zip(figure.subplots(2, 2).flat, COMPONENT, strict=True):
        for own in by_label(row for row in rows if row["sweep"] == sweep).values():
            curve(axes, [row["command"] for row in own], own, "achieved", "achieved_ci95")
        axes.plot([0, SWEEPS[sweep][-1]], [0, SWEEPS[sweep][-1]], color="black", linewidth=0.8, linestyle=":")
        unit = "rad/s" if sweep == YAW else "m/s"
        finish(axes, title=sweep, xlabel=f"command ({unit})", ylabel=f"achieved ({unit}), 95 % interval")
    return figure


COMMANDS = Experiment("commands", settings, run, markdown, draw)
