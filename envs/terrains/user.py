"""Terrain from a user's file of heights, with the place and direction in which a robot starts on it."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from envs.terrains.grid import RESOLUTION, risers_where
from envs.terrains.rasters import TALLEST, read_raster
from envs.terrains.tile import Tile

RISER_SLOPE = 0.75
"""Steps between samples steeper than this count as vertical walls, as in legged_gym."""
UNKNOWN = (-9999.0, -99999.0, -32768.0, -32767.0, -3.4028234663852886e38, 3.4028234663852886e38)
"""Heights that mostly mean that nothing is known there."""
MARGIN = 1.0
"""m, least distance of a start from the map's border."""


def load_heightmap(
    path: str | Path,
    resolution: float | None = None,
    scale: float | None = None,
    start: tuple[float, float] | None = None,
    heading: float | None = None,
) -> Tile:
    """A tile from a file of heights, resampled to 0.05 m; its parameters say how it is used.

    Arrays are indexed [y, x] in m; pictures show the map from above, +x right and +y up, a PNG's white being `scale` m
    high. Samples are `resolution` m apart, or as the file says, or 0.05 m. The robot starts at `start`, x and y in m
    from the map's corner of least x and y (by default in the middle), facing `heading` degrees from +x towards +y (by
    default any direction, anew in each episode).
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"There is no heightmap file {path}.")
    raster = read_raster(path, resolution, scale)
    check_heights(raster.heights, path)
    return user_tile(resample(raster.heights, raster.spacing), start, heading)


def resample(heights: NDArray[np.float64], spacing: float) -> NDArray[np.float64]:
    """Heights `spacing` m apart at the project's 0.05 m, linearly along y, then x; the edges are continued."""
    for axis in (0, 1):
        count = heights.shape[axis]
        wanted = np.arange(round(count * spacing / RESOLUTION)) * (RESOLUTION / spacing)
        low = np.minimum(wanted.astype(int), count - 2)
        weight = np.clip(wanted - low, 0.0, 1.0)
        weight = weight[:, None] if axis == 0 else weight[None, :]
        heights = np.take(heights, low, axis) * (1.0 - weight) + np.take(heights, low + 1, axis) * weight
    return heights


def check_heights(heights: NDArray[np.float64], path: Path) -> None:
    """Raise a ValueError for gaps in a file's heights and for heights that cannot be in m."""
    if not np.isfinite(heights).all():
        share = 100 * float(np.mean(~np.isfinite(heights)))
        raise ValueError(
            f"{path.name} knows no height in {share:.3g} % of its samples (not finite, or its own value for no data); "
            "fill these gaps first."
        )
    for extreme in (float(heights.min()), float(heights.max())):
        if any(math.isclose(extreme, value, rel_tol=1e-6) for value in UNKNOWN):
            share = 100 * float(np.mean(heights == extreme))
            raise ValueError(
                f"{path.name} holds {extreme:.6g} in {share:.3g} % of its samples, which stands for heights that are "
                "unknown; fill these gaps first."
            )
    if (span := heights.max() - heights.min()) > TALLEST:
        raise ValueError(
            f"{path.name} spans {span:.3g} m of height, more than {TALLEST:g} m; its heights must be in m."
        )


def user_tile(
    heights: NDArray[np.float64], start: tuple[float, float] | None = None, heading: float | None = None
) -> Tile:
    """A tile from heights in m, 0.05 m apart, with level 0 at the start, in m, and a heading in degrees."""
    ny, nx = heights.shape
    size = nx * RESOLUTION, ny * RESOLUTION
    place = (nx // 2 * RESOLUTION, ny // 2 * RESOLUTION) if start is None else start
    if not all(MARGIN <= x <= side - MARGIN for x, side in zip(place, size, strict=True)):
        whole = f"{size[0]:g} x {size[1]:g} m"
        raise ValueError(f"The start {place[0]:g} {place[1]:g} must lie {MARGIN:g} m within the map, which is {whole}.")
    if heading is not None and not -360.0 <= heading <= 360.0:
        raise ValueError(f"A heading is within -360 and 360 degrees, not {heading:g}.")
    row, column = (round(x / RESOLUTION) for x in reversed(place))
    level = (heights - heights[row, column]).astype(np.float32)
    risers = risers_where(level, min_step=RISER_SLOPE * RESOLUTION)
    used = {"start_x": place[0], "start_y": place[1], **({} if heading is None else {"heading": heading})}
    return Tile("user", used, 0, level, risers, place, None if heading is None else math.radians(heading))
