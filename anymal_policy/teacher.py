"""The Teacher of Miki et al. S6: encoders for heights and privileged state, and a head that acts on their latents."""

from __future__ import annotations

from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn

from anymal_policy.layout import ACTION, size
from anymal_policy.mlp import mlp
from anymal_policy.sizes import PAPER, NetworkSizes

CAUTION_SCALE = 0.5
"""Standard deviation of what is added to l_priv for caution at the start: enough to be told from l_priv itself."""


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
        caution = CAUTION_SCALE * torch.randn(sizes.privileged_latent) if sizes.caution else None
        self.caution = None if caution is None else nn.Parameter(caution)

    def forward(self, proprio: Tensor, extero: Tensor, privileged: Tensor, caution: Tensor | float = 0.0) -> Tensor:
        """Actions (..., num_actions) for normalised observations (..., 133), (..., 208) and (..., 50).

        Where `caution` (..., 1) is 1 it walks as one whose map says nothing, if it has learnt that.
        """
        return self.head(self.embed(proprio, extero, privileged, caution))

    def embed(self, proprio: Tensor, extero: Tensor, privileged: Tensor, caution: Tensor | float = 0.0) -> Tensor:
        """What the head reads, (..., 253): proprioception, l_e and l_priv."""
        return torch.cat([proprio, self.latents(extero, privileged, caution)], dim=-1)

    def latents(self, extero: Tensor, privileged: Tensor, caution: Tensor | float = 0.0) -> Tensor:
        """Latents l_e and l_priv together, (..., 120), of normalised observations (..., 208) and (..., 50)."""
        l_priv = self.privileged_encoder(privileged)
        if self.caution is not None:
            l_priv = l_priv + caution * self.caution
        return torch.cat([self.height_encoder(extero), l_priv], dim=-1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Load the tensors of a Teacher that may have learnt caution or not, as this one may."""
        name = f"{prefix}caution"
        if self.caution is None:
            state_dict.pop(name, None)
        else:
            state_dict.setdefault(name, self.caution.detach().clone())
        super()._load_from_state_dict(state_dict, prefix, *args)
