"""What a user wants of a robot, and the command that follows from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from envs.anymal import AnymalEnv

AXES = ("forward", "lateral", "turn")
"""Parts of a wish, in the order of a command."""
REACH = {"forward": 1.6, "lateral": 1.0, "turn": 2.0}
"""m/s, m/s and rad/s, what can be asked for: what the Student tracks within 15 % on flat ground, and less aside."""
FASTER = 0.1
"""m/s that a press of W adds and one of S takes."""
ASIDE, AROUND = 0.4, 0.8
"""m/s and rad/s while Q or E, A or D is held."""
TOWARDS = 0.8
"""m/s, walk to a goal."""
ARRIVED, SLOWING = 0.15, 0.6
"""m from a goal: reached, and from where on it is approached ever more slowly."""
TURN_GAIN = 1.5
"""1/s, yaw rate per error of the bearing of a goal."""


@dataclass
class Wish:
    """What the user wants all robots to do."""

    forward: float = 0.0
    """m/s."""
    lateral: float = 0.0
    """m/s, to the left."""
    turn: float = 0.0
    """rad/s, to the left."""
    goal_w: tuple[float, float] | None = None
    """m, where to go instead."""

    def set(self, axis: str, value: float) -> None:
        """Want this much along an axis, within what can be asked for, and no goal any more."""
        if axis not in AXES:
            raise ValueError(f"A robot moves {', '.join(AXES)}, not {axis}.")
        self.goal_w = None
        setattr(self, axis, within(value, -REACH[axis], REACH[axis]))

    def faster(self, step: float) -> None:
        """Add m/s forward."""
        self.set("forward", round(self.forward + step, 2))

    def stop(self) -> None:
        """Stand still."""
        self.forward = self.lateral = self.turn = 0.0
        self.goal_w = None

    def go_to(self, goal_w: tuple[float, float]) -> None:
        """Walk there and stop."""
        self.stop()
        self.goal_w = goal_w


def within(value: float, low: float, high: float) -> float:
    """The value, or the bound next to it; the value nearest to 0 for one that is no number."""
    return min(max(value, low), high) if math.isfinite(value) else min(max(0.0, low), high)


class Helm:
    """Holds one robot's heading while nobody turns it, and takes it to a goal."""

    def __init__(self) -> None:
        """No heading is held yet."""
        self.heading: float | None = None

    def forget(self) -> None:
        """Hold whatever heading the robot has next."""
        self.heading = None

    def steer(self, env: AnymalEnv, wish: Wish) -> None:
        """Put the command that follows from the wish before the environment's only robot, for its next step."""
        commands, yaw = env.commands, float(env.state.heading[0])
        velocity = self._velocity(env, wish, yaw)
        holds = velocity[2] == 0.0 and any(velocity)
        if not holds:
            self.heading = None
        elif self.heading is None:
            self.heading = yaw
        commands.velocity[0] = torch.tensor(velocity)
        commands.holds_heading[0] = holds
        commands.heading[0] = yaw if self.heading is None else self.heading

    def _velocity(self, env: AnymalEnv, wish: Wish, yaw: float) -> tuple[float, float, float]:
        """Forward and lateral m/s, and rad/s."""
        if wish.goal_w is None:
            return wish.forward, wish.lateral, wish.turn
        return towards(*way_to(wish.goal_w, env), yaw)


def has_arrived(env: AnymalEnv, wish: Wish) -> bool:
    """Whether the environment's only robot is at the goal."""
    return wish.goal_w is not None and math.hypot(*way_to(wish.goal_w, env)) < ARRIVED


def way_to(goal_w: tuple[float, float], env: AnymalEnv) -> tuple[float, float]:
    """From the environment's only robot to a goal, m along x and y of the world."""
    x, y = env.state.base_position_w[0, :2].tolist()
    return goal_w[0] - x, goal_w[1] - y


def towards(dx: float, dy: float, yaw: float) -> tuple[float, float, float]:
    """Command of a robot with heading `yaw` rad whose goal is (dx, dy) m away: turn to it, walk, and slow down."""
    distance = math.hypot(dx, dy)
    if distance < ARRIVED:
        return 0.0, 0.0, 0.0
    bearing = math.remainder(math.atan2(dy, dx) - yaw, math.tau)
    speed = TOWARDS * min(1.0, distance / SLOWING) * max(0.0, math.cos(bearing)) ** 2
    return speed, 0.0, within(TURN_GAIN * bearing, -1.0, 1.0)
