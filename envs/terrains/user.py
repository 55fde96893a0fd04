"""Terrain from a user's file: a .npy array of heights in m, or a greyscale PNG."""

from __future__ import annotations

import tokenize
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from envs.terrains.grid import RESOLUTION, risers_where
from envs.terrains.tile import Tile, check_size

RISER_SLOPE = 0.75
"""Steps between samples steeper than this count as vertical walls, as in legged_gym."""
TALLEST = 50.0
"""m from the lowest to the highest point; more suggests that the file is not in m."""
WHITE = {"L": 255.0, "I;16": 65535.0, "I;16B": 65535.0, "I;16L": 65535.0}
"""Value of full white by the image mode of 8 and 16 bit greyscale."""


def load_heightmap(path: str | Path, resolution: float | None = None, scale: float | None = None) -> Tile:
    """A tile from a file of heights `resolution` m apart (0.05 by default), resampled to 0.05 m; start in the middle.

    A .npy array is indexed [y, x] in m. A PNG shows the map from above, +x right and +y up, its white `scale` m high.
    """
    path = Path(path)
    spacing = RESOLUTION if resolution is None else resolution
    if not 0.001 <= spacing <= 10.0:
        raise ValueError(f"The resolution of a heightmap must be within 0.001 and 10 m, not {spacing}.")
    if not path.is_file():
        raise ValueError(f"There is no heightmap file {path}.")
    if path.suffix.lower() == ".npy":
        if scale is not None:
            raise ValueError("A .npy heightmap is in m; give a scale for a PNG only.")
        heights = read_npy(path, spacing)
    elif path.suffix.lower() == ".png":
        heights = read_png(path, spacing, scale)
    else:
        raise ValueError(f"A heightmap must be a .npy or .png file, not {path.name}.")
    check_heights(heights, path)
    return user_tile(resample(heights, spacing))


def check_shape(path: Path, shape: tuple[int, ...], spacing: float) -> None:
    """Raise a ValueError unless a file's array is a map of a size that makes sense, before it is read."""
    if len(shape) != 2 or min(shape) < 2:
        raise ValueError(f"{path.name} must hold a two-dimensional array [y, x] of heights; its shape is {shape}.")
    check_size((shape[1] * spacing, shape[0] * spacing))


def read_npy(path: Path, spacing: float) -> NDArray[np.float64]:
    """Heights in m [y, x] from a .npy file of numbers."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, tokenize.TokenError) as error:
        raise ValueError(f"{path.name} is not a readable .npy file of numbers.") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"{path.name} must hold real numbers, heights in m, not {array.dtype}.")
    check_shape(path, array.shape, spacing)
    return np.array(array, np.float64)


def read_png(path: Path, spacing: float, scale: float | None) -> NDArray[np.float64]:
    """Heights in m [y, x] from an 8 or 16 bit greyscale PNG, turned so that the top of the image is +y."""
    if scale is None or not 0.0 < scale <= TALLEST:
        raise ValueError(f"Give the height of full white in {path.name} as a scale of up to {TALLEST:g} m.")
    try:
        with Image.open(path) as image:
            if image.mode not in WHITE:
                raise ValueError(f"{path.name} must be a greyscale image of 8 or 16 bits, not {image.mode}.")
            check_shape(path, (image.height, image.width), spacing)
            pixels = np.asarray(image, np.float64)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path.name} has too many pixels for a heightmap.") from error
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise ValueError(f"{path.name} is not a readable PNG image.") from error
    return pixels[::-1] * (scale / WHITE[image.mode])


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
        raise ValueError(f"{path.name} holds heights that are not finite; fill the gaps first.")
    if (span := heights.max() - heights.min()) > TALLEST:
        raise ValueError(
            f"{path.name} spans {span:.3g} m of height, more than {TALLEST:g} m; its heights must be in m."
        )


def user_tile(heights: NDArray[np.float64]) -> Tile:
    """A tile from heights in m, 0.05 m apart, with level 0 at the start in the middle."""
    ny, nx = heights.shape
    level = (heights - heights[ny // 2, nx // 2]).astype(np.float32)
    risers = risers_where(level, min_step=RISER_SLOPE * RESOLUTION)
    return Tile("user", {}, 0, level, risers, start=(nx // 2 * RESOLUTION, ny // 2 * RESOLUTION))
