"""The processes that walk robots for one training, and how their curricula agree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


def _alone(x: Tensor) -> Tensor:
    """Sum over a single rank."""
    return x


@dataclass(frozen=True)
class Ranks:
    """`count` processes with equally many robots each, of which this is number `own`; all call `total` in step."""

    own: int = 0
    """Number of this process, from 0."""
    count: int = 1
    """Number of processes."""
    total: Callable[[Tensor], Tensor] = _alone
    """Sum of a tensor over all processes, the same bits in each."""

    def first(self, x: Tensor) -> Tensor:
        """Process 0's tensor, in all of them."""
        return self.total(x if self.own == 0 else torch.zeros_like(x))


ALONE = Ranks()
