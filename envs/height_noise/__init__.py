"""Height-sample noise of Miki et al. S8, without a simulator: needs sample points and a height query."""

from envs.height_noise.config import CONDITIONS, LEVELS, Condition, HeightNoiseConfig, MapCondition, noise_factor
from envs.height_noise.noise import HeightNoise, Query

__all__ = [
    "CONDITIONS",
    "LEVELS",
    "Condition",
    "HeightNoise",
    "HeightNoiseConfig",
    "MapCondition",
    "Query",
    "noise_factor",
]
