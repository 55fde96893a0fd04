"""Sensors of a robot, of itself and of the ground: perfect ones, and for a Student those of a real robot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from einops import rearrange, repeat
from torch import Tensor

from anymal_policy import layout
from envs import observations
from envs.config import EnvConfig
from envs.depth import SensedMaps
from envs.height_noise import LEVELS, HeightNoise, MapFailures, Pose, noise_factor
from envs.latency import DelayedProprioception
from envs.own import Observation, named
from envs.per_episode import OwnGenerator, stream_seed
from envs.robot import FOOT_RADIUS
from envs.sensor_noise import SensorNoise
from envs.state import State, push
from envs.terrains import Surface

HISTORIES = {"joint_position": "joint_position_history", "joint_velocity": "joint_velocity_history"}
"""Quantity -> what was measured of it in the steps before."""


class Sensors:
    """Perfect sensors: height samples of the surface, and the observation groups without noise."""

    def __init__(self, cfg: EnvConfig, surface: Surface) -> None:
        """Sensors of `cfg.num_envs` robots on `surface`."""
        self.cfg, self.surface = cfg, surface
        self.ring_offsets = layout.ring_offsets()
        self.own: tuple[Observation, ...] = tuple(named("observations", cfg.own.observations).values())
        self.sensed: SensedMaps | None = None
        """Elevation maps that the robots make by themselves."""

    def height_samples(self, foot_position_w: Tensor, heading: Tensor) -> Tensor:
        """Terrain height at the ring points minus the height of the sole, (m, 4, 52) m (S5)."""
        feet = foot_position_w[..., :2].numpy()
        heights = self.surface.foot_heights(feet, heading.numpy(), self.ring_offsets)
        return torch.from_numpy(heights).sub_(foot_position_w[..., 2:] - FOOT_RADIUS)

    def sense(self, s: State, samples: int) -> None:
        """Take note of the state after a step, of `samples` environment steps in all so far."""

    def reset(self, env_ids: Tensor, s: State) -> None:
        """Take note of the episodes that these robots start."""

    def seed(self, seed: int) -> None:
        """Draw from here on with this seed."""

    def linear_velocity_b(self, s: State) -> Tensor:
        """The velocity that the robots take themselves to have, by which they stand or walk, (n, 3) m/s."""
        return s.linear_velocity_b

    def observe(self, s: State, env_ids: Tensor | slice = slice(None)) -> dict[str, Tensor]:
        """All observation groups of these robots, whose state alone is `s`; new tensors."""
        return observations.observe(s, self.own)

    def map_failed(self) -> Tensor:
        """Whether a robot's present episode is one in which its map fails, (n,) bool."""
        return torch.zeros(self.cfg.num_envs, dtype=torch.bool)

    def map_worthless(self) -> Tensor:
        """Whether a robot's map tells it nothing now that it could rely on, (n,) bool."""
        return torch.zeros(self.cfg.num_envs, dtype=torch.bool)

    def metrics(self) -> dict[str, float]:
        """What to log about the sensors."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """Everything that resuming needs."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""


