"""rsl_rl's Gaussian with one standard deviation for all robots, whose logarithm is taken once instead of for each."""

from __future__ import annotations

import math

import torch
from rsl_rl.modules.distribution import GaussianDistribution
from torch import Tensor

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class ActionNoise(GaussianDistribution):
    """Actions (n, k) around the actor's; the k deviations are learned as their logarithms."""

    def __init__(self, output_dim: int, init_std: float) -> None:
        """Deviations of `init_std` at the start."""
        super().__init__(output_dim, init_std, std_type="log")
        self._mean, self._log_std = torch.zeros(1, output_dim), torch.zeros(output_dim)

    def update(self, mlp_output: Tensor) -> None:
        """Take new means (n, k), and the present deviations."""
        self._mean, self._log_std = mlp_output, self.log_std_param.clamp(*self.log_std_range)

    @torch.no_grad()
    def sample(self) -> Tensor:
        """Draw actions (n, k)."""
        return self._mean + self._log_std.exp() * torch.randn_like(self._mean)

    @property
    def mean(self) -> Tensor:
        """Means, (n, k)."""
        return self._mean

    @property
    def std(self) -> Tensor:
        """Standard deviations, (n, k)."""
        return self._log_std.exp().expand_as(self._mean)

    @property
    def entropy(self) -> Tensor:
        """Differential entropy, (n,)."""
        return (self._log_std + 0.5 + HALF_LOG_TAU).sum().expand(len(self._mean))

    def log_prob(self, outputs: Tensor) -> Tensor:
        """Logarithm of the density at actions (n, k), (n,)."""
        deviations = (outputs - self._mean) * torch.exp(-self._log_std)
        return -0.5 * deviations.square().sum(-1) - (self._log_std + HALF_LOG_TAU).sum()
