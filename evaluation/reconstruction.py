"""What a Student reconstructs from its belief, in SI units."""

from __future__ import annotations

from typing import NamedTuple

from einops import rearrange
from torch import Tensor

from agents.policies import StudentPolicy
from anymal_policy import layout
from anymal_policy.layout import LEGS
from evaluation.agents import Agent, TrainedAgent

FRICTION = layout.slices(layout.PRIVILEGED)["friction"]
"""Entries of the privileged state that are the feet's friction."""


class Reconstruction(NamedTuple):
    """Reconstruction of heights and friction from the belief of n robots."""

    heights: Tensor
    """(n, 4, 52) m, terrain height at the ring points minus the height of the sole."""
    friction: Tensor
    """(n, 4) sliding friction coefficient of each foot."""


def student_in(agent: Agent) -> StudentPolicy | None:
    """The agent's policy if it is a Student's."""
    policy = agent.policy if isinstance(agent, TrainedAgent) else None
    return policy if isinstance(policy, StudentPolicy) else None


def is_blind(agent: Agent) -> bool:
    """Whether it is a Student that sees no heights."""
    student = student_in(agent)
    return student is not None and not student.network.cfg.extero


def reconstruct(student: StudentPolicy) -> Reconstruction | None:
    """Reconstruction of the observations on which the Student acted last; None without a decoder."""
    if student.network.decoder is None:
        return None
    output, inverse = student.output, student.normalizer.inverse
    privileged = inverse(output.privileged, student.places["privileged"])
    return Reconstruction(foot_samples(inverse(output.heights, student.places["extero"])), privileged[:, FRICTION])


def foot_samples(heights: Tensor) -> Tensor:
    """Height samples (n, 208) by foot, (n, 4, 52)."""
    return rearrange(heights, "n (foot point) -> n foot point", foot=len(LEGS))
