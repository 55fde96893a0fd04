from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from envs.terrains import Surface, build_map, load_heightmap
from envs.terrains.grid import RISER_X


def save(tmp_path, array, name="map.npy"):
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, array)
    else:
        Image.fromarray(array).save(path)
    return path


def test_array_in_metres_is_taken_as_it_is(tmp_path):
    heights = np.random.default_rng(0).uniform(0.0, 0.02, (80, 100))
    tile = load_heightmap(save(tmp_path, heights))
    assert tile.size == pytest.approx((5.0, 4.0)) and tile.start == pytest.approx((2.5, 2.0))
    np.testing.assert_allclose(tile.heights, heights - heights[40, 50], atol=1e-7)
    assert not tile.risers.any()


def test_coarse_map_is_resampled_linearly_in_metres(tmp_path):
    y, x = np.mgrid[:40, :50] * 0.2
    tile = load_heightmap(save(tmp_path, 100.0 + 0.1 * x - 0.2 * y), resolution=0.2)
    assert tile.size == pytest.approx((10.0, 8.0))
    iy, ix = np.mgrid[:150, :190] * 0.05
    np.testing.assert_allclose(tile.heights[:150, :190], 0.1 * (ix - 5.0) - 0.2 * (iy - 4.0), atol=1e-5)


def test_fine_map_keeps_its_length(tmp_path):
    x = np.mgrid[:400, :400][1] * 0.01
    tile = load_heightmap(save(tmp_path, 0.3 * x), resolution=0.01)
    assert tile.size == pytest.approx((4.0, 4.0))
    np.testing.assert_allclose(np.diff(tile.heights, axis=1), 0.015, atol=1e-6)


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, 65535)])
def test_white_of_a_picture_is_its_scale_and_its_top_is_ahead_in_y(tmp_path, dtype, white):
    picture = np.zeros((80, 80), dtype)
    picture[:20] = white
    tile = load_heightmap(save(tmp_path, picture, "map.png"), scale=0.4)
    surface = Surface(build_map([tile]))
    np.testing.assert_allclose(surface.height([[0.0, 1.5], [0.0, -1.5]]), [0.4, 0.0], atol=1e-6)


def test_steep_steps_of_a_map_become_risers(tmp_path):
    heights = np.zeros((80, 80))
    heights[:, 60:] = 0.1
    heights[:, 10:20] = 0.02
    risers = load_heightmap(save(tmp_path, heights)).risers
    assert set(np.flatnonzero(risers.any(axis=0))) == {59}
    assert (risers[:, 59] == RISER_X).all()


GOOD = np.zeros((80, 80))
BAD_FILES = [
    (GOOD[0], "two-dimensional"),
    (GOOD[:10], "Both sides"),
    (np.zeros((3000, 3000), np.uint8), "Both sides"),
    (np.full((80, 80), np.nan), "not finite"),
    (np.where(np.eye(80), np.inf, 0.0), "not finite"),
    (np.eye(80) * 400.0, "must be in m"),
    (np.zeros((80, 80), complex), "real numbers"),
    (np.full((80, 80), "x"), "real numbers"),
]


@pytest.mark.parametrize(("array", "message"), BAD_FILES)
def test_unusable_array_gets_one_clear_sentence(tmp_path, array, message):
    with pytest.raises(ValueError, match=message):
        load_heightmap(save(tmp_path, array))


def test_pickled_array_is_refused_and_not_executed(tmp_path):
    path = tmp_path / "map.npy"
    header = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    marker = tmp_path / "executed"
    payload = f"cbuiltins\nopen\n(V{marker}\nVw\ntR.".encode()
    path.write_bytes(header.ljust(127) + b"\n" + payload)
    with pytest.raises(ValueError, match="not a readable"):
        load_heightmap(path)
    assert not marker.exists()


@pytest.mark.parametrize("name", ["map.npy", "map.npz", "map.png", "map.tif"])
def test_garbage_and_missing_files_are_named(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(ValueError, match="There is no heightmap"):
        load_heightmap(path, scale=None)
    path.write_bytes(b"garbage")
    with pytest.raises(ValueError, match="not a readable"):
        load_heightmap(path, scale=1.0 if name.endswith("png") else None)


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"\x93NUMPY\x01\x00\x10\x00{'descr': (".ljust(40), "npz"])
def test_archives_and_broken_headers_are_no_arrays(tmp_path, content):
    path = tmp_path / "map.npy"
    if content == "npz":
        np.savez(path.open("wb"), GOOD)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match="not a readable"):
        load_heightmap(path)


def test_picture_of_too_many_pixels_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ValueError, match="too many pixels"):
        load_heightmap(save(tmp_path, np.zeros((80, 80), np.uint8), "map.png"), scale=1.0)


def test_truncated_picture_is_refused(tmp_path):
    path = save(tmp_path, np.random.default_rng(0).integers(0, 255, (80, 80), np.uint8), "map.png")
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(ValueError, match="not a readable"):
        load_heightmap(path, scale=1.0)


def test_wrong_use_gets_one_clear_sentence(tmp_path):
    colour = save(tmp_path, np.zeros((80, 80, 3), np.uint8), "colour.png")
    grey, array = save(tmp_path, np.zeros((80, 80), np.uint8), "grey.png"), save(tmp_path, GOOD)
    (tmp_path / "map.tif").touch()
    (tmp_path / "map.jpg").touch()
    for arguments, message in [
        ((colour, None, 1.0), "greyscale"),
        ((grey, None, None), "scale"),
        ((grey, None, float("nan")), "scale"),
        ((array, None, 1.0), "PNG only"),
        ((array, 0.0), "resolution"),
        ((array, float("nan")), "resolution"),
        ((tmp_path / "map.tif",), "not a readable TIFF"),
        ((tmp_path / "map.jpg",), "must be one of .npy, .npz"),
        ((tmp_path,), "no heightmap file"),
    ]:
        with pytest.raises(ValueError, match=message):
            load_heightmap(*arguments)
