"""Small worlds for tests: planes to stand on, robots on them, states made by hand, and environments of a few robots."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anymal_policy import layout
from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import TerrainConfig
from envs.randomization import NONE
from envs.robot import STANDING_HEIGHT
from envs.simulation import Simulation
from envs.state import RobotState, State
from envs.tasks import TASKS
from envs.terrains import RESOLUTION, Surface, Tile, build_map

DEFAULT = torch.from_numpy(layout.DEFAULT_JOINT_POSITION).float()
UPRIGHT = torch.tensor([1.0, 0.0, 0.0, 0.0])
FLAT = TerrainConfig(types=("flat",), tile_size=4.0)
"""Training ground of one small flat tile."""
TAME: dict[str, Any] = {"randomization": NONE, "commands": CommandConfig(fixed=(0.5, 0.0, 0.2))}
"""Nothing random once a robot has started."""
PROPRIO, PRIVILEGED = layout.slices(layout.PROPRIO), layout.slices(layout.PRIVILEGED)


def plane_tile(slope: tuple[float, float] = (0.0, 0.0), side: float = 3.0) -> Tile:
    """A square tile whose height is 0 in its middle and changes by `slope` m per m along x and y."""
    along = np.arange(round(side / RESOLUTION)) * RESOLUTION - side / 2
    heights = (slope[0] * along[None, :] + slope[1] * along[:, None]).astype(np.float32)
    return Tile("flat", {}, 0, heights, np.zeros_like(heights, np.uint8), (side / 2, side / 2))


def simulation(num_envs: int = 1, threads: int = 1, slope: tuple[float, float] = (0.0, 0.0)) -> Simulation:
    """Robots on a plane through the world's origin."""
    return Simulation(Surface(build_map([plane_tile(slope)])), num_envs, threads, decimation=4)


def pose(
    height: float | Tensor = STANDING_HEIGHT, quaternion: Tensor = UPRIGHT, joints: Tensor = DEFAULT, count: int = 1
) -> Tensor:
    """Positions (count, 19) of robots over the world's origin."""
    qpos = torch.zeros(count, 19)
    qpos[:, 2], qpos[:, 3:7], qpos[:, 7:] = height, quaternion, joints
    return qpos


def put(sim: Simulation, qpos: Tensor, qvel: Tensor | None = None) -> Tensor:
    """Put all robots into a state and bring their sensors up to date; returns their rows."""
    rows = torch.arange(len(qpos))
    sim.reset(rows, qpos, torch.zeros(len(rows), 18) if qvel is None else qvel)
    sim.settle(rows)
    return rows


def hold(sim: Simulation, seconds: float, joints: Tensor = DEFAULT) -> RobotState:
    """Let all robots hold a pose for some time; returns where that led."""
    for _ in range(round(seconds / 0.02)):
        sim.step(joints.expand(sim.batch.nsim, 12))
    return sim.read()


ENTRIES = {
    "base_position_w": (3,),
    "base_quaternion": (4,),
    "heading": (),
    "linear_velocity_b": (3,),
    "linear_velocity_yaw": (3,),
    "angular_velocity_b": (3,),
    "gravity_b": (3,),
    "joint_position": (12,),
    "joint_velocity": (12,),
    "joint_torque": (12,),
    "foot_position_w": (4, 3),
    "foot_velocity_w": (4, 3),
    "foot_contact": (4,),
    "foot_force_w": (4, 3),
    "foot_normal_w": (4, 3),
    "thigh_contact": (4,),
    "shank_contact": (4,),
    "base_contact": (),
    "command": (3,),
    "phase": (4,),
    "phase_offset": (4,),
    "base_frequency": (),
    "joint_target": (12,),
    "joint_position_history": (3, 12),
    "joint_velocity_history": (2, 12),
    "joint_target_history": (2, 12),
    "height_samples": (4, 52),
    "air_time": (4,),
    "friction": (4,),
    "external_force_w": (3,),
    "external_torque_w": (3,),
    "caution": (),
}
"""Shape of each quantity of a state, without the robots' axis."""


def state(count: int = 1, randomization_factor: float = 1.0, **quantities: Any) -> State:
    """Robots that stand upright and still, everything else zero but for the given quantities.

    Upright and facing along x, their velocity in the yaw frame is that in the base frame, if not given.
    """
    assert ENTRIES.keys() | {"randomization_factor"} == {field.name for field in fields(State)}
    values = {name: torch.zeros(count, *shape) for name, shape in ENTRIES.items()}
    values["base_quaternion"][:], values["gravity_b"][:] = UPRIGHT, torch.tensor([0.0, 0.0, -1.0])
    if "linear_velocity_b" in quantities:
        quantities = {"linear_velocity_yaw": quantities["linear_velocity_b"], **quantities}
    for name, value in quantities.items():
        values[name][:] = torch.as_tensor(value)
    return State(**values, randomization_factor=randomization_factor)


def environment(num_envs: int = 3, tiles: list[Tile] | None = None, **changes: Any) -> AnymalEnv:
    """A few robots on flat ground under the curriculum, or on the given tiles."""
    settings = {"threads": 1, "terrain": FLAT, **changes}
    return AnymalEnv(replace(TASKS["anymal_flat"], num_envs=num_envs, **settings), tiles)


def observed(env: AnymalEnv, name: str) -> Tensor:
    """One term of the current observations."""
    group, places = ("proprio", PROPRIO) if name in PROPRIO else ("privileged", PRIVILEGED)
    return env.get_observations()[group][:, places[name]]
