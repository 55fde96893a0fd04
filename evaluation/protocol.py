"""The evaluation: n robots cross one kind of ground under the conditions of docs/paper.md, and what came of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor

from agents.checkpoint import versions
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.drives import drive_digest
from envs.terrains import Tile
from envs.threads import one_torch_thread
from evaluation import conditions
from evaluation.agents import ACTS_THROUGH, Agent
from evaluation.cells import TILE_SIZE, Cell, first_tile_seed
from evaluation.conditions import (
    CONDITIONS,
    Change,
    Crowd,
    Pushes,
    edge,
    environment,
    half_width,
    masses,
    unchanged,
)
from evaluation.noise import levels_for, with_noise
from evaluation.physics import described
from evaluation.rollout import Event, Observer, roll_out
from evaluation.summary import summary
from evaluation.trial import DISTANCE, LANE_HALF_WIDTH, Trial

T = TypeVar("T")

SINGLE_STEPS = ("step_up", "step_down")
"""Lanes that are crossed when all feet are over the edge."""
MAX_ROBOTS = 600
"""Robots simulated at once."""


class Batch(Protocol):
    """A way to let robots cross some ground."""

    def __call__(self, agent: Agent, cells: Sequence[Cell], noise: str | None, crowd: Crowd) -> dict[str, Tensor]:
        """First episodes, as of `Trial.finish`; robot i walks on cells[i % len(cells)]."""
        ...


def run_batch(
    agent: Agent, cells: Sequence[Cell], noise: str | None, crowd: Crowd, change: Change = unchanged
) -> dict[str, Tensor]:
    """First episodes, as of `Trial.finish`, on cells of one terrain; robot i walks on cells[i % len(cells)]."""
    env = environment(agent, tiles_of(cells, crowd), noise, crowd, change)
    return cross(env, agent, trial_of(env, cells), crowd)


def trial_of(env: AnymalEnv, cells: Sequence[Cell]) -> Trial:
    """Who judges the robots of an environment that has just begun on these cells."""
    return Trial(env.state, masses(env), env.cfg.dt, edge_in(env, cells), half_width(env))


def cross(
    env: AnymalEnv,
    agent: Agent,
    trial: Trial,
    crowd: Crowd,
    events: Sequence[Event] = (),
    observers: Sequence[Observer] = (),
) -> dict[str, Tensor]:
    """First episodes, as of `Trial.finish`; `observers` look on once the trial has judged a step."""
    pushes, steps = Pushes(env.num_envs, env.cfg.dt, crowd.seeds.pushes), round(conditions.SECONDS / env.cfg.dt)
    roll_out(env, agent, crowd.seeds.agent, steps, [pushes, *events], [trial, *observers])
    return trial.finish()


def tiles_of(cells: Sequence[Cell], crowd: Crowd) -> list[Tile]:
    """Tiles such that a robot i on tiles[i % len(tiles)] walks on cells[i % len(cells)], and shares it with none.

    Tiles that are all alike are one (decision 24).
    """
    own = [cell.tiles(crowd.seed, crowd.batch, crowd.robots // len(cells)) for cell in cells]
    return [tiles[number % len(tiles)] for number in range(max(map(len, own))) for tiles in own]


def edge_in(env: AnymalEnv, cells: Sequence[Cell]) -> Tensor | None:
    """The edge that all feet have to get over, (n,) m; None where the distance counts."""
    return edge(env) if cells[0].terrain in SINGLE_STEPS else None


@one_torch_thread()
def evaluate_cells(
    agent: Agent,
    cells: Sequence[Cell],
    noise: str | None,
    crowd: Crowd,
    run: Batch = run_batch,
    summarize: Callable[[dict[str, Tensor]], dict[str, Any]] = summary,
) -> list[dict[str, Any]]:
    """Rows of the results, one for each cell of one terrain, with `crowd.robots` episodes on each.

    As many cells share a batch as memory allows; `summarize` makes a row of what `run` gives.
    """
    rows = []
    for group in groups(cells, crowd.robots):
        sizes = enumerate(batches(crowd.robots))
        crowds = [replace(crowd, robots=len(group) * size, batch=batch) for batch, size in sizes]
        parts = [run(agent, group, noise, each) for each in crowds]
        results = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
        for number, cell in enumerate(group):
            own = {name: values[number :: len(group)] for name, values in results.items()}
            rows.append({"checkpoint": agent.name, **cell.description(), "noise": noise, **summarize(own)})
    return rows


def groups(items: Sequence[T], episodes: int) -> list[Sequence[T]]:
    """Items whose episodes fit into one batch together, as many as possible, at least one."""
    size = max(1, MAX_ROBOTS // episodes)
    return [items[start : start + size] for start in range(0, len(items), size)]


def batches(episodes: int) -> list[int]:
    """Episodes of each batch: as few batches as memory allows, of nearly equal size."""
    count = math.ceil(episodes / MAX_ROBOTS)
    return [episodes // count + (number < episodes % count) for number in range(count)]


def evaluate(
    agents: Sequence[Agent],
    cells: Sequence[Cell],
    noises: tuple[str, ...],
    crowd: Crowd,
    report: Callable[[dict[str, Any]], None],
    change: Change = unchanged,
) -> dict[str, Any]:
    """Every agent on every cell, Students at every level of noise: {"settings", "cells"}, the same at any thread count.

    The crowd is that of each cell; `report` gets each row when it is done; `change` is made to the world.
    """
    rows, run = [], partial(run_batch, change=change)
    for cell in cells:
        for agent in agents:
            for noise in levels_for(agent, noises):
                rows += evaluate_cells(agent, [cell], noise, crowd, run)
                report(rows[-1])
    return {"settings": settings(agents, noises, crowd, change), "cells": rows}


def settings(
    agents: Sequence[Agent], noises: tuple[str, ...], crowd: Crowd, change: Change = unchanged
) -> dict[str, Any]:
    """Everything that the results depend on, with this crowd on each cell."""
    randomization = asdict(CONDITIONS.randomization)
    meta = ("hash", "kind", "task", "iteration", "samples", "seed", "precision", "versions", "student", "teacher_hash")
    perceived = {level: change(with_noise(CONDITIONS, level)) for level in noises}
    return {
        "episodes": crowd.robots,
        "seed": crowd.seed,
        "seconds": conditions.SECONDS,
        "distance": DISTANCE,
        "lane_half_width": LANE_HALF_WIDTH,
        "push_speed": conditions.PUSH_SPEED,
        "push_seconds": conditions.PUSH_SECONDS,
        "first_tile_seed": first_tile_seed(crowd.seed),
        "tile_size": list(TILE_SIZE),
        "batches": batches(crowd.robots),
        "collider": CONDITIONS.collider,
        "shapes": CONDITIONS.shapes,
        "physics": described(change(CONDITIONS)),
        "c_k": CONDITIONS.curriculum.initial_factor,
        "command": list(crowd.command),
        "heading_gain": CONDITIONS.commands.heading_gain,
        "randomization": {name: value for name, value in randomization.items() if not name.startswith("push_")},
        "noise": {
            level: {"heights": asdict(cfg.height_noise), "sensors": asdict(cfg.sensor_noise)}
            | ({} if cfg.depth.sensors == "none" else {"map": asdict(cfg.depth)})
            for level, cfg in perceived.items()
        },
        "agents": [
            {"checkpoint": agent.name, **{name: agent.meta[name] for name in meta if name in agent.meta}}
            | acts_through(agent.env)
            for agent in agents
        ],
        "versions": versions(),
    }


def acts_through(env: EnvConfig) -> dict[str, Any]:
    """What gives an agent's actions their meaning; a file of drives by its content, wherever it lies."""
    said = {name: value for name, value in asdict(env).items() if name in ACTS_THROUGH}
    return said | {"drive": said["drive"] | {"network": drive_digest(env.drive)}}
