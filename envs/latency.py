"""Latency between a robot's body and its policy: what is felt is old, and what is decided acts late."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from envs.per_episode import Bounds, PerEpisode, require_range
from envs.state import State, push

LONGEST = 0.2
"""s, of any delay: ten policy steps."""
FELT = ("gravity_b", "linear_velocity_b", "angular_velocity_b", "joint_position", "joint_velocity")
"""What a robot feels of itself."""


@dataclass(frozen=True)
class LatencyConfig:
    """Delays, uniform within a range and constant in an episode; two equal numbers fix one.

    Refinement and a Student's training have their own in place of 0 0; 0 1e-4 is none there, too.
    """

    action: Bounds = (0.0, 0.0)
    """s from the beginning of a policy step until the drives track its joint targets, rounded to physics steps. It is
    physics, so a Teacher has it, too; refinement and a Student's training have 0 0.02 (walk-these-ways: 0.03)."""
    proprioception: Bounds = (0.0, 0.0)
    """s by which what proprio_noisy measures is old; a Student's training has 0 0.02 by default (Tan et al. 2018: 0.015
    to 0.019 on their robot, 0 to 0.04 in training)."""

    def __post_init__(self) -> None:
        """Refuse what is no delay."""
        require_range("latency.action", self.action, 0.0, LONGEST)
        require_range("latency.proprioception", self.proprioception, 0.0, LONGEST)


OF_REFINEMENT = LatencyConfig(action=(0.0, 0.02))
"""What a Teacher that walks is refined with (decision 51)."""
OF_STUDENTS = LatencyConfig(action=(0.0, 0.02), proprioception=(0.0, 0.02))
"""What Students are trained with (decision 51)."""


def at_least(own: LatencyConfig, default: LatencyConfig) -> LatencyConfig:
    """Delays of `own`, and for those that it has switched off the `default`'s."""
    return LatencyConfig(
        action=own.action if any(own.action) else default.action,
        proprioception=own.proprioception if any(own.proprioception) else default.proprioception,
    )


class DelayedProprioception:
    """Delay line of the proprioception: what n robots felt in the last policy steps, read as it was a while ago.

    Between two steps it is interpolated (decision 52).
    """

    def __init__(self, bounds: Bounds, num_envs: int, dt: float, seed: int, stream: int) -> None:
        """`dt` s is a policy step; each robot's delay in s is drawn within `bounds`."""
        self.dt, self.delay = dt, PerEpisode(bounds, num_envs, seed, stream)
        self.past: dict[str, Tensor] = {}
        self.kept = math.ceil(bounds[1] / dt) + 1

    def advance(self, s: State) -> None:
        """Take note of the state after a policy step."""
        self.past = {name: push(past, getattr(s, name)) for name, past in self.past.items()}

    def reset(self, env_ids: Tensor, s: State) -> None:
        """New delays for the episodes that these robots start; before them, robots felt what they feel now."""
        self.delay.draw(env_ids)
        if self.kept > 1 and not self.past:
            self.past = {name: getattr(s, name).unsqueeze(1).repeat(1, self.kept, 1) for name in FELT}
        for name, past in self.past.items():
            past[env_ids] = getattr(s, name)[env_ids].unsqueeze(1)

    def felt(self, s: State) -> State:
        """The state with what each robot felt its delay ago."""
        if not self.past:
            return s
        age = self.delay.values / self.dt
        newer = age.floor().long().clamp(max=self.kept - 1)
        older, robots = (newer + 1).clamp(max=self.kept - 1), torch.arange(len(age))
        share = (age - newer).unsqueeze(-1)
        return replace(
            s, **{name: torch.lerp(past[robots, newer], past[robots, older], share) for name, past in self.past.items()}
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything that resuming needs."""
        return {"delay": self.delay.state_dict(), "past": {name: past.clone() for name, past in self.past.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        self.delay.load_state_dict(state["delay"])
        self.past = {name: past.clone() for name, past in state["past"].items()}
