"""What training logs about the environment: means since they were last asked for."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor

from envs import rewards
from envs.state import State


class Metrics:
    """Sums over robots and steps, turned into means when drained."""

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._sums: dict[str, float] = defaultdict(float)
        self._weights: dict[str, float] = defaultdict(float)

    def _add(self, name: str, total: float, weight: float) -> None:
        self._sums[name] += total
        self._weights[name] += weight

    def add_step(
        self,
        s: State,
        terms: dict[str, Tensor],
        reward: Tensor,
        falls: dict[str, Tensor],
        failed: Tensor,
        fell: Tensor,
        dt: float,
    ) -> None:
        """One step of n robots: rewards per second by term, tracking, falls per minute by cause."""
        seconds, n = len(reward) * dt, len(reward)
        columns = [
            *terms.values(),
            reward,
            rewards.linear_tracking(s),
            rewards.angular_tracking(s),
            *falls.values(),
            failed,
            fell,
        ]
        sums = torch.stack([column.float() for column in columns]).sum(-1).tolist()
        for name in (*terms, "total"):
            self._add(f"reward/{name}", sums.pop(0), seconds)
        self._add("tracking/linear", sums.pop(0), n)
        self._add("tracking/angular", sums.pop(0), n)
        causes = {name: sums.pop(0) for name in (*falls, "non_finite")}
        for name in falls:
            self._add(f"falls_per_minute/{name}", causes[name], seconds / 60)
        self._add("falls_per_minute", sums.pop(0), seconds / 60)
        self._sums["physics/non_finite"] += causes["non_finite"]
        self._weights["physics/non_finite"] = 1

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
