"""Observation normaliser with running statistics (Miki et al. S3), which travels with the policy."""

from __future__ import annotations

from collections.abc import Callable

import torch
from einops import rearrange
from torch import Tensor, nn

ALL = slice(None)


class Normalizer(nn.Module):
    """Shifts and scales observations (..., dim) to zero mean and unit deviation, clipped; learns only by `update`."""

    mean: Tensor
    """Running mean, (dim,), in the units of the observation."""
    var: Tensor
    """Running population variance, (dim,), in squared units of the observation."""
    count: Tensor
    """Number of observations seen, () int64."""

    def __init__(self, dim: int, clip: float = 10.0, until: int = 10_000_000, eps: float = 1e-2) -> None:
        """Start with zero mean and unit variance; learn from the first `until` observations, then stay fixed."""
        super().__init__()
        self.clip = clip
        self.until = until
        self.eps = eps
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("var", torch.ones(dim))
        self.register_buffer("count", torch.zeros((), dtype=torch.long))

    @property
    def frozen(self) -> bool:
        """Whether it has seen all the observations that it learns from."""
        return int(self.count) >= self.until

    def forward(self, x: Tensor, entries: slice = ALL) -> Tensor:
        """Normalised observations (..., dim), within +-clip; `entries` are those of the statistics that x has."""
        mean, deviation = self.mean[entries], self.var[entries].sqrt() + self.eps
        return torch.clamp((x - mean) / deviation, -self.clip, self.clip)

    def inverse(self, x: Tensor, entries: slice = ALL) -> Tensor:
        """Observations (..., dim) whose normalised values, within the clip, are these."""
        return x * (self.var[entries].sqrt() + self.eps) + self.mean[entries]

    @torch.no_grad()
    def update(self, x: Tensor, total: Callable[[Tensor], Tensor] = lambda own: own) -> None:
        """Merge the observations (..., dim) into the statistics, unless these are frozen.

        Processes that learn together each give their own, and `total`, the sum of a tensor over all of them.
        """
        if self.frozen or x.numel() == 0:
            return
        seen = int(self.count)
        batch = rearrange(x, "... dim -> (...) dim").double()
        new = int(total(torch.tensor(len(batch), device=x.device)))
        own_var, own_mean = torch.var_mean(batch, dim=0, correction=0)
        own_share, share = len(batch) / new, new / (seen + new)
        mean = total(own_share * own_mean)
        var = total(own_share * (own_var + (own_mean - mean).square()))
        delta = mean - self.mean
        self.var.copy_(self.var + share * (var - self.var + (1 - share) * delta.square()))
        self.mean.copy_(self.mean + share * delta)
        self.count += new
