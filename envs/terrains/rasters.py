"""Files of heights as they come: arrays of numpy, greyscale pictures, GeoTIFFs."""

from __future__ import annotations

import re
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from envs.terrains.grid import RESOLUTION
from envs.terrains.tile import check_size

TALLEST = 50.0
"""m from the lowest to the highest point; more suggests that the file is not in m."""
WHITE = {"L": 255.0, "I;16": 65535.0, "I;16B": 65535.0, "I;16L": 65535.0}
"""Value of full white by the image mode of 8 and 16 bit greyscale."""
ELEVATION = ("elevation", "heights", "height", "z")
"""Names of the layer with the heights among several in one file."""
MOVING = ("about", "heights", "variances", "corner")
"""Names in a file of mapping.ElevationMap."""
SPACING = "resolution"
"""Name of the number in a .npz file that says how far apart its samples are, in m."""
PIXEL_SCALE, GEO_KEYS, NODATA = 33550, 34735, 42113
"""Tags of a GeoTIFF: m between its samples; its kind of coordinates; the value of samples that are unknown."""
TURNED, SCALED = 34264, 42112
"""More of them: rows and columns that lie in any direction; what GDAL adds, such as a factor on the heights."""
MODEL_TYPE, GEOGRAPHIC = 1024, 2
"""Among its keys: the kind of coordinates, and the number for degrees."""
METRES = ("m", "metre", "metres", "meter", "meters")
"""The unit of heights, as GDAL may name it."""
ALONG, UP, METRE = 3076, 4099, 9001
"""More of them: units of lengths along and up, and the number for m."""


@dataclass(frozen=True)
class Raster:
    """Heights of a file."""

    heights: NDArray[np.float64]
    """[y, x], m; NaN where the file itself says that it knows none."""
    spacing: float
    """m between samples."""


def read_raster(path: Path, resolution: float | None, scale: float | None) -> Raster:
    """The heights of a file, `resolution` m apart, or as the file says, or 0.05 m; `scale` m is the white of a PNG."""
    ending = path.suffix.lower()
    if ending not in READERS:
        raise ValueError(f"A heightmap must be one of {', '.join(READERS)}, not {path.name}.")
    if ending != ".png" and scale is not None:
        raise ValueError(f"A {ending} heightmap is in m; give a scale for a PNG only.")
    if ending == ".png":
        return read_png(path, resolution, scale)
    return READERS[ending](path, resolution)


def check_shape(path: Path, shape: tuple[int, ...], spacing: float) -> float:
    """The spacing; a ValueError unless a file's array is a map of a size that makes sense, before it is read."""
    if not 0.001 <= spacing <= 10.0:
        raise ValueError(f"The resolution of a heightmap must be within 0.001 and 10 m, not {spacing:g}.")
    if len(shape) != 2 or min(shape) < 2:
        raise ValueError(f"{path.name} must hold a two-dimensional array [y, x] of heights; its shape is {shape}.")
    check_size((shape[1] * spacing, shape[0] * spacing))
    return spacing


def check_numbers(path: Path, dtype: np.dtype[Any]) -> None:
    """Raise a ValueError unless an array holds numbers."""
    if dtype.kind not in "fiu":
        raise ValueError(f"{path.name} must hold real numbers, heights in m, not {dtype}.")


def read_npy(path: Path, resolution: float | None) -> Raster:
    """A .npy file of numbers in m."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, ValueError, EOFError, tokenize.TokenError) as error:
        raise ValueError(f"{path.name} is not a readable .npy file of numbers.") from error
    check_numbers(path, array.dtype)
    spacing = check_shape(path, array.shape, RESOLUTION if resolution is None else resolution)
    return Raster(np.array(array, np.float64), spacing)


def read_npz(path: Path, resolution: float | None) -> Raster:
    """A .npz file of an elevation map: the layer of heights in m, or the only array [y, x] that it holds."""
    with _readable(path), zipfile.ZipFile(path) as archive:
        shapes = {name.removesuffix(".npy"): _npy_shape(archive, name) for name in archive.namelist()}
    chosen = _layer(path, shapes)
    with _readable(path), np.load(path) as file:
        named = np.unique(file[SPACING]) if SPACING in shapes else np.array([RESOLUTION])
    if named.shape != (1,) or named.dtype.kind not in "fiu":
        raise ValueError(f"{path.name} must name one number of m as its {SPACING}, not {named}.")
    known = float(named[0])
    spacing = check_shape(path, shapes[chosen], known if resolution is None else resolution)
    with _readable(path), np.load(path) as file:
        array = file[chosen]
    check_numbers(path, array.dtype)
    return Raster(array.astype(np.float64), spacing)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Context in which whatever is wrong with a .npz file is a ValueError that names it."""
    try:
        yield
    except Exception as error:  # a damaged zip archive fails in many ways
        raise ValueError(f"{path.name} is not a readable .npz file of numbers.") from error


