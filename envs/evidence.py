"""What outcomes on one cell of terrain say about other cells of its type (decision 61)."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor


def strides_of(levels: Tensor) -> Tensor:
    """Strides (types, axes) of a cell's number, cell . stride, from the level counts per parameter (types, axes)."""
    return torch.cumprod(levels, dim=1) // levels


def cells_of(numbers: Tensor, levels: Tensor) -> Tensor:
    """Cells (types, m, axes) of cell numbers (types, m), or of the same numbers (1, m) of all types."""
    strides = rearrange(strides_of(levels), "t a -> t 1 a")
    return rearrange(numbers, "t m -> t m 1") // strides % rearrange(levels, "t a -> t 1 a")


def harder(levels: Tensor) -> Tensor:
    """Whether cell j of a type is another cell than i, and on no axis easier, (types, i, j) bool.

    `levels` (types, axes) are the level counts per parameter; numbers beyond a type's cells are comparable to none.
    """
    numbers = torch.arange(int(levels.prod(dim=1).max())).unsqueeze(0)
    cells = cells_of(numbers, levels)
    at_least = (rearrange(cells, "t j a -> t 1 j a") >= rearrange(cells, "t i a -> t i 1 a")).all(dim=-1)
    exists = numbers < rearrange(levels.prod(dim=1), "t -> t 1")
    return (
        at_least
        & rearrange(exists, "t i -> t i 1")
        & rearrange(exists, "t j -> t 1 j")
        & ~torch.eye(numbers.shape[1], dtype=torch.bool)
    )


def pooled_successes(successes: Tensor, harder: Tensor, weight: float) -> Tensor:
    """Successes (types, cells), float64, with those on harder ground of the type at `weight`.

    `harder` (types, i, j) is whether j is harder than i: who crosses j would have crossed i.
    """
    own = successes.double()
    return own + weight * torch.einsum("t i j, t j -> t i", harder.double(), own)
