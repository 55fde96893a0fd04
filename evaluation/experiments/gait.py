"""What a gait asks of the drives and how it looks: torque, acceleration, trembling, strides, knees, start and stop."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from envs.terrains import Tile, make_tile
from envs.terrains.grid import RESOLUTION
from envs.threads import one_torch_thread
from evaluation import conditions
from evaluation.agents import Agent
from evaluation.conditions import WALK, Command, environment
from evaluation.experiments.commands import FLAT_SIZE, STANDING
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.motion import (
    NEAR_LIMIT,
    SMOOTHING,
    START,
    STOP,
    TREMBLING,
    Motion,
    StartAndStop,
    WalkThenStand,
)
from evaluation.experiments.plots import band, finish, label
from evaluation.experiments.tracking import SETTLING
from evaluation.rollout import roll_out
from evaluation.summary import measured
from evaluation.tables import WHO, Column, markdown_table, value, with_interval

NOISES = ("nominal",)
EPISODES = 20
SPEEDS = (0.4, 0.7, 1.4)
"""m/s on flat ground."""
STAIRS = (("stairs_up", 0.17), ("stairs_up", 0.22), ("stairs_down", 0.17), ("stairs_down", 0.22))
"""Lane and height of its risers in m."""
STARTS = (0.7, 1.2)
"""m/s to which robots start from standing, and from which they stop."""


def flat() -> Tile:
    """Ground that nobody leaves."""
    return make_tile("flat", size=FLAT_SIZE)


def flight(tile: Tile, start_x: float) -> tuple[float, float]:
    """World x in m of the first and the last riser of a lane whose robots start around `start_x`; all x without any."""
    columns = np.flatnonzero(tile.risers.any(axis=0))
    if not len(columns):
        return -math.inf, math.inf
    first, last = (columns[[0, -1]] + 0.5) * RESOLUTION + start_x - tile.start[0]
    return float(first), float(last)


def walk(request: Request, agent: Agent, noise: str | None, tile: Tile, command: Command) -> dict[str, Any]:
    """The gait on this ground under one command."""
    crowd = request.crowd(EPISODES, command)
    env = environment(agent, [tile], noise, crowd)
    motion = Motion(crowd.robots, env.cfg.dt, flight(tile, float(env.placement.starts[0, 0])), env.cfg.drive.model)
    roll_out(env, agent, crowd.seeds.agent, round(conditions.SECONDS / env.cfg.dt), [], [motion])
    return {"falls": int(motion.fell.sum()), **measured(**motion.finish())}


def start_and_stop(request: Request, agent: Agent, noise: str | None, speed: float) -> dict[str, Any]:
    """How robots begin to walk on flat ground and stand again."""
    crowd = request.crowd(EPISODES, STANDING)
    env = environment(agent, [flat()], noise, crowd)
    watch, event = StartAndStop(crowd.robots, speed, env.cfg.dt), WalkThenStand(speed, env.cfg.dt)
    roll_out(env, agent, crowd.seeds.agent, round(conditions.SECONDS / env.cfg.dt), [event], [watch])
    quantities, trace = watch.finish()
    return {"falls": int(watch.fell.sum()), **measured(**quantities), "trace": trace}


@one_torch_thread()
def run(request: Request) -> list[dict[str, Any]]:
    """A row for each policy, noise and ground, then one for each start."""
    rows: list[dict[str, Any]] = []
    for agent, noise in request.pairs(NOISES):
        rows += request.parts.rows_of(f"{agent.name}, {noise}", partial(of_one, request, agent, noise))
        say("gait", rows[-1])
    return rows


def of_one(request: Request, agent: Agent, noise: str | None) -> Iterator[dict[str, Any]]:
    """The rows of one policy under one noise."""
    who = {"checkpoint": agent.name, "noise": noise, "episodes": request.episodes or EPISODES}
    for speed in SPEEDS:
        command = (speed, 0.0, 0.0)
        yield {**who, "ground": "flat", "speed": speed, **walk(request, agent, noise, flat(), command)}
    for lane, height in STAIRS:
        own = walk(request, agent, noise, make_tile(lane, height=height, depth=0.3), WALK)
        yield {**who, "ground": f"{lane} {height:g} m", "speed": WALK[0], **own}
    for speed in STARTS:
        yield {**who, "ground": "start", "speed": speed, **start_and_stop(request, agent, noise, speed)}


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, and what is walked."""
    grounds: dict[str, Any] = {"speeds": SPEEDS, "stairs": STAIRS, "starts": STARTS, "push_speed": 0.0}
    limits = {"near_limit": NEAR_LIMIT, "trembling": TREMBLING, "start": START, "stop": STOP, "smoothing": SMOOTHING}
    return request.settings(NOISES, EPISODES, command=None, settling=SETTLING, **grounds, **limits)


