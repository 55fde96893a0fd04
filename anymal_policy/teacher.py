"""The Teacher of Miki et al. S6: encoders for heights and privileged state, and a head that acts on their latents."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from anymal_policy.layout import ACTION, size
from anymal_policy.mlp import mlp
from anymal_policy.sizes import PAPER, NetworkSizes


class HeightEncoder(nn.Module):
    """Encoder g_e: the height samples around each foot to one latent per foot, with weights shared by the feet."""

    def __init__(self, sizes: NetworkSizes = PAPER) -> None:
        """Create the network of one foot."""
        super().__init__()
        self.feet = sizes.feet
        self.foot = mlp(sizes.points, *sizes.height_hidden, sizes.height_latent)

    def forward(self, extero: Tensor) -> Tensor:
        """Latent l_e (..., 96) of the normalised height samples (..., 208)."""
        feet = rearrange(extero, "... (foot point) -> ... foot point", foot=self.feet)
        return rearrange(self.foot(feet), "... foot latent -> ... (foot latent)")


class Teacher(nn.Module):
    """Policy that knows the true heights and the privileged state; with `num_actions` 1 also the body of a critic."""

    def __init__(self, num_actions: int = size(ACTION), sizes: NetworkSizes = PAPER) -> None:
        """Create the encoders g_e and g_p, and the head."""
        super().__init__()
        self.height_encoder = HeightEncoder(sizes)
        self.privileged_encoder = mlp(sizes.privileged, *sizes.privileged_hidden, sizes.privileged_latent)
        self.head = mlp(sizes.proprio + sizes.belief, *sizes.head_hidden, num_actions)

    def forward(self, proprio: Tensor, extero: Tensor, privileged: Tensor, sight: Tensor | float = 1.0) -> Tensor:
        """Actions (..., num_actions) for normalised observations (..., 133), (..., 208) and (..., 50).

        Where `sight` (..., 1) is 0 instead of 1 it acts without heights.
        """
        return self.head(self.embed(proprio, extero, privileged, sight))

    def embed(self, proprio: Tensor, extero: Tensor, privileged: Tensor, sight: Tensor | float = 1.0) -> Tensor:
        """What the head reads, (..., 253): proprioception, l_e and l_priv."""
        return torch.cat([proprio, self.latents(extero, privileged, sight)], dim=-1)

    def latents(self, extero: Tensor, privileged: Tensor, sight: Tensor | float = 1.0) -> Tensor:
        """Latents l_e and l_priv together, (..., 120), of normalised observations (..., 208) and (..., 50).

        Without `sight` l_e is 0, as a Student's gated l_e is behind a closed gate.
        """
        return torch.cat([self.height_encoder(extero) * sight, self.privileged_encoder(privileged)], dim=-1)
