"""What a page saves and takes back: the world, the command, and the pose of each robot.

The file is JSON of numbers and names. It comes from anybody: whatever is not as this page writes it is refused.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from envs.anymal import AnymalEnv
from envs.config import LARGEST_SEED
from envs.terrains import FAMILIES, Tile
from viewer.world import World

VERSION = 1
"""Of what is in the file."""
LARGEST = 16 * 1024
"""Bytes of a file; six robots need a third of it."""
ROUNDING = 1e-3
"""By which the length of a quaternion may be off 1."""
FASTEST, FARTHEST = 100.0, 200.0
"""m/s or rad/s, and m or rad, that no robot gets to."""
LARGEST_PARAMETER = 360.0
"""Of a ground: a heading in degrees."""
NOT_OURS = "This file is no state that a page like this has saved."


class Pose(NamedTuple):
    """Where a robot is, and what it is about to do."""

    position: tuple[float, ...]
    """(19,) of the physics: base in the world m, its quaternion, joints rad."""
    velocity: tuple[float, ...]
    """(18,) of the physics: m/s and rad/s."""
    phase: tuple[float, ...]
    """(4,) of the gait, rad."""


SIZES = Pose((0.0,) * 19, (0.0,) * 18, (0.0,) * 4)
"""A pose of the right lengths."""
BOUNDS = (FARTHEST, FASTEST, math.tau)
"""Largest number of each part of a pose."""


@dataclass(frozen=True)
class Saved:
    """All that is in a file."""

    world: World
    command: tuple[float, float, float]
    """Forward and lateral velocity in m/s, yaw rate in rad/s."""
    poses: tuple[Pose, ...]
    """One for each robot."""


def pose_of(env: AnymalEnv) -> Pose:
    """The pose of an environment's only robot."""
    simulation = env.simulation
    parts = (simulation.qpos[0], simulation.qvel[0], env.state.phase[0])
    return Pose(*(tuple(part.tolist()) for part in parts))


def write(saved: Saved) -> bytes:
    """The file."""
    poses = [pose._asdict() for pose in saved.poses]
    world = {**asdict(saved.world), "parameters": dict(saved.world.parameters)}
    return json.dumps({"version": VERSION, "world": world, "command": saved.command, "robots": poses}).encode()


def read(content: bytes) -> Saved:
    """What is in a file, or a ValueError for one that `write` has not made."""
    try:
        said = json.loads(content[: LARGEST + 1])
    except (ValueError, RecursionError) as error:
        raise ValueError(NOT_OURS) from error
    (version, world, command, robots) = members(said, ("version", "world", "command", "robots"))
    require(version == VERSION and isinstance(robots, list))
    forward, lateral, turn = numbers(command, 3, FASTEST)
    return Saved(read_world(world), (forward, lateral, turn), tuple(read_pose(robot) for robot in robots))


def read_world(said: Any) -> World:
    """A world whose terrain is still to be made, which refuses what it cannot be made of."""
    terrain, parameters, noise, friction, payload, seed = members(said, tuple(field.name for field in fields(World)))
    require(isinstance(terrain, str) and isinstance(noise, str) and isinstance(parameters, dict))
    require(terrain.isprintable() and noise.isprintable())
    require(terrain not in FAMILIES or set(parameters) == {each.name for each in FAMILIES[terrain].parameters})
    require(type(seed) is int and 0 <= seed < LARGEST_SEED)
    values = numbers([*parameters.values()], len(parameters), LARGEST_PARAMETER)
    body = {"friction": friction, "payload": payload}
    chosen = {name: numbers([said], 1, LARGEST_PARAMETER)[0] for name, said in body.items() if said is not None}
    return World(terrain, dict(zip(parameters, values, strict=True)), seed=seed).changed(noise=noise, **chosen)


def read_pose(said: Any) -> Pose:
    """A pose with a quaternion that turns."""
    parts = members(said, Pose._fields)
    pose = Pose(*(numbers(*part) for part in zip(parts, map(len, SIZES), BOUNDS, strict=True)))
    require(abs(math.hypot(*pose.position[3:7]) - 1.0) < ROUNDING)
    return pose


def require_on(ground: Tile, poses: Sequence[Pose]) -> None:
    """Raise a ValueError for a robot that is not over the ground."""
    for pose in poses:
        if not all(abs(at) <= side / 2 for at, side in zip(pose.position[:2], ground.size, strict=True)):
            raise ValueError("In this state a robot is not on its ground.")


def members(said: Any, names: tuple[str, ...]) -> list[Any]:
    """The values of an object that has these names and no others."""
    require(isinstance(said, dict) and set(said) == set(names))
    return [said[name] for name in names]


def numbers(said: Any, count: int, bound: float) -> tuple[float, ...]:
    """So many numbers, none beyond the bound."""
    require(isinstance(said, list) and len(said) == count)
    require(all(type(value) in (int, float) and abs(value) <= bound for value in said))
    return tuple(map(float, said))


def require(true: bool) -> None:
    """Raise a ValueError that says whose file this is not."""
    if not true:
        raise ValueError(NOT_OURS)
