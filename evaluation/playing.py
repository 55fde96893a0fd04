"""One robot walking in front of a screen, and what it achieved."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from agents.interrupt import StopRequest
from envs.anymal import AnymalEnv
from envs.state import State
from envs.terrains import Tile
from evaluation.agents import Agent
from evaluation.recording import Screen
from system.console import say

SAID_EVERY = 5.0
"""s between two lines of progress where no terminal shows them."""
ENDLESS = 1e9
"""s, an episode that no play outlasts: it ends by a fall, or at the ground's border."""


@dataclass
class Walk:
    """What one robot did so far under its commands."""

    dt: float
    """s, one step."""
    steps: int = 0
    falls: int = 0
    crossings: int = 0
    """Times that the robot has crossed the ground's border and was put back to the start."""
    distance: float = 0.0
    """m, travelled along the command."""
    commanded: float = 0.0
    """m, that the commands asked for."""
    velocity_error: float = 0.0
    """m/s, sum over the steps."""
    yaw_rate_error: float = 0.0
    """rad/s, sum over the steps."""
    measured: int = 0
    """Steps that ended in the episode in which they began."""

    def add(self, s: State, command: Tensor, done: bool, fell: bool) -> None:
        """One step under `command` (3,) that led to `s`, or, if `done`, to the next episode: after a fall, or at the
        ground's border, since no play is as long as an episode."""
        self.steps += 1
        self.falls += fell
        self.crossings += done and not fell
        if done:
            return
        velocity, wanted = s.linear_velocity_yaw[0, :2], command[:2]
        speed = float(wanted.norm())
        self.measured += 1
        self.distance += float(velocity @ wanted) / max(speed, 1e-6) * self.dt
        self.commanded += speed * self.dt
        self.velocity_error += float((velocity - wanted).norm())
        self.yaw_rate_error += abs(float(s.angular_velocity_b[0, 2] - command[2]))

    def __str__(self) -> str:
        """Distance, falls and mean errors, a line each."""
        border = f"; crossed the ground's border and began anew: {self.crossings}" if self.crossings else ""
        n, distance = max(self.measured, 1), round(self.distance, 2) + 0.0  # no "-0.00"
        return (
            f"Distance: {distance:.2f} m along the command, {self.commanded:.2f} m asked for, "
            f"in {self.steps * self.dt:.2f} s\n"
            f"Falls: {self.falls}{border}\n"
            f"Mean velocity error: {self.velocity_error / n:.3f} m/s, {self.yaw_rate_error / n:.3f} rad/s"
        )


def play(env: AnymalEnv, agent: Agent, screen: Screen, steps: int | None, seed: int) -> Walk:
    """Let the agent control the environment's first robot until `steps` are over, if they end, nobody looks any more,
    or Ctrl-C.

    Each state is shown once the agent has chosen what to do in it, so that the screen may show what it makes of it.
    """
    walk, obs, progress = Walk(env.cfg.dt), env.get_observations(), Progress(env.cfg.dt)
    agent.start(env.num_envs, seed)
    with StopRequest(abort=False, notice="ending the walk") as stop:  # an exception within a picture breaks the video
        while (steps is None or walk.steps < steps) and not stop.requested:
            actions, command = agent.act(obs), env.state.command[0]
            if not screen.show():
                break
            obs, _, done, extras = env.step(actions)
            agent.reset(done)
            walk.add(env.state, command, bool(done[0]), bool(extras["falls"][0]))
            progress.tell(walk.steps, steps)
    progress.end()
    return walk


def ground_line(terrain: str, tile: Tile) -> str:
    """What the robot walks on, as it was asked for, with all its numbers."""
    return ", ".join([terrain, *(f"{name} {value:g}" for name, value in tile.parameters.items())])


class Progress:
    """Tells somebody who waits how far a walk is and how long it still takes, at a terminal in one line."""

    def __init__(self, dt: float, now: Callable[[], float] = time.monotonic) -> None:
        """Steps of `dt` s."""
        self.dt, self.now = dt, now
        self.terminal = sys.stderr is not None and sys.stderr.isatty()  # None where it was closed: `2>&-`
        self.every = 0.2 if self.terminal else SAID_EVERY
        self.begin = self.said = now()

    def tell(self, steps: int, of: int | None) -> None:
        """Say it if it is time to; None: the walk has no end."""
        now = self.now()
        if now - self.said < self.every:
            return
        self.said = now
        line = f"{steps * self.dt:.2f} s"
        if of is not None:
            left = (now - self.begin) / steps * (of - steps)
            line += f" of {of * self.dt:.2f} s, {left:.0f} s left"
        say(f"\r{line} " if self.terminal else line, end="" if self.terminal else "\n")

    def end(self) -> None:
        """Leave the line at a terminal."""
        if self.terminal:
            say("")
