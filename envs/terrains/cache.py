"""Tiles on disk, found again by their content: what was asked for and the source code that makes it."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from envs.terrains.grid import Heights, Risers, Size, shape_of
from envs.terrains.table import FAMILIES
from envs.terrains.tile import Tile, assemble, generate
from system.caching import cache_directory, do_without
from system.files import whole

SOURCES = ("grid.py", "natural.py", "blocks.py", "stairs.py", "paths.py", "table.py", "tile.py")
"""Files whose content decides what a tile looks like."""


@dataclass(frozen=True)
class Request:
    """What one tile shall be."""

    family: str
    seed: int
    parameters: Mapping[str, float]


def digest(requests: Sequence[Request], size: Size) -> str:
    """Name of a set of tiles: a hash of the requests, the generators' source and numpy's version."""
    wanted = [[request.family, request.seed, sorted(request.parameters.items())] for request in requests]
    hashed = hashlib.sha256(json.dumps([wanted, size, np.__version__]).encode())
    ours = [Path(__file__).parent / name for name in SOURCES]
    others = {Path(inspect.getfile(FAMILIES[request.family].generate)) for request in requests} - set(ours)
    for path in [*ours, *sorted(others)]:
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:24]


def cached_tiles(requests: Sequence[Request], size: Size) -> list[Tile]:
    """The requested tiles, from the disk if they have been made before; a cache that cannot be used is no error."""
    path = cache_directory() / f"tiles-{digest(requests, size)}.npz"
    arrays = read(path, (len(requests), *shape_of(size)))
    if arrays is None:
        made = [generate(request.family, request.parameters, request.seed, size) for request in requests]
        arrays = np.stack([heights for heights, _ in made]), np.stack([risers for _, risers in made])
        write(path, *arrays)
    return [
        assemble(request.family, request.parameters, request.seed, size, heights, risers)
        for request, heights, risers in zip(requests, *arrays, strict=True)
    ]


def read(path: Path, shape: tuple[int, int, int]) -> tuple[Heights, Risers] | None:
    """Heights and risers of a file, or None if it is missing, damaged or of another shape."""
    try:
        with np.load(path) as file:
            heights, risers = file["heights"], file["risers"]
    except Exception:  # a damaged zip archive fails in many ways, and each means: make the tiles again
        return None
    return (heights, risers) if heights.shape == risers.shape == shape else None


def write(path: Path, heights: Heights, risers: Risers) -> None:
    """Keep heights and risers in a file, if the disk has room for it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole(path) as part:
            np.savez_compressed(part, heights=heights, risers=risers)
    except OSError as error:
        do_without(error)
