"""The running mean of a network's weights over recent updates, which is what policy.pt holds (decision 36)."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

EARLY = 5
"""Updates that the mean has of its own at the start."""


def running_mean(network: nn.Module, window: int, samples: int) -> AveragedModel:
    """Mean of the network over the last `window` environment steps, of which each update brings `samples`.

    Early on it covers the last fifth of the updates so far.
    """

    def average(mean: Tensor, new: Tensor, updates: Tensor | int) -> Tensor:
        weight = max(samples / window, EARLY / (int(updates) + EARLY))
        return torch.lerp(mean, new, min(weight, 1.0))

    return AveragedModel(network, avg_fn=average)


def go_on_from(mean: AveragedModel, network: Mapping[str, Tensor], window: int, samples: int) -> None:
    """Start the running mean from the weights of a trained network, as if they had filled the whole window."""
    mean.module.load_state_dict(network)
    mean.n_averaged.fill_(ceil(EARLY * window / samples))
