"""What is wrong with the heights that Students see, sorted as Miki et al. S8 do: by point, foot and episode."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import torch
from einops import rearrange, reduce
from torch import Tensor

from anymal_policy import layout
from anymal_policy.layout import HEIGHT_LIMIT, POLICY_DT
from envs.anymal import AnymalEnv
from envs.sensors import NoisySensors
from evaluation.rollout import Step

AHEAD = 0.3
"""m ahead of a front foot, from which on samples are ground that it will come to."""
NEAR = 0.1
"""m around a foot, within which samples are ground under it."""
BINS, WIDTH = 500, 0.002
"""Of the histogram of what is left of an error without its foot's mean; m."""
OUTLIER = 3.0
"""Deviations from which on a point is an outlier."""
LAGS = (5, 25)
"""Policy steps after which a foot's mean error is compared with itself."""
SUMS = ("all", "under", "ahead")
"""Parts of a foot's samples that are summed up by themselves."""
MAD = 1.4826
"""Standard deviation of a normal distribution by its median absolute deviation."""


class MapErrors:
    """Error statistics of maps: heights seen minus true ones, of n robots' first episodes, while their trial runs.

    Sums by robot, of which `described` makes numbers.
    """

    def __init__(self, env: AnymalEnv, running: Callable[[], Tensor]) -> None:
        """`running` tells whose errors count, (n,) bool."""
        n, offsets = env.num_envs, torch.from_numpy(layout.ring_offsets()).float()
        self.env, self.still = env, running
        self.parts = {
            "all": torch.ones(4, len(offsets), dtype=torch.bool),
            "under": (offsets.norm(dim=-1) <= NEAR).expand(4, -1),
            "ahead": (offsets[:, 0] >= AHEAD) & torch.tensor([True, True, False, False]).unsqueeze(-1),
        }
        self.sums = {name: torch.zeros(n, 4, dtype=torch.float64) for name in SUMS}  # points, known, e, e^2
        self.foot = torch.zeros(n, 3, 4, dtype=torch.float64)  # looks, sum and sum of squares of the foot's mean
        self.later = torch.zeros(n, len(LAGS), 2, 4, dtype=torch.float64)  # pairs of looks, sum of their products
        self.looked: deque[Tensor] = deque(maxlen=max(LAGS))  # newest first: whether there was a look, and its mean
        self.rest = torch.zeros(n, BINS, dtype=torch.float64)

    @property
    def running(self) -> Tensor:
        """Robots that it still learns from, (n,) bool."""
        return self.still()

    def observe(self, step: Step) -> None:
        """Take note of what is seen after a step."""
        sensors, alive = self.env.sensors, self.running & ~step.done
        if not isinstance(sensors, NoisySensors) or not alive.any():
            return
        limited = [
            each[alive].double().clamp(-HEIGHT_LIMIT, HEIGHT_LIMIT)
            for each in (sensors.perceived["height_samples"], self.env.state.height_samples)
        ]
        error = limited[0] - limited[1]
        known = ~error.isnan()
        for name, part in self.parts.items():
            self._add(name, alive, error, known & part, int(part.sum()))
        count, error = known.sum(-1), error.nan_to_num()
        mean = error.sum(-1) / count.clamp(min=1)
        looks = (count > error.shape[-1] / 2).double()
        self.foot[alive] += torch.stack([looks, looks * mean, looks * mean**2], dim=1)
        now = torch.zeros(len(alive), 2, 4, dtype=torch.float64)
        now[alive] = torch.stack([looks, looks * mean], dim=1)
        for number, lag in enumerate(LAGS):
            if len(self.looked) >= lag:
                self.later[:, number] += now * self.looked[lag - 1]
        self.looked.appendleft(now)
        rest, valid = (error - mean.unsqueeze(-1)).abs(), known & (looks > 0).unsqueeze(-1)
        column = (rest / WIDTH).long().clamp(max=BINS - 1)
        rows = rearrange(torch.arange(len(rest)), "n -> n 1 1").expand_as(column)
        places, size = (rows * BINS + column)[valid], len(rest) * BINS
        self.rest[alive] += rearrange(torch.bincount(places, minlength=size), "(n bin) -> n bin", bin=BINS).double()

    def _add(self, name: str, alive: Tensor, error: Tensor, valid: Tensor, points: int) -> None:
        """Sum up the errors where `valid`, (alive, 4, 52), of a part with so many points."""
        values = torch.where(valid, error, 0.0)
        number = reduce(valid.double(), "n foot point -> n", "sum")
        total, squares = (reduce(each, "n foot point -> n", "sum") for each in (values, values**2))
        self.sums[name][alive] += torch.stack([torch.full_like(number, points), number, total, squares], dim=-1)

    def finish(self) -> dict[str, Tensor]:
        """The sums of each robot, for `described`."""
        return {**self.sums, "foot": self.foot, "later": self.later, "rest": self.rest}


