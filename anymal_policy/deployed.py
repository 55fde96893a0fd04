"""The Student as it is exported: measurements in, joint targets out, and all of its memory in and out."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from anymal_policy import gait, layout
from anymal_policy.gait import GaitConfig
from anymal_policy.normalizer import Normalizer
from anymal_policy.student import Student

PROPRIO = layout.size(layout.PROPRIO)
SENSED = slice(PROPRIO + layout.size(layout.EXTERO))
"""Entries of the normaliser for proprioception and heights."""
HEIGHTS = slice(PROPRIO, SENSED.stop)
PRIVILEGED = slice(SENSED.stop, None)


class Measured(NamedTuple):
    """What the robot gives in every policy step; units and frames as in `anymal_policy.layout`."""

    command: Tensor
    """Commanded velocity (n, 3)."""
    gravity_b: Tensor
    """Unit vector of gravity (n, 3)."""
    linear_velocity_b: Tensor
    """Velocity of the base origin (n, 3)."""
    angular_velocity_b: Tensor
    """Angular velocity of the base (n, 3)."""
    joint_position: Tensor
    """Joint angles (n, 12)."""
    joint_velocity: Tensor
    """Joint velocities (n, 12)."""
    heights: Tensor
    """Height samples around the feet (n, 208); NaN where the map knows none."""


class Memory(NamedTuple):
    """What one policy step hands to the next."""

    joint_position_history: Tensor
    """Joint angles of the last three steps (n, 36) rad."""
    joint_velocity_history: Tensor
    """Joint velocities of the last two steps (n, 24) rad/s."""
    joint_target_history: Tensor
    """The last two joint targets (n, 24) rad."""
    phase_offset: Tensor
    """Phase offsets of the last action (n, 4)."""
    phase: Tensor
    """Gait phases (n, 4) rad in [0, 2 pi)."""
    hidden: Tensor
    """Hidden state of the belief encoder (2, n, 50)."""


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

    def __init__(self, student: Student, normalizer: Normalizer, cfg: GaitConfig, action_limit: float) -> None:
        """A trained Student with the statistics (391 entries), gait and clipping that it was trained with."""
        super().__init__()
        self.student, self.normalizer = student, normalizer
        self.cfg, self.action_limit = cfg, action_limit

    def forward(self, measured: Measured, memory: Memory) -> Deployed:
        """One policy step of n robots."""
        m, b = measured, memory
        standing = gait.standing(m.command, m.linear_velocity_b, self.cfg)
        proprio = self._proprio(m, b, standing)
        sensed = self.normalizer(torch.cat([proprio, usable_heights(m.heights)], dim=-1), SENSED)
        output = self.student(sensed[:, :PROPRIO], sensed[:, PROPRIO:], b.hidden)
        action = torch.clamp(output.action, -self.action_limit, self.action_limit)
        phase = gait.advance(b.phase, action[:, :4], standing, self.cfg)
        target = gait.joint_targets(phase, action[:, 4:], self.cfg)
        return Deployed(
            joint_target=target,
            action=action,
            gate=output.gate,
            privileged=self._si(output.privileged, PRIVILEGED),
            terrain=self._si(output.heights, HEIGHTS),
            memory=Memory(
                joint_position_history=_push(b.joint_position_history, m.joint_position),
                joint_velocity_history=_push(b.joint_velocity_history, m.joint_velocity),
                joint_target_history=_push(b.joint_target_history, target),
                phase_offset=action[:, :4],
                phase=phase,
                hidden=output.hidden,
            ),
        )

    def _proprio(self, m: Measured, b: Memory, standing: Tensor) -> Tensor:
        """Raw proprioception (n, 133) in the order of the layout."""
        terms = {
            **m._asdict(),
            **b._asdict(),
            "phase_cos": b.phase.cos(),
            "phase_sin": b.phase.sin(),
            "base_frequency": torch.where(standing, 0.0, self.cfg.base_frequency).unsqueeze(-1),
        }
        return torch.cat([terms[term.name] for term in layout.PROPRIO], dim=-1)

    def _si(self, normalized: Tensor, entries: slice) -> Tensor:
        """Normalised estimates of these entries of the statistics back in SI units."""
        deviation = self.normalizer.var[entries].sqrt() + self.normalizer.eps
        return self.normalizer.mean[entries] + deviation * normalized

    def start(self, measured: Measured, phase: Tensor = gait.TROT) -> Memory:
        """Memory of n robots that begin with these measurements, at gait phases (4,) or (n, 4) rad."""
        n = len(measured.command)
        phase = phase.expand(n, 4)
        target = gait.joint_targets(phase, torch.zeros(n, 12), self.cfg)
        return Memory(
            joint_position_history=measured.joint_position.repeat(1, 3),
            joint_velocity_history=measured.joint_velocity.repeat(1, 2),
            joint_target_history=target.repeat(1, 2),
            phase_offset=torch.zeros(n, 4),
            phase=phase,
            hidden=self.student.initial_hidden(n),
        )


def usable_heights(heights: Tensor) -> Tensor:
    """The same as `layout.usable_heights`, for the exported network."""
    known = torch.where(torch.isfinite(heights), heights, layout.UNKNOWN_HEIGHT)
    return known.clamp(-layout.HEIGHT_LIMIT, layout.HEIGHT_LIMIT)


def _push(history: Tensor, newest: Tensor) -> Tensor:
    """A history (n, k) with `newest` (n, j) in front and as many of its oldest entries dropped."""
    return torch.cat([newest, history[:, : history.shape[1] - newest.shape[1]]], dim=-1)
