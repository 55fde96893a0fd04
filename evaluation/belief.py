"""What a Student makes of the ground around its feet, beside what is there and what it sees, to be drawn."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

import numpy as np
import torch
from einops import rearrange, repeat
from numpy.typing import NDArray
from torch import Tensor

from agents.policies import StudentPolicy
from anymal_policy import layout
from envs.anymal import AnymalEnv
from envs.dots import Colour, Dots
from envs.rendering import Image
from envs.robot import FOOT_RADIUS
from envs.sensors import ring_points
from envs.state import State
from evaluation.agents import Agent
from evaluation.legend import Strip, paint_legend
from evaluation.reconstruction import student_in

TRUE, SEEN, RECONSTRUCTED = "true", "seen", "reconstructed"
COLOURS: dict[str, Colour] = {TRUE: (255, 255, 255), SEEN: (230, 159, 0), RECONSTRUCTED: (0, 114, 255)}
"""Of the heights of each kind; apart in hue and lightness, for those who see no red, no green or no blue, too."""
MAP_COLOUR: Colour = (90, 0, 40)
"""Of the elevation map that a robot makes by itself."""
NEAR, EVERY, SMALL = 1.2, 2, 0.006
"""m from the base, every so many cells of a side, and m, radius of a dot: of the map in a picture."""
STRIP_SECONDS = 5.0
"""s of the gate's past in the legend."""


class Belief(NamedTuple):
    """The ground around the first robot's feet in one step, by kind, and how far the gate lets pass what it sees."""

    heights: dict[str, Tensor]
    """Height samples of each kind that there is, (208,) m relative to the soles."""
    openness: float | None
    """Mean openness of the gate, 0 to 1; None without gate."""


class BeliefView:
    """The belief of an environment's first robot as dots in the world and a legend."""

    def __init__(self, env: AnymalEnv, policy: StudentPolicy, noise: str) -> None:
        """Note what `policy` believes whenever it has acted on the observations of `env`, whose noise has this name."""
        self.env, self.policy, self.noise = env, policy, noise
        self.steps = round(STRIP_SECONDS / env.cfg.dt)
        self.openness: deque[float] = deque(maxlen=self.steps)

    def note(self) -> None:
        """Remember how open the gate is; once for each step."""
        openness = read_belief(self.env, self.policy).openness
        if openness is not None:
            self.openness.append(openness)

    def look(self, height: int) -> tuple[list[Dots], Image]:
        """Dots at every height sample, and the legend of a picture of `height` pixels, for what was noted last."""
        belief = read_belief(self.env, self.policy)
        dots = [
            Dots(known(sample_points(self.env.state, each)), COLOURS[kind]) for kind, each in belief.heights.items()
        ]
        if (points := map_points(self.env, EVERY)) is not None:
            base = self.env.state.base_position_w[0, :2].numpy()
            dots.append(Dots(points[(np.abs(points[:, :2] - base) < NEAR).all(1)], MAP_COLOUR, SMALL))
        return dots, paint_legend(self._key(belief), self._strip(), height)

    def _key(self, belief: Belief) -> list[tuple[Colour, str]]:
        """Colour and meaning of the dots of each kind, with its mean distance from the truth."""
        meanings = {TRUE: "true height", SEEN: f"seen, noise {self.noise}", RECONSTRUCTED: "reconstructed"}
        truth, key = belief.heights[TRUE], []
        for kind, heights in belief.heights.items():
            error = f": {100 * float((heights - truth).abs().nanmean()):.1f} cm off" if kind != TRUE else ""
            key.append((COLOURS[kind], meanings[kind] + error))
        if self.env.sensors.sensed is not None:
            key.append((MAP_COLOUR, "map of its own"))
        return key

    def _strip(self) -> Strip | None:
        """The gate's openness over the last seconds, if there is a gate."""
        if not self.openness:
            return None
        title = f"gate open {self.openness[-1]:.2f} (mean), last {STRIP_SECONDS:g} s"
        return Strip(title, tuple(self.openness), self.steps)


def require_student(agent: Agent) -> StudentPolicy:
    """The agent's policy, or a ValueError if it is no Student: nobody else has a belief."""
    if (student := student_in(agent)) is not None:
        return student
    raise ValueError(f"--belief is for Students, who alone have one; leave it out for {agent.name}.")


def read_belief(env: AnymalEnv, policy: StudentPolicy) -> Belief:
    """What the policy, which has just acted on the present observations, sees and believes of the first robot."""
    obs, cfg, output = env.get_observations(), policy.network.cfg, policy.output
    heights = {TRUE: obs["extero"][0]}
    if cfg.extero:
        heights[SEEN] = obs["extero_noisy"][0]
    if cfg.reconstruct:
        heights[RECONSTRUCTED] = policy.normalizer.inverse(output.heights[0], policy.places["extero"])
    return Belief(heights, float(output.gate[0].mean()) if cfg.gate else None)


def map_points(env: AnymalEnv, every: int = 1) -> NDArray[np.float64] | None:
    """What the first robot's own map knows, at every so many cells of a side, (k, 3) m in the world; None without one.

    The map is in the frame of the odometry: what the robot takes its place to be comes to where it is.
    """
    sensed = env.sensors.sensed
    if sensed is None:
        return None
    elevation, frame = sensed.maps[0], sensed.odometry.frames()[0].numpy()
    place, believed, angle = frame[:3], frame[3:6], float(frame[6])
    heights, corner = elevation.grid()
    rows, columns = np.nonzero(np.isfinite(heights))
    chosen = (rows % every == 0) & (columns % every == 0)
    rows, columns = rows[chosen], columns[chosen]
    middle = corner + (np.stack([columns, rows], axis=-1) + 0.5) * elevation.cfg.resolution
    x, y, z = (np.column_stack([middle, heights[rows, columns]]) - believed).T
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([c * x + s * y, c * y - s * x, z], axis=-1) + place


def known(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those of points (k, 3) m that a map knows: unknown ones have no height."""
    return points[np.isfinite(points).all(1)]


def sample_points(s: State, heights: Tensor) -> NDArray[np.float64]:
    """Where height samples (208,) m relative to the soles of the first robot lie in the world, (208, 3) m."""
    offsets = torch.from_numpy(layout.ring_offsets()).float()
    xy = ring_points(s.foot_position_w[:1, :, :2], s.heading[:1], offsets)
    soles = repeat(s.foot_position_w[0, :, 2] - FOOT_RADIUS, "foot -> (foot point) 1", point=len(offsets))
    points = torch.cat([rearrange(xy, "1 foot point xy -> (foot point) xy"), soles + heights.unsqueeze(-1)], dim=-1)
    return points.double().numpy()
