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
        dots = [Dots(sample_points(self.env.state, heights), COLOURS[kind]) for kind, heights in belief.heights.items()]
        return dots, paint_legend(self._key(belief), self._strip(), height)

    def _key(self, belief: Belief) -> list[tuple[Colour, str]]:
        """Colour and meaning of the dots of each kind, with its mean distance from the truth."""
        meanings = {TRUE: "true height", SEEN: f"seen, noise {self.noise}", RECONSTRUCTED: "reconstructed"}
        truth, key = belief.heights[TRUE], []
        for kind, heights in belief.heights.items():
            error = f": {100 * float((heights - truth).abs().mean()):.1f} cm off" if kind != TRUE else ""
            key.append((COLOURS[kind], meanings[kind] + error))
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


def sample_points(s: State, heights: Tensor) -> NDArray[np.float64]:
    """Where height samples (208,) m relative to the soles of the first robot lie in the world, (208, 3) m."""
    offsets = torch.from_numpy(layout.ring_offsets()).float()
    xy = ring_points(s.foot_position_w[:1, :, :2], s.heading[:1], offsets)
    soles = repeat(s.foot_position_w[0, :, 2] - FOOT_RADIUS, "foot -> (foot point) 1", point=len(offsets))
    points = torch.cat([rearrange(xy, "1 foot point xy -> (foot point) xy"), soles + heights.unsqueeze(-1)], dim=-1)
    return points.double().numpy()
