"""Robots on the engine warp, side by side with MuJoCo's own; tests that use them skip where Warp is not installed."""

from __future__ import annotations

from typing import Any

import mujoco
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from worlds import DEFAULT, pose

REASON = "MuJoCo Warp is not installed: `pip install -r requirements-gpu.txt` for these tests."
warp = pytest.importorskip("warp", reason=REASON)
mujoco_warp = pytest.importorskip("mujoco_warp", reason=REASON)
warp.config.optimization_level = 1  # kernels are compiled in a third of the time, and run here for a few robots alone

from envs.drives import PD, DriveConfig  # noqa: E402
from envs.simulation import Simulation  # noqa: E402
from envs.terrains import Surface, build_map, make_tile  # noqa: E402

GROUNDS = {"rough": 0.8, "stairs_standard": 0.7, "stairs_open": 0.7, "boxes": 0.8}
"""Families of ground with slopes, risers, plates over hollows and corners, and how difficult they are."""


def surface() -> Surface:
    """A small tile of each."""
    return Surface(
        build_map([make_tile(name, difficulty=hard, size=(4.0, 4.0), seed=0) for name, hard in GROUNDS.items()])
    )


def pair(
    count: int, drive: DriveConfig = PD, ground: Surface | None = None, **settings: Any
) -> tuple[Simulation, Simulation]:
    """The same robots on both engines."""
    ground = ground or surface()
    ours, theirs = (
        Simulation(ground, count, 1, 4, drive=drive, engine=engine, **settings) for engine in ("mujoco", "warp")
    )
    return ours, theirs


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def symmetric(*shape: int, seed: int) -> Tensor:
    return 2 * torch.rand(*shape, generator=generator(seed)) - 1


def anywhere(sim: Simulation, ground: Surface, seed: int) -> Tensor:
    """Different robots in random places, from in the ground to just above it, half of them upright; their env_ids."""
    m = sim.batch.nsim
    env_ids = torch.arange(m)
    qpos, turn = pose(count=m), torch.randn(m, 4, generator=generator(seed + 1))
    turn[: m // 2] = torch.tensor([1.0, 0.0, 0.0, 0.0]) + 0.05 * turn[: m // 2]
    low, high = ground.map.origin_w, np.array(ground.map.heights.shape)[::-1] * 0.05
    qpos[:, :2] = torch.as_tensor(low[:2]) + (0.5 + 0.45 * symmetric(m, 2, seed=seed)) * torch.as_tensor(high.copy())
    under = torch.from_numpy(ground.max_height(qpos[:, :2].double().numpy(), 0.3)).float()
    qpos[:, 2] = under + 0.35 + 0.25 * symmetric(m, seed=seed + 2)
    qpos[:, 3:7] = turn / turn.norm(dim=-1, keepdim=True)
    qpos[:, 7:] = DEFAULT + 0.3 * symmetric(m, 12, seed=seed + 3)
    sim.set_friction(env_ids, 0.7 + 0.4 * symmetric(m, 4, seed=seed + 4))
    sim.set_mass(env_ids, 5 * symmetric(m, seed=seed + 5), 1 + 0.1 * symmetric(m, 12, seed=seed + 6))
    sim.set_strength(env_ids, 1 + 0.2 * symmetric(m, 12, seed=seed + 7))
    sim.reset(env_ids, qpos, symmetric(m, 18, seed=seed + 8))
    sim.set_wrench(env_ids, 40 * symmetric(m, 3, seed=seed + 9), 8 * symmetric(m, 3, seed=seed + 10))
    sim.settle(env_ids)
    return env_ids


def contacts(sim: Simulation) -> list[NDArray[np.float64]]:
    """Contacts of each robot, a row each: geom, distance, point, normal; sorted."""
    if not hasattr(sim.batch, "get_data"):
        return contacts_on_device(sim.batch.d)
    found = []
    for env_id in range(sim.batch.nsim):
        model, data = sim.batch.get_model(env_id), sim.batch.get_data(env_id)
        mujoco.mj_forward(model, data)
        contact = data.contact
        found.append(by_geom(contact.geom[:, 1], contact.dist, contact.pos, contact.frame[:, :3]))
    return found


def contacts_on_device(d: Any) -> list[NDArray[np.float64]]:
    """The same of MuJoCo Warp's data."""
    count = int(d.nacon.numpy()[0])
    arrays = (d.contact.geom, d.contact.dist, d.contact.pos, d.contact.frame, d.contact.worldid)
    geom, dist, pos, frame, world = (array.numpy()[:count] for array in arrays)
    rows = [np.flatnonzero(world == env_id) for env_id in range(d.nworld)]
    return [by_geom(geom[own, 1], dist[own], pos[own], frame[own, 0]) for own in rows]


def by_geom(geom: NDArray[Any], dist: NDArray[Any], pos: NDArray[Any], normal: NDArray[Any]) -> NDArray[np.float64]:
    """A table of contacts, by geom and depth."""
    table = np.column_stack([geom, dist, pos, normal]).astype(float).reshape(-1, 8)
    return table[np.lexsort((table[:, 1], table[:, 0]))]


def alone(found: NDArray[np.float64], others: NDArray[np.float64], normal: float = 5e-3) -> int:
    """How many contacts of one table have no partner in another: the same geom, depth and point within 2e-5 m, and
    direction within `normal`."""
    near = np.abs(found[:, None] - others[None]) <= np.repeat((0.0, 2e-5, normal), (1, 4, 3))
    return len(found) - int(near.all(-1).any(1).sum())
