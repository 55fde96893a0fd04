"""How n robots move: what drives have to give, whether they tremble, shuffle or kneel, how they start and stop."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.drives.config import Model
from envs.robot import STALL_TORQUE, TORQUE_LIMIT, VELOCITY_LIMIT
from evaluation.experiments.traces import UNDER
from evaluation.experiments.tracking import SETTLING
from evaluation.rollout import Step
from evaluation.summary import measured

NEAR_LIMIT = 0.97
"""Fraction of the torque that a drive can give at its speed beyond which it counts as at its limit."""
TREMBLING = 8.0
"""Hz beyond which joint motion is no part of a stride: over six times the base frequency of the gait."""
LIFTED = 0.95
"""Quantile of the foot's clearance over time that tells how high it is lifted."""
SWING = 3
"""Steps without contact that make a swing; fewer are a bounce."""
START, STOP = 2.0, 6.0
"""s at which a robot that stands is told to walk, and to stand again."""
SMOOTHING = 0.4
"""s over which a speed is averaged before it is judged: half a period of the gait."""
REACHED = 0.9
"""Fraction of the commanded speed at which a start is over."""
AT_REST = 0.05
"""m/s below which a robot has stopped."""


class Series:
    """Quantities of n robots step by step, to the end of the roll-out: who falls does not shorten those of others."""

    def __init__(self, robots: int, dt: float) -> None:
        """`dt` s of a step."""
        self.dt = dt
        self.running, self.fell = torch.ones(robots, dtype=torch.bool), torch.zeros(robots, dtype=torch.bool)
        self.values: dict[str, list[Tensor]] = {}

    def add(self, step: Step, **values: Tensor) -> None:
        """Remember these values (n, ...) of a step, and as `counts` whose first episode goes on, (n,)."""
        for name, value in {"counts": step.first & ~step.done, **values}.items():
            self.values.setdefault(name, []).append(value.clone())

    def observe(self, step: Step) -> None:
        """Take note of falls."""
        self.fell |= step.first & step.fell

    def stacked(self) -> dict[str, Tensor]:
        """Everything that was remembered, (t, n, ...)."""
        return {name: torch.stack(values) for name, values in self.values.items()}


class Motion(Series):
    """Joints, feet and knees over the first episode after it has settled."""

    def __init__(
        self, robots: int, dt: float, stretch: tuple[float, float] = (-math.inf, math.inf), drives: Model = "pd"
    ) -> None:
        """`dt` s of a step; only what happens while the base is on the `stretch`, x in m in the world, counts."""
        super().__init__(robots, dt)
        self.drives: Model = drives
        self.settling, self.stretch = round(SETTLING / dt), stretch

    def observe(self, step: Step) -> None:
        """Remember a step."""
        super().observe(step)
        self.settling -= 1
        if self.settling >= 0:
            return
        s, (begin, end) = step.state, self.stretch
        x = s.base_position_w[:, 0]
        self.add(
            step,
            on_stretch=(begin <= x) & (x <= end),
            torque=s.joint_torque,
            velocity=s.joint_velocity,
            acceleration=(s.joint_velocity - step.before.joint_velocity) / self.dt,
            tilting=s.angular_velocity_b[:, :2].norm(dim=-1),
            contact=s.foot_contact > 0,
            knees=torch.cat([s.thigh_contact, s.shank_contact], dim=-1).amax(-1),
            clearance=-s.height_samples[..., UNDER].amax(-1),
        )

    def finish(self) -> dict[str, Tensor]:
        """By robot, (n,), on the stretch until the end of its first episode; nan where there was nothing to measure.

        torque N m and acceleration rad/s^2, root mean squares over the joints; peak_torque N m, the largest; at_limit,
        fraction of joints and time in which a drive gives all it can; trembling, fraction of the joint velocities'
        power beyond 8 Hz, on and off the stretch, nan after a fall; tilt_rate rad/s, root mean square of roll and pitch
        rate; duty, fraction of time that a foot stands; strides 1/s, touchdowns of a foot after 60 ms in the air; lift
        m, of a foot over the highest ground around it; knees, fraction of time in which a thigh or shank touches it.
        """
        series = self.stacked()
        counts = series["counts"] & series["on_stretch"]
        steps = counts.sum(0)

        def mean(values: Tensor) -> Tensor:
            """Over the steps of the first episode on the stretch, (t, n) -> (n,)."""
            return torch.where(counts, values, 0.0).sum(0) / steps

        torque, velocity, contact = series["torque"], series["velocity"], series["contact"]
        available = available_torque(torque, velocity, self.drives)
        swung = ~contact.unfold(0, SWING, 1)[:-1].any(-1)
        landed = (contact[SWING:] & swung & counts[SWING:].unsqueeze(-1)).float().mean(-1).sum(0)
        clearance = series["clearance"].masked_fill(~counts.unsqueeze(-1), torch.nan)
        return {
            "torque": mean(torque.square().mean(-1)).sqrt(),
            "peak_torque": torque.abs().amax(-1).masked_fill(~counts, 0.0).amax(0).masked_fill(steps == 0, torch.nan),
            "at_limit": mean((torque.abs() >= NEAR_LIMIT * available).float().mean(-1)),
            "acceleration": mean(series["acceleration"].square().mean(-1)).sqrt(),
            "trembling": trembling(velocity, self.dt).masked_fill(~series["counts"].all(0), torch.nan),
            "tilt_rate": mean(series["tilting"].square()).sqrt(),
            "duty": mean(contact.float().mean(-1)),
            "strides": landed / (steps * self.dt),
            "lift": clearance.nanquantile(LIFTED, dim=0).mean(-1),
            "knees": mean(series["knees"]),
        }


