"""The Student as it is exported: measurements in, joint targets out, and all of its memory in and out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from anymal_policy import gait, layout
from anymal_policy.gait import GaitConfig
from anymal_policy.layout import MEASURED, REMEMBERED, SIMULATED, Term
from anymal_policy.normalizer import Normalizer
from anymal_policy.student import Student

Measured = dict[str, Tensor]
"""What the robot gives in every policy step, by the names of `layout`, (n, size) each; NaN for heights nobody knows."""
Memory = dict[str, Tensor]
"""What one policy step hands to the next: the terms that are remembered, gait phases and the belief's hidden state."""
PHASE, HIDDEN = "phase", "hidden"
"""Memory beside the terms of the layout: (n, 4) rad in [0, 2 pi), and (2, n, 50)."""
HISTORY = "_history"
"""Ending of a term that holds past values of another one."""
TARGET = "joint_target"
COMPUTED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "phase_cos": lambda phase, frequency: phase.cos(),
    "phase_sin": lambda phase, frequency: phase.sin(),
    "base_frequency": lambda phase, frequency: frequency.unsqueeze(-1),
}
"""Terms that follow from gait phases (n, 4) rad and base frequency (n,) Hz."""


class NotMeasurableError(ValueError):
    """A policy that observes what no robot has; the message is one sentence for the user."""


class Deployed(NamedTuple):
    """What one policy step gives."""

    joint_target: Tensor
    """Joint targets (n, 12) rad, to be tracked until the next step."""
    action: Tensor
    """Actions (n, 16) behind them."""
    gate: Tensor
    """Openness of the gate for each latent height (n, 96), 0 to 1."""
    privileged: Tensor
    """Estimated privileged state (n, 50), in the units of `layout.PRIVILEGED`."""
    terrain: Tensor
    """Estimated height samples (n, 208) m."""
    memory: Memory
    """For the next step."""


class DeployedStudent(nn.Module):
    """Normaliser, belief encoder and decoder, head, gait and inverse kinematics in one step."""

    def __init__(
        self, student: Student, normalizer: Normalizer, cfg: GaitConfig, action_limit: float, own: Sequence[Term] = ()
    ) -> None:
        """A trained Student with the statistics, gait, clipping and `own` terms that it was trained with.

        Raises a NotMeasurableError if it observes what a robot does not have.
        """
        super().__init__()
        self.student, self.normalizer = student, normalizer
        self.cfg, self.action_limit, self.own = cfg, action_limit, tuple(own)
        self.terms, self.places = layout.groups(own), layout.group_places(own)
        self.sensed = slice(self.places["extero"].stop)
        refuse_what_no_robot_has(self.terms["proprio"])

    @property
    def measured(self) -> dict[str, Term]:
        """What it takes of the robot, in its order."""
        return {term.name: term for term in (*self.terms["proprio"], *self.terms["extero"]) if term.source == MEASURED}

    @property
    def remembered(self) -> dict[str, Term]:
        """The terms that it remembers."""
        return {term.name: term for term in self.terms["proprio"] if term.source == REMEMBERED}

    def forward(self, measured: Measured, memory: Memory) -> Deployed:
        """One policy step of n robots."""
        standing = gait.standing(measured["command"], measured["linear_velocity_b"], self.cfg)
        proprio = self._proprio(measured, memory, standing)
        sensed = self.normalizer(torch.cat([proprio, usable_heights(measured["heights"])], dim=-1), self.sensed)
        own_proprio, extero = sensed.split([proprio.shape[-1], measured["heights"].shape[-1]], dim=-1)
        output = self.student(own_proprio, extero, memory[HIDDEN])
        action = torch.clamp(output.action, -self.action_limit, self.action_limit)
        phase = gait.advance(memory[PHASE], action[:, :4], standing, self.cfg)
        target = gait.joint_targets(phase, action[:, 4:], self.cfg)
        new = {**measured, TARGET: target, "phase_offset": action[:, :4]}
        following = {name: _following(name, memory[name], new) for name in self.remembered}
        return Deployed(
            joint_target=target,
            action=action,
            gate=output.gate,
            privileged=self._si(output.privileged, self.places["privileged"]),
            terrain=self._si(output.heights, self.places["extero"]),
            memory={**following, PHASE: phase, HIDDEN: output.hidden},
        )

    def _proprio(self, measured: Measured, memory: Memory, standing: Tensor) -> Tensor:
        """Raw proprioception (n, 133), and own terms, in the order of the layout."""
        frequency = torch.where(standing, 0.0, self.cfg.base_frequency)
        computed = {name: of(memory[PHASE], frequency) for name, of in COMPUTED.items()}
        terms = {**measured, **memory, **computed}
        return torch.cat([terms[term.name] for term in self.terms["proprio"]], dim=-1)

    def _si(self, normalized: Tensor, entries: slice) -> Tensor:
        """Normalised estimates of these entries of the statistics back in SI units."""
        deviation = self.normalizer.var[entries].sqrt() + self.normalizer.eps
        return self.normalizer.mean[entries] + deviation * normalized

    def start(self, measured: Measured, phase: Tensor = gait.TROT) -> Memory:
        """Memory of n robots that begin with these measurements, at gait phases (4,) or (n, 4) rad."""
        n = len(measured["command"])
        phase = phase.expand(n, 4)
        new = {**measured, TARGET: gait.joint_targets(phase, torch.zeros(n, 12), self.cfg)}
        filled = {name: _filled(name, term.size, n, new) for name, term in self.remembered.items()}
        return {**filled, PHASE: phase, HIDDEN: self.student.initial_hidden(n)}


def refuse_what_no_robot_has(terms: Sequence[Term]) -> None:
    """Raise a NotMeasurableError for a term that nobody measures, remembers or computes."""
    have = {term.name for term in terms if term.source == MEASURED} | {TARGET}
    for term in terms:
        lost = term.source == REMEMBERED and term.name != "phase_offset" and repeated(term.name) not in have
        if lost or term.source == SIMULATED or (term.source == layout.COMPUTED and term.name not in COMPUTED):
            raise NotMeasurableError(
                f"The Student observes '{term.name}' ({term.meaning}), which no robot can measure: train one without "
                "it, or give it another source in its layout."
            )


def repeated(history: str) -> str:
    """The quantity of which a term holds past values."""
    return history.removesuffix(HISTORY)


def _following(name: str, before: Tensor, new: dict[str, Tensor]) -> Tensor:
    """What is remembered (n, k) after a step: the `new` value, or a history with it in front."""
    if name in new:
        return new[name]
    newest = new[repeated(name)]
    return torch.cat([newest, before[:, : before.shape[1] - newest.shape[1]]], dim=-1)


def _filled(name: str, size: int, n: int, new: dict[str, Tensor]) -> Tensor:
    """What is remembered (n, size) at the start of an episode: a history of the present, or zeros."""
    if not name.endswith(HISTORY):
        return torch.zeros(n, size)
    newest = new[repeated(name)]
    return newest.repeat(1, size // newest.shape[1])


def usable_heights(heights: Tensor) -> Tensor:
    """The same as `layout.usable_heights`, for the exported network."""
    known = torch.where(torch.isfinite(heights), heights, layout.UNKNOWN_HEIGHT)
    return known.clamp(-layout.HEIGHT_LIMIT, layout.HEIGHT_LIMIT)
