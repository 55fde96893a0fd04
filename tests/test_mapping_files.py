"""Elevation maps on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mapping import ElevationMap, MapConfig, MapFileError


def filled() -> ElevationMap:
    elevation = ElevationMap(MapConfig(size=2.0, fill=0.1))
    elevation.move([0.4, -0.3], 0.2)
    elevation.integrate([[0.5, 0.0, 0.1], [0.7, -0.9, -0.2]], [0.4, -0.3, 0.6], 1e-3)
    return elevation


def test_a_loaded_map_goes_on_as_the_saved_one(tmp_path: Path) -> None:
    saved = filled()
    saved.save(tmp_path / "map.npz")
    loaded = ElevationMap.load(tmp_path / "map.npz")
    for elevation in (saved, loaded):
        elevation.move([0.9, 0.1], 0.5)
        elevation.integrate([[0.5, 0.0, 0.12], [1.2, 0.3, 0.0]], [0.9, 0.1, 0.6], 1e-3)
    assert loaded.cfg == saved.cfg and loaded.pose == saved.pose
    for name in ("heights", "variances", "corner"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(saved, name))


def test_a_map_without_a_place_is_saved_too(tmp_path: Path) -> None:
    ElevationMap().save(tmp_path / "map.npz")
    assert ElevationMap.load(tmp_path / "map.npz").pose is None
    assert [path.name for path in tmp_path.iterdir()] == ["map.npz"]


@pytest.mark.parametrize("content", [b"", b"no map", b"PK\x03\x04 damaged"])
def test_other_files_are_refused_with_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "map.npz"
    path.write_bytes(content)
    with pytest.raises(MapFileError, match="is not an elevation map"):
        ElevationMap.load(path)


def test_a_damaged_and_a_missing_map_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "map.npz"
    with pytest.raises(MapFileError, match="There is no"):
        ElevationMap.load(path)
    filled().save(path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(MapFileError):
        ElevationMap.load(path)
    np.savez(path, about="{}", heights=np.zeros(3))
    with pytest.raises(MapFileError):
        ElevationMap.load(path)


def test_a_map_that_cannot_be_written_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    for name in ("none/map.npz", "folder.npz"):
        with pytest.raises(OSError, match=name) as refusal:
            filled().save(tmp_path / name)
        assert "part" not in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.npz"]


@pytest.mark.parametrize(
    "change",
    [{"heights": np.full((50, 50), "a")}, {"variances": np.full((50, 50), np.nan)}, {"pose": np.full(3, np.nan)}],
)
def test_a_map_of_what_is_no_number_is_refused(tmp_path: Path, change: dict[str, NDArray]) -> None:
    path = tmp_path / "map.npz"
    filled().save(path)
    with np.load(path) as arrays:
        held = dict(arrays)
    np.savez(path, **{**held, **change})
    with pytest.raises(MapFileError, match="is not an elevation map"):
        ElevationMap.load(path)
