"""The Teacher of Miki et al. S6: encoders for heights and privileged state, and a head that acts on their latents."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn

from anymal_policy.layout import ACTION, EXTERO, LEGS, PRIVILEGED, PROPRIO, size
from anymal_policy.mlp import mlp

HEIGHT_LATENT = 24
"""Entries of the latent of one foot's height samples; the legs' four make up l_e."""
PRIVILEGED_LATENT = 24
"""Entries of the latent l_priv of the privileged state."""


class HeightEncoder(nn.Module):
    """Encoder g_e: the height samples around each foot to one latent per foot, with weights shared by the feet."""

    def __init__(self) -> None:
        """Create the network of one foot."""
        super().__init__()
        self.foot = mlp(size(EXTERO) // len(LEGS), 80, 60, HEIGHT_LATENT)

    def forward(self, extero: Tensor) -> Tensor:
        """Latent l_e (..., 96) of the normalised height samples (..., 208)."""
        feet = rearrange(extero, "... (foot point) -> ... foot point", foot=len(LEGS))
        return rearrange(self.foot(feet), "... foot latent -> ... (foot latent)")


class Teacher(nn.Module):
    """Policy that knows the true heights and the privileged state; with `num_actions` 1 also the body of a critic."""

    def __init__(self, num_actions: int = size(ACTION)) -> None:
        """Create the encoders g_e and g_p, and the head."""
        super().__init__()
        self.height_encoder = HeightEncoder()
        self.privileged_encoder = mlp(size(PRIVILEGED), 64, 32, PRIVILEGED_LATENT)
        latents = len(LEGS) * HEIGHT_LATENT + PRIVILEGED_LATENT
        self.head = mlp(size(PROPRIO) + latents, 256, 160, 128, num_actions)

    def forward(self, proprio: Tensor, extero: Tensor, privileged: Tensor) -> Tensor:
        """Actions (..., num_actions) for normalised observations (..., 133), (..., 208) and (..., 50)."""
        latents = [self.height_encoder(extero), self.privileged_encoder(privileged)]
        return self.head(torch.cat([proprio, *latents], dim=-1))
