"""n robots under one agent, step by step: what happens to them on the way, and who watches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from tensordict import TensorDict
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.state import State
from evaluation.agents import Agent


@dataclass(frozen=True)
class Step:
    """One policy step of n robots."""

    before: State
    """State in which the action was chosen, with the command that held."""
    obs: TensorDict
    """Observation groups of that state."""
    action: Tensor
    """What the agent did, (n, 16)."""
    state: State
    """State after the step; in rows that are `done`, of the next episode already."""
    done: Tensor
    """Episodes that the step ended, (n,) bool."""
    fell: Tensor
    """Those that it ended by a fall, (n,) bool."""
    first: Tensor
    """Robots that took the step in their first episode, (n,) bool."""


class Observer(Protocol):
    """Learns something from the steps of n robots."""

    @property
    def running(self) -> Tensor:
        """Robots that it still learns from, (n,) bool."""
        ...

    def observe(self, step: Step) -> None:
        """Take note of a step; the agent still holds what it made of `step.obs`."""
        ...


Event = Callable[[AnymalEnv, int], None]
"""Changes the world before the step of this number."""


def roll_out(
    env: AnymalEnv, agent: Agent, seed: int, steps: int, events: Sequence[Event], observers: Sequence[Observer]
) -> None:
    """Let the agent, begun anew with `seed`, control all robots for `steps`, or until no observer learns any more."""
    agent.start(env.num_envs, seed)
    obs, first = env.get_observations(), torch.ones(env.num_envs, dtype=torch.bool)
    for number in range(steps):
        for event in events:
            event(env, number)
        before, action = env.state, agent.act(obs)
        seen_next, _, done, extras = env.step(action)
        agent.reset(done)
        step = Step(before, obs, action, env.state, done, extras["falls"], first)
        for observer in observers:
            observer.observe(step)
        obs, first = seen_next, first & ~done
        if not any(observer.running.any() for observer in observers):
            break
    env.close()