def available_torque(torque: Tensor, velocity: Tensor, drives: Model) -> Tensor:
    """N m that a drive can give in the direction of `torque` at `velocity` rad/s; the full limit while it brakes.

    Only pd drives have a torque-speed line; the others' dynamics hold what speed costs them.
    """
    if drives != "pd":
        return torch.full_like(torque, TORQUE_LIMIT)
    along = torque.sign() * velocity
    return (STALL_TORQUE * (1 - along / VELOCITY_LIMIT)).clamp(0.0, TORQUE_LIMIT)


def trembling(velocity: Tensor, dt: float) -> Tensor:
    """Fraction of the power of joint velocities (t, n, 12) rad/s at frequencies beyond `TREMBLING`, (n,)."""
    moving = (velocity - velocity.mean(0)) * torch.hann_window(len(velocity)).reshape(-1, 1, 1)
    power = torch.fft.rfft(moving, dim=0).abs().square().sum(-1)
    return power[torch.fft.rfftfreq(len(velocity), dt) > TREMBLING].sum(0) / power.sum(0)


class WalkThenStand:
    """Tells robots that stand to walk ahead at `START` and to stand at `STOP`."""

    def __init__(self, speed: float, dt: float) -> None:
        """`speed` m/s, `dt` s of a step."""
        self.speeds = {0: 0.0, round(START / dt): speed, round(STOP / dt): 0.0}

    def __call__(self, env: AnymalEnv, step: int) -> None:
        """Change the command before this step where it is time."""
        if (speed := self.speeds.get(step)) is not None:
            env.commands.velocity[:] = torch.tensor([speed, 0.0, 0.0])
            env.commands.holds_heading[:] = speed > 0


class StartAndStop(Series):
    """Speed and tilt of robots that are told to walk at `START` and to stand at `STOP`."""

    def __init__(self, robots: int, speed: float, dt: float) -> None:
        """`speed` m/s that is commanded, `dt` s of a step."""
        super().__init__(robots, dt)
        self.speed = speed

    def observe(self, step: Step) -> None:
        """Remember a step."""
        super().observe(step)
        s = step.state
        self.add(
            step,
            speed=s.linear_velocity_b[:, 0],
            tilt=torch.rad2deg(torch.acos((-s.gravity_b[:, 2]).clamp(-1.0, 1.0))),
            joint_speed=s.joint_velocity.square().mean(-1).sqrt(),
            position=s.base_position_w[:, :2],
        )

    def finish(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What was measured by robot, (n,), nan after a fall, and the mean speed over time with its intervals.

        start s, from the command until 0.9 of it; overshoot, the largest excess of the speed over the command as a
        fraction of it; stop s, from the command until 0.05 m/s; stopping_distance m, from the command to the end; tilt
        degrees, the largest from the start on; resting_joint_speed rad/s, root mean square over joints in the last
        second.
        nan, too, where a speed was not reached; who never walked has not stopped.
        """
        series = self.stacked()
        begin, end = round(START / self.dt), round(STOP / self.dt)
        speed = smoothed(series["speed"], round(SMOOTHING / self.dt))
        rest = series["joint_speed"][-round(1 / self.dt) :]
        start, stop = first(speed[begin:end] >= REACHED * self.speed), first(speed[end:] < AT_REST)
        quantities = {
            "start": start * self.dt,
            "overshoot": (speed[begin:end].amax(0) / self.speed - 1).clamp(min=0.0),
            "stop": (stop * self.dt).masked_fill(start.isnan(), torch.nan),
            "stopping_distance": (series["position"][-1] - series["position"][end]).norm(dim=-1),
            "tilt": series["tilt"][begin:].amax(0),
            "resting_joint_speed": rest.square().mean(0).sqrt(),
        }
        upright = series["counts"].all(0)
        trace: dict[str, list[Any]] = {"seconds": [round(self.dt * (i + 1), 4) for i in range(len(speed))]}
        for values in speed[:, upright]:
            for name, value in measured(speed=values).items():
                trace.setdefault(name, []).append(value)
        return {name: value.masked_fill(~upright, torch.nan) for name, value in quantities.items()}, trace


def smoothed(values: Tensor, window: int) -> Tensor:
    """Means over the last `window` steps, fewer at the beginning, (t, n)."""
    sums = torch.cat([torch.zeros_like(values[:1]), values.cumsum(0)])
    last = torch.arange(1, len(values) + 1)
    since = (last - window).clamp(min=0)
    return (sums[last] - sums[since]) / (last - since).unsqueeze(-1)


def first(there: Tensor) -> Tensor:
    """Steps before the first in which something is there, (t, n) -> (n,); nan if it never is."""
    return torch.where(there.any(0), there.int().argmax(0).float(), math.nan)