DRIVES = (
    *WHO,
    Column("ground", value("ground"), is_number=False),
    Column("speed (m/s)", value("speed", "g")),
    Column("falls", value("falls", "d")),
    Column("torque (N m)", with_interval("torque", "torque_ci95")),
    Column("largest (N m)", value("peak_torque", ".1f")),
    Column("at the limit", value("at_limit", ".4f")),
    Column("acceleration (rad/s²)", with_interval("acceleration", "acceleration_ci95")),
    Column("trembling", value("trembling", ".4f")),
)
STRIDES = (
    *WHO,
    Column("ground", value("ground"), is_number=False),
    Column("speed (m/s)", value("speed", "g")),
    Column("strides (1/s)", with_interval("strides", "strides_ci95")),
    Column("duty", value("duty", ".3f")),
    Column("lift (m)", with_interval("lift", "lift_ci95")),
    Column("knees", value("knees", ".4f")),
    Column("tilt rate (rad/s)", with_interval("tilt_rate", "tilt_rate_ci95")),
)
STARTING = (
    *WHO,
    Column("speed (m/s)", value("speed", "g")),
    Column("falls", value("falls", "d")),
    Column("start (s)", with_interval("start", "start_ci95")),
    Column("overshoot", value("overshoot", ".3f")),
    Column("stop (s)", with_interval("stop", "stop_ci95")),
    Column("stopping distance (m)", with_interval("stopping_distance", "stopping_distance_ci95")),
    Column("largest tilt (degrees)", value("tilt", ".1f")),
    Column("joint speed at rest (rad/s)", value("resting_joint_speed", ".3f")),
)


def markdown(rows: Sequence[Row]) -> str:
    """The drives, the strides, and starts and stops."""
    walks, starts = ([row for row in rows if (row["ground"] == "start") == begins] for begins in (False, True))
    return (
        f"{rows[0]['episodes']} robots each. Drives:\n\n{markdown_table(walks, DRIVES)}\n\n"
        f"Strides:\n\n{markdown_table(walks, STRIDES)}\n\nFrom standing to the speed and back:\n\n"
        f"{markdown_table(starts, STARTING)}"
    )


def draw(rows: Sequence[Row]) -> Figure:
    """Speed over time of robots that start and stop, a panel for each speed."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    for axes, speed in zip(figure.subplots(1, len(STARTS)), STARTS, strict=True):
        for row in rows:
            if row["ground"] == "start" and row["speed"] == speed:
                trace = row["trace"]
                named = {label(row): trace["speed"], f"{label(row)}_ci95": trace["speed_ci95"]}
                band(axes, trace["seconds"], named, label(row))
        axes.step([0.0, START, STOP, conditions.SECONDS], [0.0, speed, 0.0, 0.0], where="post", color="black", lw=0.8)
        finish(axes, title=f"to {speed:g} m/s and back", xlabel="s", ylabel="forward speed (m/s), 95 % interval")
    return figure


GAIT = Experiment("gait", settings, run, markdown, draw)
