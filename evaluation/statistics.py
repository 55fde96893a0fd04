"""Confidence intervals of what an evaluation counts and measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev

from scipy.special import stdtrit

Z95 = 1.96
"""Standard normal quantile of a two-sided 95 % interval."""


def wilson(successes: int, n: int, z: float = Z95) -> tuple[float, float]:
    """Score interval (lo, hi) of a success probability after `successes` in `n` trials (Wilson 1927)."""
    if not 0 <= successes <= n or n == 0:
        raise ValueError(f"A success rate needs 0 <= successes <= n and n >= 1, not {successes} of {n}.")
    fraction = successes / n
    scale = 1 + z**2 / n
    centre = (fraction + z**2 / (2 * n)) / scale
    half_width = z * math.sqrt(fraction * (1 - fraction) / n + z**2 / (4 * n**2)) / scale
    return (
        0.0 if successes == 0 else centre - half_width,
        1.0 if successes == n else centre + half_width,
    )


def paired_difference(
    first: Sequence[bool], second: Sequence[bool], z: float = Z95
) -> tuple[float, tuple[float, float]]:
    """Fraction of successes in `first` minus that in `second`, trial by trial the same, and its interval (lo, hi).

    Newcombe 1998, Statistics in Medicine 17:2635, method 10: Wilson's intervals of both, and their correlation.
    """
    pairs, n = list(zip(first, second, strict=True)), len(first)
    both, neither = (sum(a == b == value for a, b in pairs) for value in (True, False))
    ones, others = sum(first), sum(second)
    (low, high), (other_low, other_high) = wilson(ones, n, z), wilson(others, n, z)
    excess = both * neither - (ones - both) * (others - both)
    excess = max(excess - n / 2, 0) if excess > 0 else excess
    spread = ones * (n - ones) * others * (n - others)
    correlation = excess / math.sqrt(spread) if spread else 0.0
    p, q = ones / n, others / n

    def half_width(a: float, b: float) -> float:
        return math.sqrt(a**2 - 2 * correlation * a * b + b**2)

    difference = p - q
    return difference, (
        difference - half_width(p - low, other_high - q),
        difference + half_width(high - p, q - other_low),
    )


def mean_interval(values: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    """Mean of independent values and Student's 95 % interval (lo, hi) of that mean, None for a single value."""
    if not values or not all(math.isfinite(value) for value in values):
        raise ValueError("A mean needs at least one value, and all of them finite.")
    mean = fmean(values)
    if len(values) == 1:
        return mean, None
    half_width = float(stdtrit(len(values) - 1, 0.975)) * stdev(values) / math.sqrt(len(values))
    return mean, (mean - half_width, mean + half_width)
