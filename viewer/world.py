"""The ground, the map and the body of the robots, as the page may change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch

from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import EnvConfig
from envs.depth import DepthConfig
from envs.height_noise import LEVELS
from envs.randomization import NONE
from envs.state import State
from envs.terrains import FAMILIES, Parameter, Tile, make_tile
from envs.terrains.table import family_named
from evaluation.agents import Agent
from evaluation.noise import SENSED, with_map, with_noise
from evaluation.playing import ENDLESS
from viewer.driving import within

FRICTION, PAYLOAD = (0.1, 1.5), (-5.0, 20.0)
"""Sliding friction of the feet, and kg on the base, that can be chosen."""
BODY = ("friction", "mass", "inertia")
"""What of the physics is the robot's, whatever its drives are."""
COVERED = "covered"
"""Map of which nothing is known: the sensors are covered."""
APART = 1.2
"""m between robots side by side."""
MARGIN = 0.8
"""m from the side of a tile that robots side by side keep."""


@dataclass(frozen=True)
class World:
    """Where the robots walk, what they see of it, and what they carry."""

    terrain: str
    """Name of a family, or of the heightmap that play was started with."""
    parameters: Mapping[str, float] = field(default_factory=dict)
    """Of the family."""
    noise: str = "nominal"
    """Errors of the elevation map that Students get."""
    friction: float | None = None
    """Sliding friction of the feet; None: as the task has it."""
    payload: float | None = None
    """kg on the base; None: as the task has it."""
    seed: int = 0
    """Of terrain and noise."""

    def changed(self, **changes: float | str | None) -> World:
        """The world with another map, friction, payload or seed, each within what can be chosen."""
        world = replace(self, **changes)
        require_noise(world.noise)
        friction = None if world.friction is None else within(world.friction, *FRICTION)
        return replace(
            world, friction=friction, payload=None if world.payload is None else within(world.payload, *PAYLOAD)
        )


def require_noise(name: str) -> None:
    """Raise a ValueError for a map that there is not."""
    if name not in LEVELS:
        raise ValueError(f"There is no map '{name}'; choose from {', '.join(LEVELS)}.")


def make_ground(world: World, heightmaps: Mapping[str, Tile]) -> Tile:
    """The tile of a world: a heightmap by its name, else one of the families."""
    if world.terrain in heightmaps:
        return heightmaps[world.terrain]
    family_named(world.terrain)
    return make_tile(world.terrain, None, world.seed, None, **world.parameters)


def choices(family: str, values: Mapping[str, float]) -> dict[str, tuple[Parameter, float, float]]:
    """Parameters of a family with the smallest and largest value to offer, by name; none for a heightmap.

    Up to twice the training range, and what they are now: `values` may go as far as the parameter's limits.
    """
    parameters = FAMILIES[family].parameters if family in FAMILIES else ()
    largest = {p.name: max(2 * p.low, 2 * p.high, p.at(0.5)) for p in parameters}
    return {p.name: (p, p.limits[0], max(values[p.name], min(p.limits[1], largest[p.name]))) for p in parameters}


def beside(tile: Tile, index: int, count: int) -> Tile:
    """The tile with the start of robot `index` of `count`, which stand side by side."""
    room = max(0.0, tile.size[1] / 2 - MARGIN)
    gap = min(APART, 2 * room / max(count - 1, 1))
    x, y = tile.start
    return replace(tile, start=(x, y + gap * ((count - 1) / 2 - index)))


def make_env(agent: Agent, world: World, tile: Tile, depth: DepthConfig = SENSED) -> AnymalEnv:
    """An environment of one robot that does what the agent needs, without randomisation.

    If it makes its map by itself, it does so with the sensors of `depth`.
    """
    robot = with_map(with_noise(replace(agent.env, num_envs=1, threads=1, seed=world.seed), world.noise), depth)
    cfg: EnvConfig = replace(
        robot, commands=CommandConfig(fixed=(0.0, 0.0, 0.0)), randomization=NONE, episode_seconds=ENDLESS
    )
    env = agent.world(cfg, [tile])
    equip(env, world)
    return env


def equip(env: AnymalEnv, world: World) -> None:
    """Give the robot the feet and the load that the user has chosen: at once, and after every fall.

    What the user has left alone is what the task's events have made of it.
    """
    env_ids, simulation = torch.zeros(1, dtype=torch.long), env.simulation
    if world.friction is not None:
        env.state.friction = torch.full_like(env.state.friction, world.friction)
        simulation.set_friction(env_ids, env.state.friction)
    if world.payload is not None:
        physics = simulation.batch.state.copy()
        legs = simulation.mass[:, simulation.links] / simulation.model.body_mass[simulation.links]
        simulation.set_mass(env_ids, torch.tensor([world.payload]), torch.from_numpy(legs))
        simulation.batch.state[:] = physics  # new masses take the robot to its reference pose
    if world.friction is not None or world.payload is not None:
        simulation.settle(env_ids)


def body_of(env: AnymalEnv) -> tuple[float, float]:
    """Sliding friction of the robot's feet, their mean, and kg on its base, to two places."""
    base = env.simulation.base
    payload = float(env.simulation.mass[0, base] - env.simulation.model.body_mass[base])
    return round(float(env.state.friction[0].mean()), 2), round(payload, 2)


def driven(env: AnymalEnv) -> tuple[object, ...]:
    """What the physics of a robot remember beside its pose depends on."""
    cfg: EnvConfig = env.cfg  # type: ignore  # rsl_rl declares a dict
    return cfg.drive, cfg.latency.action, cfg.decimation, cfg.dt


def carry_over(old: AnymalEnv, new: AnymalEnv) -> None:
    """Put the robot of an environment into another one on the same ground: only its sensors begin anew.

    Where it gets other drives, these have no memory of what was before.
    """
    if driven(old) == driven(new):
        new.simulation.load_state_dict(old.simulation.state_dict())
    else:
        for name in BODY:
            getattr(new.simulation, name)[:] = getattr(old.simulation, name)
        new.simulation.batch.set_const()
        env_ids, pose = torch.zeros(1, dtype=torch.long), (old.simulation.qpos, old.simulation.qvel)
        new.simulation.reset(env_ids, *(torch.from_numpy(part.copy()) for part in pose))
        new.simulation.settle(env_ids)
    new.commands.load_state_dict(old.commands.state_dict())
    new.state = State(**vars(old.state))
    new.episode_length_buf, new.samples = old.episode_length_buf, old.samples
    new.sensors.reset(torch.zeros(1, dtype=torch.long), new.state)
    new.observations = new.observe()
