"""What n robots make of a constant command each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from envs.anymal import AnymalEnv
from evaluation.conditions import Command
from evaluation.rollout import Event, Step
from evaluation.trial import GRAVITY

SETTLING = 3.0
"""s after the start from which on is measured."""
BEFORE_STEP, BEHIND_STEP = 0.5, 1.5
"""m before and behind the edge of a step between which the speed over it is measured, at the base."""


def give(commands: Sequence[Command]) -> Event:
    """Robot i follows commands[i % len(commands)] from the first step on; at yaw rate 0 it holds its heading."""

    def event(env: AnymalEnv, step: int) -> None:
        if step == 0:
            velocity = torch.tensor(commands).repeat(env.num_envs // len(commands), 1)
            env.commands.velocity[:] = velocity
            env.commands.holds_heading[:] = (velocity[:, 2] == 0) & velocity.any(-1)

    return event


class Tracking:
    """Means on flat ground over the first episode after it has settled."""

    def __init__(self, mass: Tensor, dt: float) -> None:
        """`mass` (n,) kg of the robots, `dt` s of a step."""
        n = len(mass)
        self.mass, self.settling = mass, round(SETTLING / dt)
        self.number = 0
        self.steps, self.fell = torch.zeros(n), torch.zeros(n, dtype=torch.bool)
        self.running = torch.ones(n, dtype=torch.bool)
        self.velocity = torch.zeros(n, 3)
        self.start_w, self.end_w = torch.zeros(n, 2), torch.zeros(n, 2)
        names = ("velocity_error", "yaw_rate_error", "power", "base_height", "joint_speed")
        self.sums = {name: torch.zeros(n) for name in names}

    def observe(self, step: Step) -> None:
        """Add a step."""
        s, command = step.state, step.before.command
        self.fell |= step.first & step.fell
        self.running = step.first & ~step.done
        self.number += 1
        if self.number <= self.settling:
            self.start_w = self.end_w = s.base_position_w[:, :2].clone()
            return
        velocity = torch.cat([s.linear_velocity_yaw[:, :2], s.angular_velocity_b[:, 2:]], dim=-1)
        values = {
            "velocity_error": (command - velocity)[:, :2].norm(dim=-1),
            "yaw_rate_error": (command - velocity)[:, 2].abs(),
            "power": (s.joint_torque * s.joint_velocity).abs().sum(-1),
            "base_height": s.base_position_w[:, 2],
            "joint_speed": s.joint_velocity.square().mean(-1).sqrt(),
        }
        for name, value in values.items():
            self.sums[name] += torch.where(self.running, value, 0.0)
        self.velocity += velocity * self.running.unsqueeze(-1)
        self.end_w = torch.where(self.running.unsqueeze(-1), s.base_position_w[:, :2], self.end_w)
        self.steps += self.running

    def finish(self) -> dict[str, Tensor]:
        """By robot, (n, 3) and (n,); nan where there was nothing to measure.

        velocity: mean forward and lateral m/s and yaw rate rad/s, 0 after a fall; velocity_error m/s, yaw_rate_error
        rad/s; cost_of_transport in 1, none after a fall; base_height m over the ground; drift m; joint_speed rad/s, the
        root mean square over the joints.
        """
        means = {name: total / self.steps for name, total in self.sums.items()}
        velocity = self.velocity / self.steps.unsqueeze(-1)
        cost = means.pop("power") / (self.mass * GRAVITY * velocity[:, :2].norm(dim=-1))
        return {
            "velocity": velocity.masked_fill(self.fell.unsqueeze(-1), 0.0),
            "cost_of_transport": cost.masked_fill(self.fell, torch.nan),
            "drift": torch.where(self.steps > 0, (self.end_w - self.start_w).norm(dim=-1), torch.nan),
            **means,
        }


class Passage:
    """Speed over the single step of a lane."""

    def __init__(self, edge_x: Tensor, dt: float) -> None:
        """`edge_x` (n,) m in the world of the step, `dt` s of a step."""
        self.enter, self.leave, self.dt = edge_x - BEFORE_STEP, edge_x + BEHIND_STEP, dt
        self.steps = torch.zeros(len(edge_x))
        self.crossed, self.fell = (torch.zeros(len(edge_x), dtype=torch.bool) for _ in range(2))
        self.running = ~self.crossed

    def observe(self, step: Step) -> None:
        """Follow the base until it is across."""
        x = step.state.base_position_w[:, 0]
        self.fell |= self.running & step.fell
        alive = self.running & ~step.done
        self.crossed |= alive & (x >= self.leave)
        self.running = alive & ~self.crossed
        self.steps += self.running & (x >= self.enter)

    def finish(self) -> Tensor:
        """Mean forward speed between the two places, (n,) m/s; 0 for who did not get across."""
        seconds = self.steps.clamp(min=1) * self.dt
        return torch.where(self.crossed, (BEFORE_STEP + BEHIND_STEP) / seconds, 0.0)
