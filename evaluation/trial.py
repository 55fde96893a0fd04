"""How the first episode of each of n robots ends, and what is measured until then."""

from __future__ import annotations

import torch
from torch import Tensor

from envs.state import State
from evaluation.rollout import Step

DISTANCE = 4.0
"""m along the command that make a success (Miki et al. Fig. S1)."""
LANE_HALF_WIDTH = 1.5
"""m to either side of the start line at which a robot has left its lane."""
GRAVITY = 9.81  # m/s^2
SUCCESS, FALL, OUT_OF_LANE, TIMEOUT, RUNNING = range(5)
OUTCOMES = {"success": SUCCESS, "falls": FALL, "out_of_lane": OUT_OF_LANE, "timeouts": TIMEOUT}
"""Name -> number of each way in which an episode can end."""


class Trial:
    """The first episodes of n robots from their start states, each judged once; what comes afterwards does not count.

    With `edge_x` a success is the crossing of a single step along +x: all four feet beyond it, each having stood there
    (Miki et al. Fig. S2). Without, it is the distance along the heading of the start.
    """

    def __init__(
        self,
        start: State,
        mass: Tensor,
        dt: float,
        edge_x: Tensor | None = None,
        half_width: Tensor | float = LANE_HALF_WIDTH,
    ) -> None:
        """`mass` (n,) kg of the robots, `edge_x` (n,) m in the world of the first sample behind each robot's step,
        `half_width` (n,) m of their lanes."""
        heading = start.heading
        self.origin_w = start.base_position_w[:, :2].clone()
        self.forward_w = torch.stack([heading.cos(), heading.sin()], dim=-1)
        self.mass, self.dt, self.edge_x, self.half_width = mass, dt, edge_x, half_width
        n = len(mass)
        self.outcome = torch.full((n,), RUNNING)
        self.over = torch.zeros(n, 4, dtype=torch.bool)
        self.progress = torch.zeros(n)  # m
        self.steps = torch.zeros(n)
        self.sums = {name: torch.zeros(n) for name in ("velocity_error", "yaw_rate_error", "power")}

    @property
    def running(self) -> Tensor:
        """Robots whose first episode goes on, (n,) bool."""
        return self.outcome == RUNNING

    def observe(self, step: Step) -> None:
        """Judge one step."""
        s, done, fell, running = step.state, step.done, step.fell, self.running
        alive = running & ~done
        offset = s.base_position_w[:, :2] - self.origin_w
        progress = (offset * self.forward_w).sum(-1)
        lateral = self.forward_w[:, 0] * offset[:, 1] - self.forward_w[:, 1] * offset[:, 0]
        self._measure(s, step.before.command, progress, alive)
        left = (running & done & ~fell) | (alive & (lateral.abs() > self.half_width))
        self.outcome[alive & self._arrived(s, progress)] = SUCCESS
        self.outcome[left] = OUT_OF_LANE
        self.outcome[running & fell] = FALL

    def _arrived(self, s: State, progress: Tensor) -> Tensor:
        """Robots that are across, (n,) bool."""
        if self.edge_x is None:
            return progress >= DISTANCE
        beyond = s.foot_position_w[..., 0] > self.edge_x.unsqueeze(-1)
        self.over = beyond & (self.over | (s.foot_contact > 0))
        return self.over.all(-1)

    def _measure(self, s: State, command: Tensor, progress: Tensor, alive: Tensor) -> None:
        """Add this step of the robots in `alive`."""
        values = {
            "velocity_error": (command[:, :2] - s.linear_velocity_yaw[:, :2]).norm(dim=-1),
            "yaw_rate_error": (command[:, 2] - s.angular_velocity_b[:, 2]).abs(),
            "power": (s.joint_torque * s.joint_velocity).abs().sum(-1),
        }
        for name, value in values.items():
            self.sums[name] += torch.where(alive, value, 0.0)
        self.progress = torch.where(alive, progress, self.progress)
        self.steps += alive

    def finish(self) -> dict[str, Tensor]:
        """Outcome of every robot, and its means over the episode, (n,) each; nan where there was nothing to measure.

        velocity_error m/s, yaw_rate_error rad/s, speed m/s along the heading of the start, cost_of_transport in 1.
        """
        seconds = self.steps * self.dt
        distance = torch.where(self.progress > 0, self.progress, torch.nan)
        return {
            "outcome": torch.where(self.running, TIMEOUT, self.outcome),
            "velocity_error": self.sums["velocity_error"] / self.steps,
            "yaw_rate_error": self.sums["yaw_rate_error"] / self.steps,
            "speed": self.progress / seconds,
            "cost_of_transport": self.sums["power"] * self.dt / (self.mass * GRAVITY * distance),
        }
