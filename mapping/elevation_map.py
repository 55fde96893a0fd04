"""The elevation map of one robot: where it is, what clouds of points add to it, and what it says of the ground."""

from __future__ import annotations

import math
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mapping import files, shapes
from mapping.config import MapConfig
from mapping.contacts import contact_error, stamp
from mapping.fusion import fuse
from mapping.scratch import Scratch, new_scratch
from mapping.window import UNKNOWN, grow, sample, shift

FARTHEST = 1e7
"""m from the frame's origin, beyond which no robot is: cells would not be numbered exactly."""
SOLES = "Soles that stand on the ground"
_own = threading.local()


class ElevationMap:
    """Heights of the ground in a square around the robot, in the frame of its odometry; of one thread at a time."""

    def __init__(self, cfg: MapConfig | None = None) -> None:
        """Nothing is known, around the frame's origin."""
        self.cfg = MapConfig() if cfg is None else cfg
        self.rules, n = self.cfg.rules(), self.cfg.cells
        self.heights = np.full((n, n), UNKNOWN, np.float32)
        self.variances = np.zeros((n, n), np.float32)
        self.corner = np.full(2, -(n // 2), np.int64)
        self.pose: tuple[float, float, float] | None = None
        self.clouds = 0

    def reset(self) -> None:
        """Forget everything, the place of the robot included."""
        self.heights[:], self.variances[:], self.pose, self.clouds = UNKNOWN, 0.0, None, 0

    def move(self, position_w: ArrayLike, heading: float = 0.0) -> None:
        """Recentre the map at a position (2 or 3,) m and heading in rad; variance grows with the way and the turn.

        Costs as much as the cells that come in. A ValueError for a place that is none.
        """
        x, y = (float(part) for part in np.asarray(position_w, np.float64)[:2])
        if not (abs(x) <= FARTHEST and abs(y) <= FARTHEST and math.isfinite(heading)):
            raise ValueError(f"A robot is not at ({x}, {y}), heading {heading}: give m and rad of its odometry.")
        if self.pose is not None:
            walked = math.hypot(x - self.pose[0], y - self.pose[1])
            turned = abs(math.remainder(heading - self.pose[2], 2 * math.pi))
            added = self.cfg.drift * walked + self.cfg.turn_drift * turned
            if added > 0:
                grow(self.variances, added, self.cfg.most_variance)
        n, side = self.cfg.cells, self.cfg.resolution
        column, row = (math.floor(at / side + 0.5) - n // 2 for at in (x, y))
        if (column, row) != (self.corner[0], self.corner[1]):
            shift(self.heights, self.variances, self.corner, column, row)
        self.pose = (x, y, heading)

    def integrate(self, points_w: ArrayLike, origin_w: ArrayLike, variance: ArrayLike) -> float:
        """Fuse a cloud of points (k, 3) m, seen from `origin_w` (3,) m, with vertical variances () or (k,) m^2.

        What is no number, beyond the window or a ceiling is left out. Returns the m by which this has shifted the
        whole map.
        """
        points, origin = shapes.cloud(points_w, origin_w)
        if not len(points) or not np.isfinite(origin).all():
            return 0.0
        noise, room = np.empty(len(points)), np.empty(len(points), np.int64)
        noise[:] = variance
        self.clouds += 1
        terrain = self.heights, self.variances, self.corner
        return float(fuse(*terrain, points, noise, origin, self.rules, scratch_of(self.cfg.cells), room, self.clouds))

    def touch(self, contacts_w: ArrayLike, radius: float = 0.1, variance: float = 1e-3) -> None:
        """Fill in unknown ground within `radius` m of soles (k, 3) m that stand on it, at their height."""
        contacts = shapes.rows(contacts_w, 3, SOLES)
        terrain = self.heights, self.variances, self.corner
        stamp(*terrain, contacts, self.cfg.resolution, radius, variance)

    def correct(self, contacts_w: ArrayLike, fraction: float = 0.1, largest: float = 0.1) -> float:
        """Drift correction by contacts: shift the map by `fraction` of the height of standing soles (k, 3) m over it.

        Their median counts, as far as a sole is within `largest` m of the map; the shift in m.
        """
        contacts = shapes.rows(contacts_w, 3, SOLES)
        error = contact_error(self.heights, self.corner, contacts, self.cfg.resolution, largest)
        shifted = fraction * error
        if shifted:
            self.heights += np.float32(shifted)
        return shifted

    def height(self, points_w: ArrayLike, fill: float | None = None) -> NDArray[np.float32]:
        """Height of the ground (k,) m at points (k, 2) m; NaN where the map knows none.

        Holes are filled across `fill` m; by default as the configuration says.
        """
        points = shapes.rows(points_w, 2, "Points that heights are asked for")
        out = np.empty(len(points), np.float32)
        across = min(self.cfg.fill if fill is None else fill, self.cfg.size)
        reach = round(across / self.cfg.resolution)
        sample(self.heights, self.corner, self.cfg.resolution, self.cfg.smooth, reach, points, out)
        return out

    def grid(self) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Heights (n, n) m by row (y) and column (x), and the place (2,) m of their corner of least x and y."""
        column, row = (int(at) for at in self.corner % self.cfg.cells)
        corner = np.asarray(self.corner * self.cfg.resolution, np.float64)
        return np.roll(self.heights, (-row, -column), axis=(0, 1)), corner

    def save(self, path: Path | str) -> None:
        """Write the map to an .npz file, whole or not at all."""
        files.write(Path(path), self.cfg, self.heights, self.variances, self.corner, self.pose, self.clouds)

    @classmethod
    def load(cls, path: Path | str) -> ElevationMap:
        """The map in an .npz file that `save` has written; a MapFileError for any other."""
        cfg, heights, variances, corner, pose, clouds = files.read(Path(path))
        loaded = cls(cfg)
        loaded.heights[:], loaded.variances[:], loaded.corner[:], loaded.pose = heights, variances, corner, pose
        loaded.clouds = clouds
        return loaded


def scratch_of(n: int) -> Scratch:
    """Room for the sums over a cloud, one for each size of map and thread."""
    rooms: dict[Any, Scratch] = _own.__dict__
    if n not in rooms:
        rooms[n] = new_scratch(n)
    return rooms[n]
