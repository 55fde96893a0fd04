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
        once = torch.stack([reward, rewards.linear_tracking(s), rewards.angular_tracking(s), fell])
        sums = iter(torch.cat([terms, once, causes, wild.unsqueeze(0)]).sum(-1).tolist())
        for name in (*self._rewards, "total"):
            self._add(f"reward/{name}", next(sums), seconds)
        self._add("tracking/linear", next(sums), n)
        self._add("tracking/angular", next(sums), n)
        self._add("falls_per_minute", next(sums), seconds / 60)
        for name in self._terminations:
            self._add(f"falls_per_minute/{name}", next(sums), seconds / 60)
        for name in ("physics/non_finite", "actions/non_finite"):
            self._sums[name] += next(sums)
            self._weights[name] = 1

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
