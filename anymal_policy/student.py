"""The Student of Miki et al. S6: acts on proprioception and noisy heights through a belief that it keeps over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from anymal_policy.belief import BeliefDecoder, BeliefEncoder
from anymal_policy.layout import ACTION, size
from anymal_policy.mlp import mlp
from anymal_policy.sizes import PAPER, NetworkSizes
from anymal_policy.teacher import HeightEncoder, Teacher


@dataclass(frozen=True)
class StudentConfig:
    """The Student of the paper, or what an ablation takes from it."""

    gate: bool = True
    """Let gated heights pass into belief and reconstruction; without, both come from the memory alone (E5, E6)."""
    memory: Literal["gru", "mlp"] = "gru"
    """Memory of the belief: the GRU, or an MLP that only knows the present (E5, E6)."""
    reconstruct: bool = True
    """Decode privileged state and heights from the belief; without, only actions are imitated."""
    extero: bool = True
    """See the height samples; without, every sample is its mean (the blind baseline)."""


FULL = StudentConfig()
"""The Student of the paper."""


class StudentOutput(NamedTuple):
    """What one time step of the Student gives."""

    action: Tensor
    """Actions, (n, 16)."""
    hidden: Tensor
    """Hidden state for the next step, (2, n, 50)."""
    belief: Tensor
    """Belief, (n, 120): stands for the Teacher's l_e and l_priv."""
    privileged: Tensor
    """Reconstructed privileged state, (n, 50), normalised; 0 without reconstruction."""
    heights: Tensor
    """Reconstructed height samples, (n, 208), normalised; 0 without reconstruction."""
    gate: Tensor
    """Openness of the gate for each latent height, (n, 96), from 0 to 1; 0 without gate."""


class Student(nn.Module):
    """Recurrent policy for the robot; the caller keeps its hidden state, and zeroes it when an episode is over."""

    def __init__(self, cfg: StudentConfig = FULL, num_actions: int = size(ACTION), sizes: NetworkSizes = PAPER) -> None:
        """Create the height encoder g_e, belief encoder and decoder, and the head."""
        super().__init__()
        self.cfg = cfg
        self.sizes = sizes
        self.height_encoder = HeightEncoder(sizes)
        self.encoder = BeliefEncoder(cfg.gate, cfg.memory, sizes)
        self.decoder = BeliefDecoder(cfg.gate, sizes) if cfg.reconstruct else None
        self.head = mlp(sizes.proprio + sizes.belief, *sizes.head_hidden, num_actions)

    def initial_hidden(self, n: int) -> Tensor:
        """Hidden state (2, n, 50) at the start of an episode; of the same shape, but unused, without memory."""
        return next(self.parameters()).new_zeros(self.sizes.memory_layers, n, self.sizes.memory)

    def forward(self, proprio: Tensor, extero: Tensor, hidden: Tensor) -> StudentOutput:
        """One time step for normalised observations (n, 133) and (n, 208), and the hidden state (2, n, 50)."""
        extero, l_e = self._look(extero)
        return self._decide(proprio, extero, *self.encoder(proprio, l_e, hidden))

    def unroll(self, proprio: Tensor, extero: Tensor, hidden: Tensor, dones: Tensor) -> StudentOutput:
        """All of t consecutive time steps (t, n, ...) but the hidden state (2, n, 50), which is that after the last.

        It is zeroed after the steps that ended an episode, `dones` (t, n) bool.
        """
        extero, l_e = self._look(extero)
        return self._decide(proprio, extero, *self.encoder.unroll(proprio, l_e, hidden, dones))

    def _look(self, extero: Tensor) -> tuple[Tensor, Tensor]:
        """The heights (..., 208) as far as they may be seen, and their latents l_e (..., 96)."""
        extero = extero if self.cfg.extero else torch.zeros_like(extero)
        return extero, self.height_encoder(extero)

    def _decide(
        self, proprio: Tensor, extero: Tensor, belief: Tensor, gate: Tensor, summary: Tensor, hidden: Tensor
    ) -> StudentOutput:
        """Action and reconstruction."""
        action = self.head(torch.cat([proprio, belief], dim=-1))
        if self.decoder is None:
            privileged = proprio.new_zeros(*proprio.shape[:-1], self.sizes.privileged)
            heights = torch.zeros_like(extero)
        else:
            privileged, heights = self.decoder(summary, extero)
        return StudentOutput(action, hidden, belief, privileged, heights, gate)

    def imitate(self, teacher: Teacher) -> None:
        """Start from the Teacher's height encoder and head, which the belief shall feed as the latents did (S3)."""
        self.height_encoder.load_state_dict(teacher.height_encoder.state_dict())
        self.head.load_state_dict(teacher.head.state_dict())
