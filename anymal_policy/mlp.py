"""The multilayer perceptron that all networks of the paper are made of."""

from __future__ import annotations

from itertools import pairwise

from torch import nn


def mlp(*sizes: int) -> nn.Sequential:
    """Linear layers from sizes[0] to sizes[-1] with a LeakyReLU between each two (Miki et al. S6); linear output."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU()]
    return nn.Sequential(*layers[:-1])