class NoisySensors(Sensors):
    """Sensors of a real robot beside the perfect ones: noise, a drifting state estimator, a faulty elevation map."""

    def __init__(self, cfg: EnvConfig, surface: Surface) -> None:
        """Generators of their own: noise changes nothing but what is perceived, and maps nothing that is felt.

        To the maps of depth sensors no error is added (decision 82).
        """
        if cfg.depth.sensors != "none":
            cfg = replace(cfg, height_noise=LEVELS["mapped"])
        super().__init__(cfg, surface)
        n, self.generator = cfg.num_envs, torch.Generator()
        self.of_maps = OwnGenerator(cfg.seed, stream=6)
        self.delayed = DelayedProprioception(cfg.latency.proprioception, n, cfg.dt, cfg.seed, stream=4)
        self.seed(cfg.seed)
        self.noise = SensorNoise(cfg.sensor_noise, n, cfg.dt, self.generator)
        self.maps = HeightNoise(cfg.height_noise, n, cfg.dt, self.of_maps.generator)
        failures, redraw_steps = cfg.height_noise.failures, self.maps.redraw_steps
        self.failures = MapFailures(failures, redraw_steps, n, cfg.dt, self.of_maps.generator)
        self.query = self.true_heights
        if cfg.depth.sensors != "none":
            self.sensed = SensedMaps(cfg.depth, surface, n, cfg.dt, cfg.threads, self.of_maps.generator)
        self.factor = noise_factor(0, cfg.height_noise)
        self.map_heights_w = torch.zeros(n, 4, len(self.ring_offsets))
        self.perceived: dict[str, Tensor] = {}

    def true_heights(self, points_w: Tensor) -> Tensor:
        """Height of the surface (k,) m at world points (k, 2) m: what maps show unless `query` is replaced."""
        return torch.from_numpy(self.surface.height(points_w.numpy()))

    def seed(self, seed: int) -> None:
        """Draw from here on with this seed; other numbers than the environment's own generator draws with it."""
        self.generator.manual_seed(stream_seed(seed, 1))
        self.of_maps.seed(seed)
        self.delayed.delay.seed(seed)

    def sense(self, s: State, samples: int) -> None:
        """Read all sensors, and renew the maps that are due."""
        self.factor = noise_factor(samples, self.cfg.height_noise)
        self.noise.advance()
        self.delayed.advance(s)
        before = self.perceived
        histories = {history: push(before[history], before[name]) for name, history in HISTORIES.items()}
        pose = pose_of(s)
        self.failures.advance(pose)
        if self.sensed is not None:
            self.sensed.advance(s)
        self._look(pose, self.maps.renewed())
        measured = self.noise.measure(self.delayed.felt(s), torch.arange(self.cfg.num_envs))
        stuck = rearrange(self.failures.stuck(), "n -> n 1 1")
        heights = torch.where(stuck, before["height_samples"], self._relative(pose))
        self.perceived = {**measured, **histories, "height_samples": heights}

    def reset(self, env_ids: Tensor, s: State) -> None:
        """New errors for these robots, whose histories hold the present."""
        self.noise.reset(env_ids)
        self.delayed.reset(env_ids, s)
        self.maps.reset(env_ids)
        pose = pose_of(s)
        self.failures.reset(env_ids, pose, self.factor)
        if self.sensed is not None:
            self.sensed.reset(env_ids, s)
        self._look(pose, env_ids)
        measured = self.noise.measure(s, env_ids)
        histories = {
            history: repeat(measured[name], "m j -> m t j", t=getattr(s, history).shape[1])
            for name, history in HISTORIES.items()
        }
        new = {**measured, **histories, "height_samples": self._relative(pose)[env_ids]}
        if not self.perceived:
            self.perceived = {name: getattr(s, name).clone() for name in new}
        for name, values in new.items():
            self.perceived[name][env_ids] = values

    def _look(self, pose: Pose, env_ids: Tensor) -> None:
        """Take new samples from the maps of these robots, where their feet are now."""
        points = ring_points(*self.failures.looks_from(env_ids), torch.from_numpy(self.ring_offsets).float())
        query = self.query if self.sensed is None else self.sensed.query(env_ids)
        shown = self.failures.shown(env_ids, pose, query)
        holes = self.failures.holes(env_ids, self.maps.holes(len(env_ids), self.factor))
        self.map_heights_w[env_ids] = self.maps.sample(env_ids, points, pose.soles[env_ids], shown, self.factor, holes)

    def _relative(self, pose: Pose) -> Tensor:
        """The samples last taken from the maps, minus the present height of the soles, (n, 4, 52) m; NaN: unknown."""
        return self.map_heights_w - rearrange(pose.soles, "n foot -> n foot 1")

    def linear_velocity_b(self, s: State) -> Tensor:
        """The velocity that the robots take themselves to have, by which they stand or walk, (n, 3) m/s."""
        return self.perceived["linear_velocity_b"]

    def observe(self, s: State, env_ids: Tensor | slice = slice(None)) -> dict[str, Tensor]:
        """The clean groups, and the noisy ones: the same functions of the state as it is perceived."""
        perceived = replace(s, **{name: value[env_ids] for name, value in self.perceived.items()})
        return {**super().observe(s), **observations.observe_noisy(perceived, self.own)}

    def map_failed(self) -> Tensor:
        """Whether a robot's present episode is one in which its map fails, (n,) bool."""
        return self.failures.failed

    def map_worthless(self) -> Tensor:
        """Whether a robot's map tells it nothing now that it could rely on, (n,) bool."""
        return self.failures.worthless()

    def metrics(self) -> dict[str, float]:
        """The noise schedule, and the fraction of the maps that fail now."""
        return {"curriculum/c_sk": self.factor, "curriculum/failing_maps": float(self.failures.active().float().mean())}

    def state_dict(self) -> dict[str, Any]:
        """Generators, lasting errors, and what was perceived last."""
        return {
            "generator": self.generator.get_state(),
            "of_maps": self.of_maps.state_dict(),
            "factor": self.factor,
            "sensors": self.noise.state_dict(),
            "delayed": self.delayed.state_dict(),
            "maps": self.maps.state_dict(),
            "failures": self.failures.state_dict(),
            "sensed": {} if self.sensed is None else self.sensed.state_dict(),
            "map_heights_w": self.map_heights_w.clone(),
            "perceived": {name: value.clone() for name, value in self.perceived.items()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        self.generator.set_state(state["generator"])
        self.factor, self.map_heights_w = state["factor"], state["map_heights_w"].clone()
        self.noise.load_state_dict(state["sensors"])
        for own in (name for name in ("of_maps", "delayed") if name in state):
            getattr(self, own).load_state_dict(state[own])
        self.maps.load_state_dict(state["maps"])
        self.failures.load_state_dict(state["failures"])
        if self.sensed is not None:
            self.sensed.load_state_dict(state["sensed"])
        self.perceived = {name: value.clone() for name, value in state["perceived"].items()}


def pose_of(s: State) -> Pose:
    """What maps need to know of the robots."""
    return Pose(s.foot_position_w, s.foot_position_w[..., 2] - FOOT_RADIUS, s.base_position_w, s.heading)


def ring_points(foot_xy: Tensor, heading: Tensor, offsets: Tensor) -> Tensor:
    """World points (m, 4, 52, 2) m of `offsets` (52, 2) turned by `heading` (m,) rad around feet (m, 4, 2) m."""
    c, s = rearrange(heading.cos(), "m -> m 1"), rearrange(heading.sin(), "m -> m 1")
    x, y = offsets.unbind(-1)
    turned = torch.stack([c * x - s * y, s * x + c * y], dim=-1)
    return rearrange(foot_xy, "m foot xy -> m foot 1 xy") + rearrange(turned, "m point xy -> m 1 point xy")


def make_sensors(cfg: EnvConfig, surface: Surface) -> Sensors:
    """Perfect sensors, and with `cfg.noisy_groups` those of a real robot beside them."""
    return NoisySensors(cfg, surface) if cfg.noisy_groups else Sensors(cfg, surface)
