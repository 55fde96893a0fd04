"""Belief encoder and decoder of Miki et al. (Fig. 6 C, D and S6): what the Student makes of noisy heights over time."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from anymal_policy.mlp import mlp
from anymal_policy.sizes import PAPER, NetworkSizes

MLP_HIDDEN = (160, 96)
"""Hidden layers of the memoryless variant: 57,106 parameters against the GRU's 57,450."""


class GruMemory(nn.Module):
    """Stacked GRU over proprioception and latent heights."""

    def __init__(self, sizes: NetworkSizes = PAPER) -> None:
        """Create 2 layers of 50."""
        super().__init__()
        self.gru = nn.GRU(sizes.proprio + sizes.height_latents, sizes.memory, sizes.memory_layers)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Summary b' (n, 50) of x (n, 229) and of the past, and the hidden state (2, n, 50) one step later."""
        summary, hidden = self.gru(rearrange(x, "n dim -> 1 n dim"), hidden)
        return rearrange(summary, "1 n dim -> n dim"), hidden

    def unroll(self, x: Tensor, hidden: Tensor, dones: Tensor) -> tuple[Tensor, Tensor]:
        """Summaries (t, n, 50) of t consecutive steps, and the hidden state (2, n, 50) after the last; see
        `BeliefEncoder.unroll`. The products with what is known of all steps are one each, the rest is in float32."""
        keep, last = (~dones).unsqueeze(-1), []
        with torch.autocast(x.device.type, enabled=False):
            for weights, state in zip(self.gru.all_weights, hidden.float(), strict=True):
                x, state = _layer(x.float(), state, keep, *weights)
                last.append(state)
        return x, torch.stack(last)


def _layer(
    x: Tensor, state: Tensor, keep: Tensor, of_input: Tensor, of_state: Tensor, input_bias: Tensor, state_bias: Tensor
) -> tuple[Tensor, Tensor]:
    """A GRU's layer over t steps (t, n, dim), as torch.nn.GRU defines it; the state is kept where `keep` (t, n, 1)."""
    outputs, size = [], state.shape[-1]
    for given, kept in zip(functional.linear(x, of_input, input_bias), keep, strict=True):
        own = functional.linear(state, of_state, state_bias)
        gates = torch.sigmoid(given[:, : 2 * size] + own[:, : 2 * size])
        reset, update = gates.split(size, dim=-1)
        new = torch.tanh(given[:, 2 * size :] + reset * own[:, 2 * size :])
        outputs.append(new + update * (state - new))
        state = outputs[-1] * kept
    return torch.stack(outputs), state


class MlpMemory(nn.Module):
    """The GRU's place without memory (E5 and E6): an MLP of about as many parameters."""

    def __init__(self, sizes: NetworkSizes = PAPER) -> None:
        """Create the MLP, bent after its last layer too, as others read from it."""
        super().__init__()
        self.mlp = mlp(sizes.proprio + sizes.height_latents, *MLP_HIDDEN, sizes.memory)

    def forward(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        """Summary b' (n, 50) of x (n, 229) alone; the hidden state (2, n, 50) is neither read nor changed."""
        return functional.leaky_relu(self.mlp(x)), hidden

    def unroll(self, x: Tensor, hidden: Tensor, dones: Tensor) -> tuple[Tensor, Tensor]:
        """The same for t consecutive steps (t, n, ...); the hidden state is zeroed after an episode's end."""
        return self(x, hidden)[0], hidden.masked_fill(dones.any(0).unsqueeze(-1), 0.0)


class BeliefEncoder(nn.Module):
    """Belief b = g_b(b') + (l_e * alpha, zeros), with the summary b' of the memory and the gate alpha = g_a(b')."""

    def __init__(self, gate: bool = True, memory: Literal["gru", "mlp"] = "gru", sizes: NetworkSizes = PAPER) -> None:
        """Without `gate` no height reaches the belief past the memory: b = g_b(b') (decision 28)."""
        super().__init__()
        self.memory = GruMemory(sizes) if memory == "gru" else MlpMemory(sizes)
        self.belief = mlp(sizes.memory, *sizes.belief_hidden, sizes.belief)
        self.gate = mlp(sizes.memory, *sizes.gate_hidden, sizes.height_latents) if gate else None

    def forward(self, proprio: Tensor, l_e: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Belief (n, 120), gate (n, 96) in 0..1, summary b' (n, 50) and new hidden state (2, n, 50)."""
        summary, hidden = self.memory(torch.cat([proprio, l_e], dim=-1), hidden)
        return *self._believe(summary, l_e), summary, hidden

    def unroll(
        self, proprio: Tensor, l_e: Tensor, hidden: Tensor, dones: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The same for t consecutive time steps (t, n, ...); the hidden state (2, n, 50) is that after the last one.

        It is zeroed after the steps that ended an episode, `dones` (t, n) bool.
        """
        summary, hidden = self.memory.unroll(torch.cat([proprio, l_e], dim=-1), hidden, dones)
        return *self._believe(summary, l_e), summary, hidden

    def _believe(self, summary: Tensor, l_e: Tensor) -> tuple[Tensor, Tensor]:
        """Belief (..., 120) and gate (..., 96) in 0..1 of the summary b' (..., 50) and latent heights (..., 96).

        The gated latent heights are padded with zeros at the end, so that they meet the Teacher's l_e in the head.
        """
        belief = self.belief(summary)
        if self.gate is None:
            return belief, torch.zeros_like(l_e)
        gate = torch.sigmoid(self.gate(summary))
        padding = belief.shape[-1] - l_e.shape[-1]
        return belief + functional.pad(gate * l_e, (0, padding)), gate


class BeliefDecoder(nn.Module):
    """Reconstruction of the privileged state and of the heights without noise from the memory's summary (Fig. 6 D)."""

    def __init__(self, gate: bool = True, sizes: NetworkSizes = PAPER) -> None:
        """With `gate`, a second gate of its own lets raw noisy heights pass; else memory alone reconstructs them."""
        super().__init__()
        self.privileged = mlp(sizes.memory, *sizes.privileged_decoder_hidden, sizes.privileged)
        self.heights = mlp(sizes.memory, *sizes.height_decoder_hidden, sizes.heights)
        self.gate = mlp(sizes.memory, *sizes.gate_hidden, sizes.heights) if gate else None

    def forward(self, summary: Tensor, extero: Tensor) -> tuple[Tensor, Tensor]:
        """Privileged state (..., 50) and heights (..., 208), normalised, of b' (..., 50) and heights (..., 208)."""
        heights = self.heights(summary)
        if self.gate is not None:
            heights = heights + torch.sigmoid(self.gate(summary)) * extero
        return self.privileged(summary), heights
