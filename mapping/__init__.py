"""An elevation map around a robot, from points of depth sensors and a drifting odometry; needs numpy and numba alone.

elevation = ElevationMap()
elevation.move(position_w, heading)
elevation.integrate(points_w, origin_w, point_variance(points_w, origin_w))
target = runner.step(measurement, command, height=elevation.height)
"""

from mapping.config import MapConfig
from mapping.elevation_map import ElevationMap
from mapping.files import MapFileError
from mapping.points import PointErrors, outside, placed, point_variance, thinned

__all__ = [
    "ElevationMap",
    "MapConfig",
    "MapFileError",
    "PointErrors",
    "outside",
    "placed",
    "point_variance",
    "thinned",
]
