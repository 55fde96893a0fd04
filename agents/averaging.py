"""The running mean of a network's weights over recent updates, which is what policy.pt holds (decision 36)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

EARLY = 5
"""Updates that the mean has of its own at the start."""


def running_mean(network: nn.Module, window: int, samples: int) -> AveragedModel:
    """Mean of the network over the last `window` samples, of which each update brings `samples`.

    Early on it covers the last fifth of the updates so far.
    """

    def average(mean: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        share = max(samples / window, EARLY / (int(updates) + EARLY))
        return torch.lerp(mean, new, min(share, 1.0))

    return AveragedModel(network, avg_fn=average)
