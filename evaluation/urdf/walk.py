"""Robots of a URDF file cross the grounds of an evaluation, each with a runner of the exported policy."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from tensordict import TensorDict
from torch import Tensor

from anymal_policy.runtime import Runner
from envs.anymal import AnymalEnv
from envs.commands import Commands
from envs.simulation import PARAMETERS
from evaluation import conditions
from evaluation.acting import NotFiniteError
from evaluation.agents import Agent
from evaluation.cells import Cell
from evaluation.conditions import Crowd, Pushes, environment
from evaluation.protocol import edge_in, tiles_of
from evaluation.rollout import Step
from evaluation.trial import Trial
from evaluation.urdf.ground import add_ground
from evaluation.urdf.robot import find_parts, load_robot
from evaluation.urdf.sensors import ROW, Sensors
from evaluation.urdf.walker import Body, Walker

NOISE_STREAM = 2
"""Which of a batch's streams of random numbers the sensors draw from; the environment's have 0 and 1."""

OF_DRIVES = ("gain", "force_range", "dynamics")
"""Attributes of the simulation in which the drives of its robots differ."""


@dataclass(frozen=True)
class Start:
    """What one robot is like, where it starts, and what happens to it: the same as in the environment."""

    body: Body
    """Masses, soles and drives."""

    qpos: NDArray[np.float64]
    """(19,)."""
    qvel: NDArray[np.float64]
    """(18,)."""
    pushes: NDArray[np.float32]
    """(steps, 2) m/s, before each step."""
    tile: int
    """Number of the tile that it is on."""
    edge_x: Tensor | None
    """(1,) m in the world of the edge that all feet have to get over; None where the distance counts."""
    seed: int
    """Of its sensors."""


@dataclass(frozen=True)
class UrdfWorld:
    """The world of evaluation with the robot of a URDF file and boxes for ground; a `Batch` of the protocol."""

    urdf: Path
    """File of the robot."""
    contract: Path
    """What the exported policy has beside it."""

    def __call__(self, agent: Agent, cells: Sequence[Cell], noise: str | None, crowd: Crowd) -> dict[str, Tensor]:
        """First episodes, as of `Trial.finish`; robot i walks on cells[i % len(cells)]."""
        env = environment(agent, tiles_of(cells, crowd), noise, crowd)
        todo, walkers = starts(env, crowd.seeds.pushes, edge_in(env, cells)), self._models(env)
        runners: SimpleQueue[Runner] = SimpleQueue()
        for _ in range(crowd.threads):
            runners.put(Runner(self.contract, check=False))

        def walk(start: Start) -> dict[str, Tensor]:
            runner = runners.get()
            try:
                return episode(env, walkers[start.tile], self.urdf, runner, start)
            finally:
                runners.put(runner)

        with ThreadPoolExecutor(crowd.threads) as pool:
            results = list(pool.map(walk, todo))
        return {name: torch.cat([each[name] for each in results]) for name in results[0]}

    def _models(self, env: AnymalEnv) -> list[mujoco.MjModel]:
        """The robot on each tile."""
        robot, models = load_robot(self.urdf, env.cfg.drive), []
        for tile in range(min(len(env.placement.map.tiles), env.num_envs)):
            spec = robot.copy()
            add_ground(spec, env.placement.map, tile)
            models.append(spec.compile())
            models[-1].opt.timestep = env.cfg.dt / env.cfg.decimation
        return models


def starts(env: AnymalEnv, push_seed: int, edge: Tensor | None) -> list[Start]:
    """What an environment that has just begun has in store for each of its robots."""
    simulation = env.simulation
    pushes = Pushes(env.num_envs, env.cfg.dt, push_seed)
    steps = round(conditions.SECONDS / env.cfg.dt)
    kicks = torch.stack([pushes.at(step) for step in range(steps)], dim=1).numpy()  # (n, steps, 2)
    mass = np.array(simulation.mass)
    added = mass[:, simulation.base] - simulation.model.body_mass[simulation.base]
    links = mass[:, simulation.links] / simulation.model.body_mass[simulation.links]
    return [
        Start(
            body=Body(
                friction=env.state.friction[env_id].numpy(),
                base_mass=float(added[env_id]),
                links=links[env_id],
                drives={
                    PARAMETERS[name]: getattr(simulation, name)[env_id][simulation.actuators] for name in OF_DRIVES
                },
            ),
            qpos=simulation.qpos[env_id].copy(),
            qvel=simulation.qvel[env_id].copy(),
            pushes=kicks[env_id],
            tile=int(env.placement.tile[env_id]),
            edge_x=None if edge is None else edge[env_id : env_id + 1],
            seed=int(np.random.SeedSequence((env.cfg.seed, NOISE_STREAM, env_id)).generate_state(1)[0]),
        )
        for env_id in range(env.num_envs)
    ]


def episode(env: AnymalEnv, model: mujoco.MjModel, urdf: Path, runner: Runner, start: Start) -> dict[str, Tensor]:
    """One robot's episode under a runner, as of `Trial.finish`."""
    cfg, placement = env.cfg, env.placement
    walker = Walker(model, find_parts(model, urdf), start.body)
    walker.start(start.qpos, start.qvel)
    s, sensors = walker.state, Sensors(env, start.seed)
    commands = Commands(cfg.commands, 1, cfg.dt, torch.Generator())
    commands.resample(ROW, s.heading, 1.0)
    trial = Trial(s, walker.mass, cfg.dt, start.edge_x)
    low, high = placement.low[start.tile], placement.high[start.tile]
    runner.reset()
    for push in start.pushes:
        commands.hold_heading(s.heading)
        s.command = commands.velocity.clone()
        try:
            target = runner.step(sensors.measure(s), s.command[0].numpy(), sensors.height)
        except ValueError as error:
            raise NotFiniteError(f"The exported policy cannot go on as the robot of {urdf}: {error}") from error
        walker.push(push)
        walker.step(target, cfg.decimation)
        fell, position = walker.fell, s.base_position_w[:, :2]
        done = fell | ((position < low) | (position > high)).any(-1)
        action = torch.from_numpy(runner.outputs["action"]).unsqueeze(0)
        trial.observe(Step(s, TensorDict({}, [1]), action, s, done, fell, torch.ones(1, dtype=torch.bool)))
        if not trial.running.any():
            break
    return trial.finish()
