"""What a runner is told of one robot: its sensors and its elevation map, with the errors of the other evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from anymal_policy.runtime import Measurement
from envs.anymal import AnymalEnv
from envs.height_noise import HeightNoise, noise_factor
from envs.robot import FOOT_RADIUS
from envs.sensor_noise import SensorNoise
from envs.state import State

ROW = torch.zeros(1, dtype=torch.long)
"""The only robot."""


class Sensors:
    """Sensors, state estimator and elevation map of one robot, from the start of its episode on."""

    def __init__(self, env: AnymalEnv, seed: int) -> None:
        """On the ground and with the noise of an environment."""
        cfg, generator = env.cfg, torch.Generator().manual_seed(seed)
        self.surface, self.factor = env.surface, noise_factor(0, cfg.height_noise)
        self.sensors = SensorNoise(cfg.sensor_noise, 1, cfg.dt, generator)
        self.maps = HeightNoise(cfg.height_noise, 1, cfg.dt, generator)
        self.sensors.reset(ROW)
        self.maps.reset(ROW)
        self.soles = torch.zeros(1, 4)
        self.map_heights_w: NDArray[np.float32] | None = None

    def measure(self, s: State) -> Measurement:
        """What the robot measures in a policy step; position and attitude on the map are known."""
        self.soles = s.foot_position_w[..., 2] - FOOT_RADIUS
        self.sensors.advance()
        measured: dict[str, Any] = {name: value[0].numpy() for name, value in self.sensors.measure(s, ROW).items()}
        position, attitude = (each[0].numpy().copy() for each in (s.base_position_w, s.base_quaternion))
        return Measurement(base_position_w=position, base_quaternion=attitude, **measured)

    def height(self, points: NDArray[np.float64]) -> NDArray[np.float32]:
        """The map's heights (208,) m at the ring points (208, 2) m, held between its renewals; once a policy step."""
        if len(self.maps.renewed()) or self.map_heights_w is None:
            at = torch.from_numpy(points).float().reshape(1, 4, -1, 2)
            heights = self.maps.sample(ROW, at, self.soles, self._true_heights, self.factor)
            self.map_heights_w = heights.numpy().ravel()
        return self.map_heights_w

    def _true_heights(self, points_w: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.surface.height(points_w.numpy()))