def described(results: Mapping[str, Tensor]) -> dict[str, Any]:
    """Errors of the robots' maps from `MapErrors.finish`, m and fractions; None where nothing was measured."""
    row: dict[str, Any] = {}
    for name in SUMS:
        points, known, total, squares = results[name].sum(0).tolist()
        bias = total / known if known else None
        row[f"{name}_unknown"] = 1 - known / points if points else None
        row[f"{name}_bias"] = bias
        row[f"{name}_spread"] = None if bias is None else max(squares / known - bias**2, 0.0) ** 0.5
    row |= by_foot(results["foot"]) | over_time(results["foot"], results["later"])
    common = [row["foot_vertical"], row["episode_vertical"]]
    known = None not in common and row["all_spread"]
    row["within_foot"] = min(sum(each**2 for each in common) / row["all_spread"] ** 2, 1.0) if known else None
    return row | by_point(results["rest"].sum(0))


def by_foot(foot: Tensor) -> dict[str, Any]:
    """z3 and z7 of S8: what is common to a foot's samples, within an episode and from episode to episode."""
    looks, total, squares = rearrange(foot, "n sum foot -> sum (n foot)")
    seen = looks > 1
    if not seen.any():
        return {"foot_vertical": None, "episode_vertical": None}
    mean = total[seen] / looks[seen]
    within = (squares[seen] / looks[seen] - mean**2).clamp(min=0.0)
    return {
        "foot_vertical": float((within * looks[seen]).sum() / looks[seen].sum()) ** 0.5,
        "episode_vertical": float(mean.std(correction=0)),
    }


def over_time(foot: Tensor, later: Tensor) -> dict[str, Any]:
    """Correlation of a foot's mean error in an episode with itself after each of `LAGS`."""
    looks, total, squares = rearrange(foot, "n sum foot -> sum (n foot)")
    mean = total / looks.clamp(min=1)
    variance = float((squares - looks * mean**2).sum() / looks.sum().clamp(min=1))
    row: dict[str, Any] = {}
    for number, lag in enumerate(LAGS):
        pairs, products = rearrange(later[:, number], "n sum foot -> sum (n foot)")
        covariance = float((products - pairs * mean**2).sum() / pairs.sum().clamp(min=1))
        row[f"foot_after_{lag * POLICY_DT:.1f}_s"] = covariance / variance if pairs.sum() and variance > 0 else None
    return row


def by_point(rest: Tensor) -> dict[str, Any]:
    """z1, z4 and z5 of S8: what is left at single points, of which some are outliers."""
    count = float(rest.sum())
    if not count:
        return {"point_vertical": None, "outlier": None, "outlier_probability": None}
    middle = (torch.arange(BINS) + 0.5) * WIDTH
    spread = MAD * float(middle[torch.searchsorted(rest.cumsum(0), torch.tensor(count / 2.0).double())])
    beyond = rest * (middle > OUTLIER * spread)
    probability = float(beyond.sum()) / count
    size = float((beyond * middle**2).sum() / beyond.sum()) ** 0.5 if probability else None
    return {"point_vertical": spread, "outlier": size, "outlier_probability": probability}
