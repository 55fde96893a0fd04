"""Running statistics of observations of any shape, in the interface of the published package."""

from __future__ import annotations

from math import prod

from torch import Tensor, nn

from anymal_policy.normalizer import Normalizer


class RunningStats(nn.Module):
    """Mean and deviation of all observations pushed since the last `clear`, for one shape of observation."""

    def __init__(self, shape: int | tuple[int, ...]) -> None:
        """Start with zero mean and unit variance."""
        super().__init__()
        self.shape = shape if isinstance(shape, tuple) else (shape,)
        self.normalizer = Normalizer(prod(self.shape))

    def clear(self) -> None:
        """Forget all observations."""
        self.normalizer.load_state_dict(Normalizer(prod(self.shape)).state_dict())

    def push(self, x: Tensor) -> None:
        """Take observations (..., *shape) into the statistics."""
        self.normalizer.update(x.flatten(-len(self.shape)))

    def mean(self) -> Tensor:
        """Mean of the observations, in their shape and units."""
        return self.normalizer.mean.unflatten(0, self.shape)

    def variance(self) -> Tensor:
        """Population variance of the observations, in their shape and squared units."""
        return self.normalizer.var.unflatten(0, self.shape)

    def rstd(self) -> Tensor:
        """Factor by which `norm` scales."""
        return 1 / (self.variance().sqrt() + self.normalizer.eps)

    def norm(self, x: Tensor) -> Tensor:
        """Normalised observations (..., *shape), within +-10."""
        return self.normalizer(x.flatten(-len(self.shape))).unflatten(-1, self.shape)
