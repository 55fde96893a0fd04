"""Errors and failures of elevation maps (Miki et al. S8 and ours), without a simulator: needs a height query."""

from envs.height_noise.config import CONDITIONS, LEVELS, Condition, HeightNoiseConfig, Level, MapCondition, noise_factor
from envs.height_noise.failing import MapFailures, Pose
from envs.height_noise.failures import COVERED, FAILURES, NEVER, Failure, FailureConfig, FailureName
from envs.height_noise.noise import HeightNoise
from envs.height_noise.shown import Query

__all__ = [
    "CONDITIONS",
    "COVERED",
    "FAILURES",
    "LEVELS",
    "NEVER",
    "Condition",
    "Failure",
    "FailureConfig",
    "FailureName",
    "HeightNoise",
    "HeightNoiseConfig",
    "Level",
    "MapCondition",
    "MapFailures",
    "Pose",
    "Query",
    "noise_factor",
]
