"""Depth sensors, odometry and the map that they make: every number with its unit and source."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from envs.depth.mounts import CAMERAS, DOMES, Mount, camera_rays, dome_rays
from mapping import MapConfig

Sensors = Literal["none", "cameras", "domes"]


class Kind(NamedTuple):
    """What all sensors of one kind have in common."""

    mounts: dict[str, Mount]
    """Where each sensor is on the base, by its name."""
    rate: float
    """Hz."""
    nearest: float
    """m, least range."""
    farthest: float
    """m, largest range used."""
    least: float
    """m, standard deviation along the ray at any range."""
    growth: float
    """m per m^2, standard deviation along the ray that grows with the square of the range."""
    smears: bool
    """Whether a pixel at an edge may see both sides: a stereo camera matches windows of pixels, a lidar's beam is thin
    beside the gap to the next one."""


KINDS: dict[str, Kind] = {
    "cameras": Kind(CAMERAS, 15.0, 0.28, 3.0, 0.002, 0.0036, smears=True),
    "domes": Kind(DOMES, 10.0, 0.1, 6.0, 0.015, 0.0, smears=False),
}
"""D435: 3.6 mm at 1 m is Intel's rule, a disparity error of 0.08 pixels at a focal length of 447 pixels (848 across 87
degrees) and a base line of 0.05 m; up to 3 m as its support advises. All else is assumed (docs/mapping.md)."""
WIDE, HIGH = math.radians(87.0), math.radians(58.0)
"""rad, field of view of a D435's depth pictures (its early data sheets: 85.2 x 58 degrees)."""
BEAMS = 32


@dataclass(frozen=True)
class OdometryConfig:
    """How an odometry drifts; directions and sizes are drawn once an episode, normal with these deviations."""

    drift: float = 0.01
    """m of place along each axis, and of height, for each m walked."""
    turn: float = 0.01
    """rad of heading for each rad turned."""
    turn_per_metre: float = 0.005
    """rad of heading for each m walked."""
    tilt: float = 0.005
    """rad, of roll and pitch, throughout."""


@dataclass(frozen=True)
class DepthConfig:
    """Heights from a map of the robot's own: sensors, odometry, delay; numbers are assumed where no source is named."""

    sensors: Sensors = "none"
    """cameras: four D435; domes: two RS-Bpearl; none: no map but S8's errors on the truth.
    Errors and failures of --env.height-noise are for none alone."""
    covered: tuple[str, ...] = ()
    """Sensors that see nothing: front, rear, left, right; domes: front, rear."""
    picture: tuple[int, int] = (80, 60)
    """Pixels, width and height of a camera's picture; columns around and beams of a dome come from as many points."""
    delay: float = 0.05
    """s from a picture until it is in the map, rounded up to policy steps."""
    scale: float = 0.005
    """Deviation of each sensor's range error in proportion to the range, once an episode."""
    misalignment: float = 0.005
    """rad, deviation of each sensor's roll, pitch and yaw from where it is said to look, once an episode."""
    grazing: tuple[float, float] = (0.05, 0.15)
    """Cosines of the angle to the ground's normal at which no pixel returns, and from which on all do."""
    lost: float = 0.02
    """Share of pixels that return nothing for no reason."""
    jump: float = 0.08
    """m by which ranges of neighbouring pixels differ at an edge, and by which neither lies on the other's surface."""
    smeared: float = 0.5
    """Fraction of a camera's pixels on both sides of an edge that return something between them; domes have none."""
    margin: float = 0.03
    """m around the legs, in which points are taken for the robot's own."""
    feet: float = 0.1
    """Fraction of the soles' height above the map by which they shift it, in a policy step; 0: never."""
    stance: float = 0.6
    """m around the first soles of an episode that stand, within which unknown ground is taken to be as high."""
    odometry: OdometryConfig = field(default_factory=OdometryConfig)
    """Drift."""
    grid: MapConfig = field(default_factory=lambda: MapConfig(fill=0.2))
    """The map."""

    def __post_init__(self) -> None:
        """Refuse what no sensor is like."""
        kind = "cameras" if self.sensors == "none" else self.sensors
        if unknown := set(self.covered) - set(KINDS[kind].mounts):
            raise ValueError(
                f"There is no {min(unknown)} sensor of {kind}; choose from {', '.join(KINDS[kind].mounts)}."
            )
        if min(self.picture) < 2 or max(self.picture) > 1280:
            raise ValueError(f"A depth picture has 2 to 1280 pixels a side, not {self.picture[0]} x {self.picture[1]}.")
        if not 0 <= self.delay <= 1 or not 0 <= self.lost <= 1 or not 0 <= self.smeared <= 1 or self.jump <= 0:
            raise ValueError("The delay of pictures is 0 to 1 s, fractions of pixels are 0 to 1, jumps above 0 m.")
        if min(*vars(self.odometry).values(), self.scale, self.misalignment, self.margin, self.stance) < 0:
            raise ValueError("Errors of odometry and sensors are 0 or more.")
        if not 0 <= self.feet <= 1 or not 0 <= self.grazing[0] < self.grazing[1]:
            raise ValueError("The feet's fraction is 0 to 1, the lower cosine of grazing rays comes first.")

    def kind(self) -> Kind:
        """What the sensors are like."""
        return KINDS[self.sensors]

    def rays(self) -> NDArray[np.float64]:
        """Unit directions (rows, columns, 3) of the pixels of each sensor."""
        width, height = self.picture
        if self.sensors == "domes":
            return dome_rays(max(2, width * height // BEAMS), BEAMS)
        return camera_rays(width, height, WIDE, HIGH)