def _layer(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Which of a file's arrays are the heights."""
    if set(MOVING) <= set(shapes):
        raise ValueError(
            f"{path.name} is a robot's elevation map, whose rows begin anywhere: load it, and save its grid() and its "
            f"resolution as {ELEVATION[0]} and {SPACING}."
        )
    maps = [name for name, shape in shapes.items() if len(shape) == 2]
    named = [name for name in ELEVATION if name in maps]
    if not named and len(maps) != 1:
        held = ", ".join(shapes) or "nothing"
        raise ValueError(f"{path.name} holds {held}: name its array [y, x] of heights {ELEVATION[0]}.")
    return (named or maps)[0]


def _npy_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    """Shape of an array in the archive, of which nothing else is read."""
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return read(file)[0]


def read_png(path: Path, resolution: float | None, scale: float | None) -> Raster:
    """An 8 or 16 bit greyscale PNG whose white is `scale` m high, turned so that the top of the image is +y."""
    if scale is None or not 0.0 < scale <= TALLEST:
        raise ValueError(f"Give the height of full white in {path.name} as a scale of up to {TALLEST:g} m.")
    pixels, spacing, image = _pixels(path, "PNG", resolution)
    if image.mode not in WHITE:
        raise ValueError(f"{path.name} must be a greyscale image of 8 or 16 bits, not {image.mode}.")
    return Raster(pixels * (scale / WHITE[image.mode]), spacing)


def read_tif(path: Path, resolution: float | None) -> Raster:
    """A TIFF or GeoTIFF of one band in m, whose first row is the one of largest y."""
    pixels, spacing, image = _pixels(path, "TIFF", resolution)
    tags: Any = image.tag_v2  # type: ignore
    said = str(tags.get(SCALED, ""))
    unit = re.search(r'role="unittype">([^<]*)<', said)
    foreign = unit is not None and unit[1].strip().lower() not in METRES
    if 'role="scale"' in said or foreign or _key(tags, UP) not in (None, METRE):
        raise ValueError(f"The heights of {path.name} are not in m: convert them (gdal_translate -unscale, gdalwarp).")
    nodata: Any = tags.get(NODATA)
    if nodata is not None:
        text = str(nodata).strip(" \0")
        try:
            pixels[np.isclose(pixels, float(text), rtol=1e-6, atol=0.0)] = np.nan
        except ValueError as error:
            raise ValueError(f"{path.name} names '{text}' as its value for no data, which is no number.") from error
    return Raster(pixels, spacing)


def _pixels(path: Path, kind: str, resolution: float | None) -> tuple[NDArray[np.float64], float, Image.Image]:
    """Values of a picture's only band with its last row first, m between them, and the picture."""
    try:
        with Image.open(path, formats=[kind]) as image:
            if len(image.getbands()) != 1 or image.mode in ("P", "1"):
                raise ValueError(f"{path.name} must be a greyscale image of one band, not {image.mode}.")
            tags: Any = getattr(image, "tag_v2", {})
            spacing = _spacing(path, tags) if resolution is None else resolution
            check_shape(path, (image.height, image.width), spacing)
            return np.asarray(image, np.float64)[::-1].copy(), spacing, image
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path.name} has too many pixels for a heightmap.") from error
    except (OSError, SyntaxError, UnidentifiedImageError) as error:
        raise ValueError(f"{path.name} is not a readable {kind} image.") from error


def _key(tags: Any, name: int) -> int | None:
    """Value of one of a GeoTIFF's keys."""
    keys = tags.get(GEO_KEYS, ())
    return dict(zip(keys[4::4], keys[7::4], strict=False)).get(name)


def _spacing(path: Path, tags: Any) -> float:
    """m between the samples of a GeoTIFF, or ours for any other picture."""
    if _key(tags, MODEL_TYPE) == GEOGRAPHIC:
        raise ValueError(f"The coordinates of {path.name} are degrees: project it to metres, or give a resolution.")
    if _key(tags, ALONG) not in (None, METRE):
        raise ValueError(f"The coordinates of {path.name} are not in m: project it to metres, or give a resolution.")
    scale = tags.get(PIXEL_SCALE)
    if scale is None and TURNED in tags:
        raise ValueError(f"The rows of {path.name} are turned: warp it to north up, or give a resolution.")
    if scale is None:
        return RESOLUTION
    if abs(scale[0] - scale[1]) > 1e-3 * abs(scale[0]):
        raise ValueError(f"{path.name} has samples {scale[0]:g} x {scale[1]:g} m apart: both must be the same.")
    return float(scale[0])


READERS = {".npy": read_npy, ".npz": read_npz, ".png": read_png, ".tif": read_tif, ".tiff": read_tif}
"""Who reads files of which ending."""
