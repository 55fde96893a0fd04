"""A policy that walks, whose actions are played again when its network is not to be timed."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from envs.anymal import AnymalEnv
from evaluation.agents import Agent


def walk(env: AnymalEnv, agent: Agent, steps: int) -> list[Tensor]:
    """Let the agent control all robots for so many steps; its actions."""
    actions = []
    for _ in range(steps):
        actions.append(agent.act(env.get_observations()))
        env.step(actions[-1])
    return actions


def replay(env: AnymalEnv, actions: Sequence[Tensor]) -> None:
    """Play actions again, unrecorded; what the steps return is not kept, as nobody keeps it in training."""
    for action in actions:
        AnymalEnv.step(env, action)
