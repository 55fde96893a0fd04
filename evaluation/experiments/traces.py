"""What robots see and believe of the ground under a front foot, before and after it touches what is there."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from agents.policies import StudentPolicy
from anymal_policy.layout import RINGS
from envs.robot import FOOT_RADIUS
from envs.state import State
from evaluation.reconstruction import foot_samples, reconstruct
from evaluation.rollout import Step
from evaluation.summary import measured

FRONT = slice(0, 2)
"""The front feet among the legs."""
UNDER = slice(0, RINGS[0][0])
"""Samples of the innermost ring."""
BEFORE, AFTER = 50, 100
"""Steps of a trace before and after its moment 0."""


class Traces:
    """Heights in the world and friction at the front feet of n robots, in their first episode.

    `true`, and as far as the policy has them `seen` and `reconstructed`: mean ground height in m on the innermost ring
    of samples around a foot; `friction` and `friction reconstructed` of that foot.
    """

    def __init__(self, edge_x: Tensor, student: StudentPolicy | None) -> None:
        """`edge_x` (n,) m in the world from which on a contact counts; `student` if one acts."""
        self.edge_x, self.student = edge_x, student
        self.running = torch.ones(len(edge_x), dtype=torch.bool)
        self.contact: list[Tensor] = []
        self.first: list[Tensor] = []
        self.values: dict[str, list[Tensor]] = {}

    def observe(self, step: Step) -> None:
        """Remember the state in which the policy acted."""
        s, samples = step.before, {"true": step.before.height_samples}
        quantities = {"friction": s.friction[:, FRONT]}
        if self.student is not None and self.student.network.cfg.extero:
            samples["seen"] = foot_samples(step.obs["extero_noisy"])
        if self.student is not None and (reconstruction := reconstruct(self.student)) is not None:
            samples["reconstructed"] = reconstruction.heights
            quantities["friction reconstructed"] = reconstruction.friction[:, FRONT]
        quantities |= {name: ground_under(s, heights) for name, heights in samples.items()}
        for name, quantity in quantities.items():
            self.values.setdefault(name, []).append(quantity.clone())
        beyond = s.foot_position_w[:, FRONT, 0] > self.edge_x.unsqueeze(-1)
        self.contact.append(beyond & (s.foot_contact[:, FRONT] > 0) & step.first.unsqueeze(-1))
        self.first.append(step.first)
        self.running = step.first & ~step.done

    def finish(self, dt: float) -> dict[str, Any]:
        """Means over the robots that touched, with their intervals, by the seconds since each one's first contact."""
        contact, first = torch.stack(self.contact), torch.stack(self.first)  # (t, n, 2), (t, n)
        values = {name: torch.stack(series) for name, series in self.values.items()}  # (t, n, 2)
        touched = contact.any(-1)
        rows = torch.nonzero(touched.any(0)).squeeze(-1)
        at = touched.int().argmax(0)[rows]
        foot = contact[at, rows].int().argmax(-1)
        return around(at, {name: value[:, rows, foot] for name, value in values.items()}, first[:, rows], dt)


def around(at: Tensor, values: dict[str, Tensor], first: Tensor, dt: float) -> dict[str, Any]:
    """Means of `values` (t, m) over robots with their intervals, by the seconds since each one's own step `at` (m,).

    Steps that were not in a robot's first episode, (t, m) bool, are left out.
    """
    robot, series = torch.arange(len(at)), dict[str, list[Any]](seconds=[], robots=[])
    for offset in range(-BEFORE, AFTER + 1):
        time = (at + offset).clamp(0, len(first) - 1)
        there = (time == at + offset) & first[time, robot]
        place = time[there], robot[there]
        means = measured(**{name: value[place] for name, value in values.items()})
        for name, mean in ({"seconds": round(offset * dt, 4), "robots": int(there.sum())} | means).items():
            series.setdefault(name, []).append(mean)
    return series


def ground_under(s: State, heights: Tensor) -> Tensor:
    """Height in the world of the ground at the front feet, (n, 2) m, by height samples (n, 4, 52) m over the soles."""
    soles = s.foot_position_w[:, FRONT, 2] - FOOT_RADIUS
    return heights[:, FRONT, UNDER].mean(-1) + soles
