"""The elevation maps that n simulated robots make of the terrain with their depth sensors and their odometry.

Ground does not move, so a picture that is in the map `delay` late is taken when it is due, from where the robot was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from einops import rearrange
from numpy.typing import NDArray
from torch import Tensor

from anymal_policy.gait import leg_chain
from anymal_policy.kinematics import leg_capsules, rotation_matrix
from envs.depth.config import DepthConfig
from envs.depth.mounts import turned
from envs.depth.odometry import Odometry
from envs.depth.pictures import View, optics_of, take
from envs.depth.rays import ground_of
from envs.robot import FOOT_RADIUS
from envs.state import State
from envs.terrains import Surface
from mapping import ElevationMap, PointErrors, placed, point_variance

FIRST_VARIANCE = 0.01
"""m^2, of the ground that an episode's first map takes for granted around the soles."""
MEMORY = ("clock", "past", "errors", "keys", "pictures", "landed")
SURE_FEET = 2
"""Feet that stand at once, from which on their soles are taken for the ground: a trot never has more."""
CHAIN = leg_chain().numpy()
"""Links of the legs, (4, 4, 3) m."""
PLACE, BELIEVED, TURNED, QUATERNION, JOINTS = slice(0, 3), slice(3, 6), 6, slice(7, 11), slice(11, 23)
"""Columns of what is kept of a step."""


