"""Maps on disk."""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapping.config import MapConfig

VERSION = 1
Pose = tuple[float, float, float] | None
"""x and y in m and heading in rad."""


class MapFileError(ValueError):
    """A file is no elevation map; the message is one sentence for the user."""


def write(
    path: Path, cfg: MapConfig, heights: NDArray, variances: NDArray, corner: NDArray, pose: Pose, clouds: int
) -> None:
    """Write a map, whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    about = json.dumps({"version": VERSION, "cfg": asdict(cfg), "clouds": clouds})
    place = np.array([] if pose is None else pose)
    try:
        with part.open("wb") as file:
            np.savez_compressed(file, about=about, heights=heights, variances=variances, corner=corner, pose=place)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def read(path: Path) -> tuple[MapConfig, NDArray, NDArray, NDArray, Pose, int]:
    """A map that `write` has written: configuration, heights, variances, corner, pose and number of clouds."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            heights, variances, corner, pose = (arrays[name] for name in ("heights", "variances", "corner", "pose"))
        cfg, clouds = MapConfig(**about["cfg"]), int(about["clouds"])
        shapes = heights.shape, variances.shape, corner.shape
        if about["version"] != VERSION or shapes != ((cfg.cells, cfg.cells),) * 2 + ((2,),) or len(pose) not in (0, 3):
            raise ValueError("other content")
    except FileNotFoundError as error:
        raise MapFileError(f"There is no {path}.") from error
    except (OSError, ValueError, TypeError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise MapFileError(f"{path} is not an elevation map that this version can read.") from error
    return cfg, heights, variances, corner, tuple(pose.tolist()) if len(pose) else None, clouds
