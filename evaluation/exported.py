"""An exported policy in control: a runner for each robot, as on a real one, in a world that tracks its joint targets.

Of this project's networks, gait and observations it uses none: what a robot measures goes in, joint targets come out.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from einops import repeat
from numpy.typing import NDArray
from tensordict import TensorDict
from torch import Tensor

from anymal_policy import contract, layout
from anymal_policy.gait import GaitConfig
from anymal_policy.runtime import HeightQuery, Measurement, Runner
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.drives import DriveConfig, require_network
from envs.height_noise import LEVELS
from envs.robot import FOOT_RADIUS, TORQUE_LIMIT
from envs.sensors import NoisySensors
from envs.terrains import Tile
from evaluation.acting import NotFiniteError
from evaluation.drives import OWN, Drives
from evaluation.physics import decimation

ENDINGS = (".json", ".onnx")
"""Of the files that export.py writes."""
POSE = ("base_position_w", "base_quaternion")
"""What a robot knows of its place on the map: here, the truth."""
SENSED = ("joint_position", "joint_velocity", "linear_velocity_b", "angular_velocity_b", "gravity_b")
"""What it measures with errors."""


class TrackingEnv(AnymalEnv):
    """The environment for those who choose joint targets themselves."""

    def __init__(self, cfg: EnvConfig, tiles: Sequence[Tile]) -> None:
        """Nothing has been chosen yet."""
        self.targets = torch.zeros(cfg.num_envs, 12)
        self.phases = torch.zeros(cfg.num_envs, 4)
        super().__init__(cfg, tiles)

    def _decide(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gait phases, phase offsets and joint targets as they were chosen."""
        return self.phases, actions[:, :4], self.targets


class ExportedAgent:
    """Acts through `anymal_policy.runtime.Runner`, one for each robot."""

    def __init__(self, name: str, task: EnvConfig, drives: Drives = OWN) -> None:
        """Load the files of an export; all but what its contract says is that of a task."""
        self.name, self.runner = name, Runner(Path(name), check=False)
        said = self.runner.contract
        self.own = contract.own_terms(said)
        self.meta: dict[str, Any] = {"kind": "student", **said["policy"]}
        gait = ("action_limit", *(item.name for item in fields(GaitConfig)))
        contract.require(said, name, {"gait": gait, "drive": ("model", "torque_limit_n_m"), "policy": ()})
        gait = GaitConfig(**{item.name: said["gait"][item.name] for item in fields(GaitConfig)})
        self.env = replace(
            task,
            gait=gait,
            action_limit=said["gait"]["action_limit"],
            drive=drive_of(name, said["drive"], drives),
            decimation=decimation(gait.dt),
            noisy_groups=True,
            own=replace(task.own, observations=tuple(term.name for term in self.own)),
        )
        self.runners: list[Runner] = []
        self.robots: TrackingEnv | None = None

    def world(self, cfg: EnvConfig, tiles: Sequence[Tile]) -> TrackingEnv:
        """An environment that tracks the runners' joint targets."""
        self.robots = TrackingEnv(cfg, tiles)
        return self.robots

    def start(self, num_robots: int, seed: int) -> None:
        """A runner for each robot, at the start of its episode."""
        self.runners = [copy(self.runner) for _ in range(num_robots)]
        self.reset(torch.ones(num_robots, dtype=torch.bool))

    def act(self, obs: TensorDict) -> Tensor:
        """Let every runner step on what its robot measures; the actions (n, 16) behind its joint targets."""
        assert self.robots is not None
        outputs = []
        for env_id, runner in enumerate(self.runners):
            command = self.robots.state.command[env_id].numpy()
            try:
                runner.step(self._measured(env_id, obs), command, height_query(self.robots, env_id))
            except ValueError as error:
                raise NotFiniteError(f"{self.name} cannot go on: {error}") from error
            outputs.append({**runner.outputs, "phase": runner.memory["phase"][0]})
        targets, phases, actions = (
            torch.from_numpy(np.stack([each[name] for each in outputs])) for name in ("joint_target", "phase", "action")
        )
        self.robots.targets, self.robots.phases = targets, phases
        return actions

    def _measured(self, env_id: int, obs: TensorDict) -> Measurement:
        """What this robot's sensors say."""
        assert self.robots is not None
        perceived, s = perceived_by(self.robots), self.robots.state
        places = layout.slices(layout.groups(self.own)["proprio"])
        return Measurement(
            **{name: perceived[name][env_id].numpy() for name in SENSED},
            **{name: getattr(s, name)[env_id].numpy() for name in POSE},
            own={
                term.name: obs["proprio_noisy"][env_id, places[term.name]].numpy()
                for term in self.own
                if term.name in places
            },
        )

    def reset(self, done: Tensor) -> None:
        """Forget the robots whose episode is over, (n,) bool."""
        for env_id in torch.nonzero(done).flatten().tolist():
            self.runners[env_id].reset()


def perceived_by(env: AnymalEnv) -> dict[str, Tensor]:
    """What the robots of an environment perceive, by the names of its state."""
    assert isinstance(env.sensors, NoisySensors)
    return env.sensors.perceived


def height_query(env: AnymalEnv, env_id: int) -> HeightQuery:
    """The elevation map of one robot: that of its own depth sensors, the ground, or, with errors, what it perceives."""
    if env.cfg.depth.sensors != "none":
        return partial(mapped, env, env_id)
    if env.cfg.height_noise == LEVELS["none"]:
        return env.surface.height
    return partial(seen, env, env_id)


def mapped(env: AnymalEnv, env_id: int, points: NDArray[np.float64]) -> NDArray[np.float32]:
    """World heights (k,) m in a robot's own map at world points (k, 2) m, NaN where it knows none."""
    assert env.sensors.sensed is not None
    return env.sensors.sensed.query(torch.tensor([env_id]))(torch.from_numpy(points)).numpy()


def seen(env: AnymalEnv, env_id: int, points: NDArray[np.float64]) -> NDArray[np.float32]:
    """World heights (208,) m of the samples that a robot perceives around its feet, whatever the points."""
    samples = perceived_by(env)["height_samples"][env_id]
    soles = repeat(env.state.foot_position_w[env_id, :, 2] - FOOT_RADIUS, "foot -> foot point", point=samples.shape[-1])
    return (samples + soles).numpy().ravel()


def drive_of(name: str, said: dict[str, Any], drives: Drives = OWN) -> DriveConfig:
    """The drives that a contract expects, or those in their place; a ValueError for a file that nobody names."""
    if said["model"] == (drives.model or "network") == "network" and drives.network is None:
        raise ValueError(
            f"{name} expects drives of a file that it does not hold: name it with --drive.network, "
            "or the policy's checkpoint instead."
        )
    strength = {"strength": said["torque_limit_n_m"] / TORQUE_LIMIT}  # all that older contracts tell
    drive = drives({"model": said["model"], **said.get("factors", strength)})
    require_network(drive, None, name)
    return drive
