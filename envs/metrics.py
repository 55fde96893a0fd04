"""What training logs about the environment: means since they were last asked for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from torch import Tensor

from envs import rewards
from envs.state import State


class Metrics:
    """Sums over robots and steps, turned into means when drained."""

    def __init__(self, rewards: Sequence[str], terminations: Sequence[str], dt: float) -> None:
        """Nothing has been seen yet of the terms of these names; `dt` is the time of a step in s."""
        self._rewards, self._terminations, self._dt = rewards, terminations, dt
        self._sums: dict[str, float] = defaultdict(float)
        self._weights: dict[str, float] = defaultdict(float)

    def _add(self, name: str, total: float, weight: float) -> None:
        self._sums[name] += total
        self._weights[name] += weight

    def add_step(self, s: State, terms: Tensor, reward: Tensor, causes: Tensor, fell: Tensor, wild: Tensor) -> None:
        """One step of n robots: rewards per second by term (k, n), tracking, falls per minute by cause.

        `causes` (c + 1, n) are the terminations in their order, and robots whose physics was not finite; `wild` (n,)
        are those whose action was not.
        """
        n = len(reward)
        seconds = n * self._dt
        by_cause = [f"falls_per_minute/{name}" for name in self._terminations]
        rows = {
            **{f"reward/{name}": (row, seconds) for name, row in zip(self._rewards, terms, strict=True)},
            "reward/total": (reward, seconds),
            "tracking/linear": (rewards.linear_tracking(s), n),
            "tracking/angular": (rewards.angular_tracking(s), n),
            "falls_per_minute": (fell, seconds / 60),
            **{name: (row, seconds / 60) for name, row in zip(by_cause, causes, strict=False)},
            "physics/non_finite": (causes[-1], 0),
            "actions/non_finite": (wild, 0),
        }
        sums = torch.stack([row.to(reward.dtype) for row, _ in rows.values()]).sum(-1).tolist()
        for (name, (_, weight)), total in zip(rows.items(), sums, strict=True):
            self._add(name, total, weight)
        self._weights["physics/non_finite"] = self._weights["actions/non_finite"] = 1

    def add_episodes(self, seconds: Tensor, fell: Tensor) -> None:
        """Episodes that ended: how long they were, (m,) s, and whether by a fall, (m,)."""
        self._add("episode/seconds", float(seconds.sum()), len(seconds))
        self._add("episode/falls", float(fell.sum()), len(fell))

    def drain(self) -> dict[str, float]:
        """The means, by name; starts anew."""
        means = {name: total / self._weights[name] for name, total in self._sums.items() if self._weights[name]}
        self._sums.clear()
        self._weights.clear()
        return means
