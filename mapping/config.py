"""What an elevation map is like: its size, what it believes, and what it forgets."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple


class Rules(NamedTuple):
    """The numbers that machine code needs of `MapConfig`, by the same names."""

    resolution: float
    surface: float
    gate: float
    least_variance: float
    most_variance: float
    outlier_variance: float
    sure_points: int
    ceiling: float
    clearance: float
    clear_rays: int
    ray_stride: int
    correction: float
    correction_cells: int


@dataclass(frozen=True)
class MapConfig:
    """An elevation map around a robot: one height and its variance for each cell."""

    size: float = 8.0
    """m, side of the square around the robot."""
    resolution: float = 0.04
    """m, side of a cell."""
    surface: float = 0.05
    """m below a cell's highest point in a cloud, down to which points are of the same surface; noisier ones down to
    `gate` standard deviations of the difference of two points."""
    gate: float = 3.0
    """Deviations between a cell and a measurement beyond which they are of different surfaces (Mahalanobis)."""
    least_variance: float = 1e-4
    """m^2, below which no cell's variance falls: the errors that all points of a cloud share do not average away."""
    most_variance: float = 0.25
    """m^2, above which no cell's variance rises."""
    outlier_variance: float = 1e-3
    """m^2, added to a cell's variance by each cloud that contradicts it, until it gives way."""
    sure_points: int = 2
    """Points of one cloud that make a higher surface take a cell at once."""
    ceiling: float = 1.0
    """m above the sensor, from which on points are no ground."""
    clearance: float = 0.06
    """m, plus `gate` standard deviations of the cell's height, by which rays pass below it to say that it is gone."""
    clear_rays: int = 2
    """Such rays of one cloud that clear a cell in which no point of that cloud lies as high."""
    ray_stride: int = 3
    """Every so many points a ray is followed."""
    correction: float = 0.3
    """Share of the innovation that is common to a cloud by which it shifts the whole map; the rest is taken for the
    cloud's own error. 0: nothing is common."""
    correction_cells: int = 100
    """Cells that a cloud must have in common with the map for that."""
    drift: float = 1e-4
    """m^2 of variance that each m walked adds to every cell (odometry)."""
    turn_drift: float = 1e-4
    """m^2 that each rad turned adds."""
    smooth: float = 0.05
    """m, largest difference of neighbouring cells between which heights are interpolated; above it there is an edge."""
    fill: float = 0.0
    """m, across which unknown cells between known ones are filled when heights are asked for; 0: never."""

    def __post_init__(self) -> None:
        """Refuse what no map can be made of."""
        numbers = {each.name: getattr(self, each.name) for each in fields(self)}
        if unknown := [name for name, number in numbers.items() if math.isnan(number)]:
            raise ValueError(f"A map's {unknown[0]} is nan: give a number.")
        if not 0 < self.resolution <= self.size / 4 or self.size / self.resolution > MOST_CELLS + 0.5:
            raise ValueError(f"A map has 4 to {MOST_CELLS} cells a side: change its size or its resolution.")
        if not 0 < self.least_variance <= self.most_variance:
            raise ValueError("A map's variances are above 0, the least one not above the most.")
        if min(self.sure_points, self.clear_rays, self.ray_stride, self.correction_cells) < 1:
            raise ValueError("A map's numbers of points, rays and cells are 1 or more.")
        lengths = (self.surface, self.gate, self.outlier_variance, self.ceiling, self.clearance, self.drift)
        if not min(*lengths, self.turn_drift, self.smooth, self.fill) >= 0 or not 0 <= self.correction <= 1:
            raise ValueError("A map's lengths and variances are 0 or more, its fraction of correction 0 to 1.")

    @property
    def cells(self) -> int:
        """Cells along a side."""
        return round(self.size / self.resolution)

    def rules(self) -> Rules:
        """The numbers that machine code needs."""
        return Rules(*(getattr(self, name) for name in Rules._fields))


MOST_CELLS = 4096
"""Along a side: 128 MiB."""
