"""Depth sensors on the simulated robots, their odometry, and the elevation maps that they make of the terrain."""

from envs.depth.config import DepthConfig, OdometryConfig
from envs.depth.maps import SensedMaps

__all__ = ["DepthConfig", "OdometryConfig", "SensedMaps"]
