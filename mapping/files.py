"""Maps on disk."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mapping.config import MapConfig
from system.files import whole

VERSION = 1
Pose = tuple[float, float, float] | None
"""x and y in m and heading in rad."""


class MapFileError(ValueError):
    """A file is no elevation map; the message is one sentence for the user."""


def write(
    path: Path, cfg: MapConfig, heights: NDArray, variances: NDArray, corner: NDArray, pose: Pose, clouds: int
) -> None:
    """Write a map, whole or not at all."""
    about = json.dumps({"version": VERSION, "cfg": asdict(cfg), "clouds": clouds})
    place = np.array([] if pose is None else pose)
    with whole(path) as part, part.open("wb") as file:
        np.savez_compressed(file, about=about, heights=heights, variances=variances, corner=corner, pose=place)


def read(path: Path) -> tuple[MapConfig, NDArray, NDArray, NDArray, Pose, int]:
    """A map that `write` has written: configuration, heights, variances, corner, pose and number of clouds."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            heights, variances, corner, pose = (arrays[name] for name in ("heights", "variances", "corner", "pose"))
        cfg, clouds = MapConfig(**about["cfg"]), int(about["clouds"])
        shapes = heights.shape, variances.shape, corner.shape
        heights, variances = heights.astype(np.float32), variances.astype(np.float32)
        corner, pose = corner.astype(np.int64), pose.astype(np.float64)
        if (
            not (np.isfinite(variances).all() and np.isfinite(pose).all())
            or about["version"] != VERSION
            or shapes != ((cfg.cells, cfg.cells),) * 2 + ((2,),)
            or len(pose) not in (0, 3)
        ):
            raise ValueError("other content")
    except FileNotFoundError as error:
        raise MapFileError(f"There is no {path}.") from error
    except Exception as error:  # a damaged zip archive fails in many ways
        raise MapFileError(f"{path} is not an elevation map that this version can read.") from error
    return cfg, heights, variances, corner, tuple(pose.tolist()) if len(pose) else None, clouds