class SensedMaps:
    """Elevation maps of n robots; `reset` robots, then `advance` once a policy step before `height`."""

    def __init__(
        self, cfg: DepthConfig, surface: Surface, num_envs: int, dt: float, threads: int, generator: torch.Generator
    ) -> None:
        """Nothing is known; `dt` s is a policy step."""
        kind = cfg.kind()
        self.cfg, self.generator, self.ground = cfg, generator, ground_of(surface)
        self.mounts = [mount for name, mount in kind.mounts.items() if name not in cfg.covered]
        self.rays, self.optics = cfg.rays(), optics_of(cfg)
        self.accuracy = PointErrors(kind.least, kind.growth, max(cfg.odometry.tilt, cfg.misalignment))
        self.per_step = min(kind.rate * dt, 1.0)
        self.maps = [ElevationMap(cfg.grid) for _ in range(num_envs)]
        self.odometry = Odometry(cfg.odometry, num_envs, generator)
        self.lag = math.ceil(cfg.delay / dt - 1e-6)
        self.clock = torch.zeros(num_envs, len(self.mounts), dtype=torch.float64)
        self.past = torch.zeros(self.lag + 1, num_envs, 23, dtype=torch.float64)  # newest first
        self.errors = torch.zeros(num_envs, len(self.mounts), 4, dtype=torch.float64)  # roll, pitch, yaw, range
        self.keys, self.pictures = torch.zeros(num_envs, dtype=torch.int64), torch.zeros(num_envs, dtype=torch.int64)
        self.landed = torch.zeros(num_envs, dtype=torch.bool)
        self.pool, self.threads = ThreadPoolExecutor(threads), threads

    def reset(self, env_ids: Tensor, s: State) -> None:
        """These robots start episodes: only what first pictures, and soles that stand, say is known."""
        m, sensors, random = len(env_ids), len(self.mounts), self.generator
        self.odometry.reset(env_ids, s)
        self.clock[env_ids] = torch.rand(m, sensors, generator=random, dtype=torch.float64)
        deviations = torch.tensor([self.cfg.misalignment] * 3 + [self.cfg.scale], dtype=torch.float64)
        self.errors[env_ids] = deviations * torch.randn(m, sensors, 4, generator=random, dtype=torch.float64)
        self.keys[env_ids] = torch.randint(2**62, (m,), generator=random)
        self.pictures[env_ids], self.landed[env_ids] = 0, False
        self.past[:, env_ids] = self._present(s)[env_ids]
        for env_id in env_ids.tolist():
            self.maps[env_id].reset()
        self._each(env_ids.tolist(), s, dict.fromkeys(env_ids.tolist(), range(sensors)))
        self._stand(s, env_ids)

    def advance(self, s: State) -> None:
        """Let a policy step pass that led to this state: the odometry drifts, pictures arrive, feet stand."""
        self.odometry.advance(s)
        self.past = torch.cat([rearrange(self._present(s), "n dim -> 1 n dim"), self.past[:-1]])
        self.clock += self.per_step
        due = self.clock >= 1
        self.clock -= due.double()
        seen: dict[int, Iterable[int]] = {
            env_id: torch.nonzero(due[env_id]).squeeze(-1).tolist()
            for env_id in torch.nonzero(due.any(-1)).squeeze(-1).tolist()
        }
        self._each(range(len(self.maps)), s, seen)
        self._stand(s, torch.arange(len(self.maps)))

    def rest(self, robots: Tensor) -> None:
        """These robots (n,) bool take no more pictures in this episode; the draws of others stay as they are."""
        self.clock[robots] = -torch.inf

    def close(self) -> None:
        """Let go of threads and maps."""
        self.pool.shutdown()
        self.maps.clear()

    def _stand(self, s: State, env_ids: Tensor) -> None:
        """Let soles that stand say how high these robots' ground is: around an episode's first where none is known."""
        soles, stands = self._soles(s), s.foot_contact > 0
        sure = stands.sum(-1) >= SURE_FEET
        for env_id in env_ids[~self.landed[env_ids] & sure[env_ids]].tolist():
            self.maps[env_id].touch(soles[env_id][stands[env_id].numpy()], self.cfg.stance, FIRST_VARIANCE)
        self.landed[env_ids] |= sure[env_ids]
        if self.cfg.feet > 0:
            for env_id in env_ids[self.landed[env_ids]].tolist():
                self.maps[env_id].correct(soles[env_id][stands[env_id].numpy()], self.cfg.feet)

    def query(self, env_ids: Tensor) -> Callable[[Tensor], Tensor]:
        """Heights (m k,) m in the world, of these robots' own maps, at points (m k, 2) m, k for each robot.

        NaN where they know none.
        """

        def heights(points_w: Tensor) -> Tensor:
            points = rearrange(points_w.double(), "(m k) xy -> m k xy", m=len(env_ids))
            error = self.odometry.error[env_ids, 2].numpy()
            there = self.to_odometry(env_ids, points).numpy()
            out = np.stack([self.maps[env_id].height(own) for env_id, own in zip(env_ids.tolist(), there, strict=True)])
            return torch.from_numpy(out - error[:, None].astype(np.float32)).flatten()

        return heights if len(env_ids) else lambda points_w: points_w.new_empty(0)

    def to_odometry(self, env_ids: Tensor, points_w: Tensor) -> Tensor:
        """World points (m, k, 2) m in the frames in which these robots take themselves to be."""
        place, error, angle = self.odometry.place[env_ids], self.odometry.error[env_ids], self.odometry.turned[env_ids]
        c, s = rearrange(angle.cos(), "m -> m 1"), rearrange(angle.sin(), "m -> m 1")
        x, y = (points_w - rearrange(place[:, :2], "m xy -> m 1 xy")).unbind(-1)
        turned = torch.stack([c * x - s * y, s * x + c * y], dim=-1)
        return turned + rearrange((place + error)[:, :2], "m xy -> m 1 xy")

    def _present(self, s: State) -> Tensor:
        """What is kept of a step, (n, 23)."""
        return torch.cat([self.odometry.frames(), s.base_quaternion.double(), s.joint_position.double()], dim=-1)

    def _soles(self, s: State) -> NDArray[np.float64]:
        """Soles (n, 4, 3) m in the odometries' frames."""
        env_ids = torch.arange(len(self.maps))
        level = self.to_odometry(env_ids, s.foot_position_w[..., :2].double())
        height = s.foot_position_w[..., 2].double() - FOOT_RADIUS + rearrange(self.odometry.error[:, 2], "n -> n 1")
        return torch.cat([level, rearrange(height, "n foot -> n foot 1")], dim=-1).numpy()

    def _each(self, env_ids: Iterable[int], s: State, seen: dict[int, Iterable[int]]) -> None:
        """Move these maps to where the robots take themselves to be; take in the pictures of these sensors."""
        now = self.past[0].numpy()
        heading = (s.heading.double() + self.odometry.turned).numpy()
        views = self._views(list(seen))

        def one(env_id: int) -> None:
            elevation = self.maps[env_id]
            elevation.move(now[env_id, BELIEVED], float(heading[env_id]))
            for sensor in seen.get(env_id, ()):
                self._look(env_id, sensor, elevation, views[env_id])

        list(self.pool.map(one, env_ids) if self.threads > 1 else map(one, env_ids))

    def _views(self, env_ids: list[int]) -> dict[int, tuple[NDArray, ...]]:
        """By env_id, where the base was when the pictures were taken that are in the map now, and its legs."""
        if not env_ids:
            return {}
        past, tilt = self.past[self.lag, env_ids], self.odometry.tilt()[env_ids].numpy()
        legs = leg_capsules(past[:, JOINTS].numpy(), CHAIN)
        legs[..., 6] += self.cfg.margin
        views = {}
        for i, (env_id, then) in enumerate(zip(env_ids, past.numpy(), strict=True)):
            rotation = rotation_matrix(then[QUATERNION])
            heading = math.atan2(rotation[1, 0], rotation[0, 0])
            level = turned(-heading, 0.0) @ rotation
            believed = turned(float(then[TURNED]) + heading, float(tilt[i, 1]), float(tilt[i, 0])) @ level
            views[env_id] = then[PLACE], rotation, then[BELIEVED], believed, placed(legs[i], then[PLACE], rotation)
        return views

    def _look(self, env_id: int, sensor: int, elevation: ElevationMap, base: tuple[NDArray, ...]) -> None:
        """Take a picture, and take its points into the map."""
        place, rotation, believed_place, believed_rotation, capsules = base
        mount, (roll, pitch, yaw, scale) = self.mounts[sensor], self.errors[env_id, sensor].tolist()
        view = View(
            place + rotation @ mount.position_b,
            rotation @ mount.rotation_b @ turned(yaw, pitch, roll),
            believed_place + believed_rotation @ mount.position_b,
            believed_rotation @ mount.rotation_b,
            1.0 + scale,
            capsules,
        )
        key = np.uint64(int(self.keys[env_id]) + (int(self.pictures[env_id]) << 24))
        self.pictures[env_id] += 1
        away, points = np.empty(self.rays.shape[:2]), np.empty((self.rays[..., 0].size, 3))
        count = take(self.ground, view, self.rays, self.optics, key, away, points)
        cloud, eye = points[:count], view.believed_origin
        elevation.integrate(cloud, eye, point_variance(cloud, eye, self.accuracy))

    def state_dict(self) -> dict[str, Any]:
        """Everything that resuming needs but the generator, which belongs to the caller."""
        arrays = {
            name: np.stack([getattr(each, name) for each in self.maps]) for name in ("heights", "variances", "corner")
        }
        return {
            **{name: getattr(self, name).clone() for name in MEMORY},
            **{name: torch.from_numpy(array) for name, array in arrays.items()},
            "poses": torch.tensor([each.pose or (0.0, 0.0, 0.0) for each in self.maps], dtype=torch.float64),
            "clouds": torch.tensor([each.clouds for each in self.maps]),
            "odometry": self.odometry.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        for name in MEMORY:
            setattr(self, name, state[name].clone())
        self.odometry.load_state_dict(state["odometry"])
        for env_id, elevation in enumerate(self.maps):
            for name in ("heights", "variances", "corner"):
                getattr(elevation, name)[:] = state[name][env_id].numpy()
            x, y, heading = state["poses"][env_id].tolist()
            elevation.pose, elevation.clouds = (x, y, heading), int(state["clouds"][env_id])
