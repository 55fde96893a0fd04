"""Random numbers of pixels in machine code, functions of a key and a number: the same at any thread count."""

from __future__ import annotations

import numpy as np

from envs.depth.compiled import compiled

STEP, FIRST, SECOND = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""Of splitmix64 (Steele, Lea and Flood 2014)."""
S27, S30, S31, S40 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(40)
S16, LOW = np.uint64(16), np.uint64(0xFFFF)


@compiled
def scrambled(key: np.uint64, number: int) -> np.uint64:
    """64 random bits, number `number` of those that belong to a key."""
    x = key + STEP * np.uint64(number + 1)
    x = (x ^ (x >> S30)) * FIRST
    x = (x ^ (x >> S27)) * SECOND
    return x ^ (x >> S31)


@compiled
def even(bits: np.uint64) -> float:
    """Uniform in [0, 1)."""
    return float(bits >> S40) * (1.0 / 16777216.0)


@compiled
def normal(bits: np.uint64) -> float:
    """Zero mean, unit variance, nearly normal: the sum of four even numbers, at most 3.46 from 0."""
    total = float(bits & LOW)
    for _ in range(3):
        bits = bits >> S16
        total += float(bits & LOW)
    return (total / 65535.0 - 2.0) * 1.7320508075688772
