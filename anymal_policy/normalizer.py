"""Observation normaliser with running statistics (Miki et al. S3), which travels with the policy."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn


class Normalizer(nn.Module):
    """Shifts and scales observations (..., dim) to zero mean and unit deviation, clipped; learns only by `update`."""

    mean: Tensor
    """Running mean, (dim,), in the units of the observation."""
    var: Tensor
    """Running population variance, (dim,), in squared units of the observation."""
    count: Tensor
    """Number of samples seen, () int64."""

    def __init__(self, dim: int, clip: float = 10.0, until: int = 10_000_000, eps: float = 1e-2) -> None:
        """Start with zero mean and unit variance; learn from the first `until` samples, then stay fixed."""
        super().__init__()
        self.clip = clip
        self.until = until
        self.eps = eps
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("var", torch.ones(dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    def forward(self, x: Tensor) -> Tensor:
        """Normalised observations (..., dim), within +-clip."""
        return torch.clamp((x - self.mean) / (self.var.sqrt() + self.eps), -self.clip, self.clip)

    @torch.no_grad()
    def update(self, x: Tensor) -> None:
        """Merge the observations (..., dim) into the statistics, unless these are frozen."""
        batch = rearrange(x, "... dim -> (...) dim").double()
        seen, new = int(self.count), len(batch)
        if seen >= self.until or new == 0:
            return
        var, mean = torch.var_mean(batch, dim=0, correction=0)
        share = new / (seen + new)
        shift = mean - self.mean
        self.var.copy_(self.var + share * (var - self.var + (1 - share) * shift.square()))
        self.mean.copy_(self.mean + share * shift)
        self.count += new
