"""Heightmaps of GeoTIFF and .npz files, unknown heights, and where a robot starts on them."""

from __future__ import annotations

import zipfile
import zlib
from math import radians
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin
from spectator import Spectator

import evaluate
import play
from envs.terrains import load_heightmap
from envs.terrains.rasters import ALONG, GEO_KEYS, METRE, NODATA, PIXEL_SCALE, SCALED, TURNED, UP, read_raster
from evaluation.cells import make_cells
from mapping import ElevationMap, MapConfig

Y, X = np.mgrid[0:60, 0:80]
RAMP = (0.01 * X + 0.002 * Y).astype(np.float32)
"""Rises along +x, and a little along +y."""
DOUBLES, SHORTS, ASCII = 12, 3, 2


def tif(path: Path, heights: NDArray, compression: str | None = None, **tags: Any) -> Path:
    """A GeoTIFF, north up: its first row is that of largest y."""
    entries = TiffImagePlugin.ImageFileDirectory_v2()
    for tag, kind, value in tags.values():
        entries[tag], entries.tagtype[tag] = value, kind
    Image.fromarray(heights[::-1].copy()).save(path, tiffinfo=entries, compression=compression)
    return path


def spaced(metres: float) -> tuple[int, int, Any]:
    return PIXEL_SCALE, DOUBLES, (metres, metres, 0.0)


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate"])
@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.uint16, np.uint8, np.int32])
def test_a_geotiff_is_read_in_metres_with_its_first_row_at_the_top(
    tmp_path: Path, dtype: Any, compression: str | None
) -> None:
    heights = (10 * RAMP).astype(dtype)
    raster = read_raster(tif(tmp_path / "a.tif", heights, compression, spacing=spaced(0.25)), None, None)
    np.testing.assert_array_equal(raster.heights, heights.astype(np.float64))
    assert raster.spacing == 0.25
    tile = load_heightmap(tmp_path / "a.tif")
    assert (
        tile.size == (20.0, 15.0)
        and tile.heights[0, -1] - tile.heights[0, 0] > tile.heights[-1, 0] - tile.heights[0, 0]
    )


def test_a_geotiffs_own_spacing_gives_way_to_the_one_that_is_given(tmp_path: Path) -> None:
    path = tif(tmp_path / "a.tiff", RAMP, spacing=spaced(0.25))
    assert load_heightmap(path, resolution=0.1).size == (8.0, 6.0)
    assert load_heightmap(tif(tmp_path / "b.tif", RAMP)).size == (4.0, 3.0)


def test_what_a_geotiff_declares_unknown_is_a_gap(tmp_path: Path) -> None:
    heights = RAMP.copy()
    heights[:6] = -5.5
    path = tif(tmp_path / "a.tif", heights, spacing=spaced(0.1), nodata=(NODATA, ASCII, "-5.5"))
    with pytest.raises(ValueError, match=r"knows no height in 10 % of its samples .*no data.*; fill these gaps"):
        load_heightmap(path)


def test_a_declared_value_that_is_no_number_is_refused(tmp_path: Path) -> None:
    path = tif(tmp_path / "a.tif", RAMP, spacing=spaced(0.1), nodata=(NODATA, ASCII, "none"))
    with pytest.raises(ValueError, match="'none' as its value for no data, which is no number"):
        load_heightmap(path)


@pytest.mark.parametrize(
    ("tag", "refusal"),
    [
        ((GEO_KEYS, SHORTS, (1, 1, 0, 1, ALONG, 0, 1, 9003)), "coordinates of a.tif are not in m"),
        ((GEO_KEYS, SHORTS, (1, 1, 0, 1, UP, 0, 1, 9002)), "heights of a.tif are not in m"),
        ((SCALED, ASCII, '<Item name="SCALE" sample="0" role="scale">0.1</Item>'), "heights of a.tif are not in m"),
        (
            (SCALED, ASCII, '<Item name="UNITTYPE" sample="0" role="unittype">ft</Item>'),
            "heights of a.tif are not in m",
        ),
        ((TURNED, DOUBLES, (0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, *(8 * [0.0]))), "rows of a.tif are turned"),
    ],
)
def test_other_units_and_directions_are_refused(tmp_path: Path, tag: Any, refusal: str) -> None:
    spacing = {} if tag[0] == TURNED else {"spacing": spaced(0.25)}
    with pytest.raises(ValueError, match=refusal):
        load_heightmap(tif(tmp_path / "a.tif", RAMP, tag=tag, **spacing))


@pytest.mark.parametrize("up", [METRE, None])
def test_metres_may_be_declared(tmp_path: Path, up: int | None) -> None:
    keys = (1, 1, 0, 2, ALONG, 0, 1, METRE, *(() if up is None else (UP, 0, 1, up)))
    path = tif(tmp_path / "a.tif", RAMP, spacing=spaced(0.25), keys=(GEO_KEYS, SHORTS, keys))
    assert load_heightmap(path).size == (20.0, 15.0)


def test_degrees_are_no_metres(tmp_path: Path) -> None:
    keys = (GEO_KEYS, SHORTS, (1, 1, 0, 1, 1024, 0, 1, 2))
    path = tif(tmp_path / "a.tif", RAMP, spacing=spaced(1e-4), keys=keys)
    with pytest.raises(ValueError, match="are degrees: project it"):
        load_heightmap(path)
    assert load_heightmap(path, resolution=0.1).size == (8.0, 6.0)


def test_pictures_of_several_bands_and_uneven_samples_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "rgb.tif")
    with pytest.raises(ValueError, match="one band"):
        load_heightmap(tmp_path / "rgb.tif")
    uneven = tif(tmp_path / "a.tif", RAMP, spacing=(PIXEL_SCALE, DOUBLES, (0.1, 0.2, 0.0)))
    with pytest.raises(ValueError, match=r"0\.1 x 0\.2 m apart"):
        load_heightmap(uneven)


def test_a_png_is_no_tif_whatever_its_name(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((60, 80), np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.tif")
    with pytest.raises(ValueError, match="not a readable TIFF"):
        load_heightmap(tmp_path / "a.tif")


@pytest.mark.parametrize(
    "layers",
    [
        {"elevation": RAMP},
        {"whatever": RAMP},
        {"elevation": RAMP, "variance": np.zeros_like(RAMP), "pose": np.zeros(7)},
        {"heights": RAMP, "resolution": np.float64(0.1)},
        {"heights": RAMP, "resolution": np.array([0.1])},
    ],
)
def test_an_elevation_map_of_npz_is_read(tmp_path: Path, layers: dict[str, NDArray]) -> None:
    np.savez_compressed(tmp_path / "a.npz", **layers)
    raster = read_raster(tmp_path / "a.npz", None, None)
    np.testing.assert_allclose(raster.heights, RAMP)
    assert raster.spacing == np.squeeze(layers.get("resolution", 0.05))
    assert load_heightmap(tmp_path / "a.npz", resolution=0.2).size == (16.0, 12.0)


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ({"a": RAMP, "b": RAMP}, "holds a, b: name its array"),
        ({"pose": np.zeros(7)}, "holds pose: name its array"),
        ({}, "holds nothing"),
        ({"elevation": np.full((60, 80), "x")}, "real numbers"),
        ({"elevation": np.zeros((6000, 8000), np.uint8)}, "Both sides"),
        ({"elevation": RAMP, "resolution": np.float64(np.nan)}, "resolution"),
        ({"elevation": RAMP, "resolution": np.array([0.1, 0.2])}, "one number of m"),
        ({"elevation": RAMP, "resolution": np.array("fine")}, "one number of m"),
    ],
)
def test_other_npz_files_are_refused_in_one_sentence(tmp_path: Path, layers: dict[str, Any], reason: str) -> None:
    np.savez_compressed(tmp_path / "a.npz", **layers)
    with pytest.raises(ValueError, match=reason):
        load_heightmap(tmp_path / "a.npz")


def test_pickles_in_npz_files_are_not_executed(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", elevation=np.array([[{}, {}], [{}, {}]], object), allow_pickle=True)
    with pytest.raises(ValueError):
        load_heightmap(tmp_path / "a.npz", resolution=2.0)


@pytest.mark.parametrize("unknown", [-9999, -32768, -3.4028235e38, 3.4028235e38])
def test_heights_that_stand_for_unknown_ones_have_a_sentence_of_their_own(tmp_path: Path, unknown: float) -> None:
    heights = RAMP.copy()
    heights[:15] = unknown
    np.save(tmp_path / "a.npy", heights)
    with pytest.raises(ValueError, match=r"in 25 % of its samples, which stands for heights that are unknown"):
        load_heightmap(tmp_path / "a.npy", resolution=0.1)


def test_a_robot_starts_where_and_as_it_is_told(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", RAMP)
    tile = load_heightmap(tmp_path / "a.npy", 0.1, start=(6.0, 2.0), heading=90.0)
    assert (tile.start, tile.heading, tile.start_height) == ((6.0, 2.0), radians(90.0), 0.0)
    assert tile.parameters == {"start_x": 6.0, "start_y": 2.0, "heading": 90.0}
    assert tile.heights[40, 140] == pytest.approx(0.1, abs=1e-5)  # a metre ahead along +x
    middle = load_heightmap(tmp_path / "a.npy", 0.1)
    assert (middle.start, middle.heading) == ((4.0, 3.0), None)
    for place in ((0.5, 3.0), (4.0, 5.5), (-1.0, 3.0), (float("nan"), 3.0)):
        with pytest.raises(ValueError, match="must lie 1 m within the map, which is 8 x 6 m"):
            load_heightmap(tmp_path / "a.npy", 0.1, start=place)
    with pytest.raises(ValueError, match="heading"):
        load_heightmap(tmp_path / "a.npy", 0.1, heading=float("nan"))


@pytest.mark.parametrize(
    ("flags", "said", "heading"), [([], "heading 0", 0.0), (["--heading", "90"], "heading 90", 90.0)]
)
def test_play_prints_start_and_heading_and_keeps_them(
    project: Path, spectator: Spectator, capsys: Any, flags: list[str], said: str, heading: float
) -> None:
    np.save(project / "flat.npy", np.zeros((60, 80)))
    arguments = ["--agent", "zero", "--terrain", "flat.npy", "--resolution", "0.1", "--start", "2.5", "3", *flags]
    assert play.main([*arguments, "--seconds", "0.04", "--video", "a.mp4"]) == 0
    assert f"flat.npy, start_x 2.5, start_y 3, {said};" in capsys.readouterr().out
    assert spectator.env.state.heading.item() == pytest.approx(radians(heading), abs=0.1)
    corner = spectator.env.placement.map.tile_corner_w[0]
    assert np.allclose(spectator.env.state.base_position_w[0, :2].numpy() - corner, (2.5, 3.0), atol=0.1)


def test_play_says_that_the_border_was_crossed(
    project: Path, spectator: Spectator, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    shown = Spectator.show

    def beyond(self: Spectator) -> bool:
        self.env.placement.low[:] = 100.0
        return shown(self)

    monkeypatch.setattr(Spectator, "show", beyond)
    np.save(project / "flat.npy", np.zeros((60, 80)))
    arguments = ["--agent", "zero", "--terrain", "flat.npy", "--resolution", "0.1", "--seconds", "0.1"]
    assert play.main([*arguments, "--video", "a.mp4"]) == 0
    assert "crossed the ground's border and began anew: 5" in capsys.readouterr().out


def test_start_and_heading_belong_to_heightmaps(project: Path, capsys: Any) -> None:
    for flags in (["--start", "1", "2"], ["--heading", "90"]):
        assert play.main(["--agent", "zero", "--terrain", "rough", *flags]) == 2
        assert evaluate.main(["--agent", "zero", "--terrains", "rough", *flags]) == 2
        assert capsys.readouterr().err.count("describe a heightmap file") == 2


def test_an_evaluation_has_a_row_for_each_heading(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((120, 140)))
    cells = make_cells([str(tmp_path / "a.npy")], [0.5], {}, 0.1, None, (6.0, 6.0), [0.0, 90.0, -90.0])
    assert [cell.parameters["heading"] for cell in cells] == [0.0, 90.0, -90.0]
    assert all(cell.parameters["start_x"] == 6.0 and cell.parameters["resolution"] == 0.1 for cell in cells)
    (anyhow,) = make_cells([str(tmp_path / "a.npy")], [0.5], {}, 0.1, None, (6.0, 6.0), [None])
    assert "heading" not in anyhow.parameters and anyhow.tiles(0)[0].heading is None
    with pytest.raises(ValueError, match="ends 5 m ahead of the start at 9 6 with heading 0"):
        make_cells([str(tmp_path / "a.npy")], [0.5], {}, 0.1, None, (9.0, 6.0), [180.0, 0.0])


def test_evaluate_reports_start_and_headings(project: Path, capsys: Any) -> None:
    np.save(project / "a.npy", np.zeros((120, 120)))
    arguments = ["--agent", "zero", "--terrains", "a.npy", "--resolution", "0.1", "--heading", "0,180"]
    assert evaluate.main([*arguments, "--episodes", "1", "--json", "a.json"]) == 0
    printed = capsys.readouterr().out
    assert "heading" in printed and "180" in printed and "start_x" in printed


def test_a_robot_s_own_map_is_no_heightmap_since_its_rows_begin_anywhere(tmp_path: Path) -> None:
    elevation = ElevationMap(MapConfig(size=4.0))
    elevation.heights[:] = 0.0
    elevation.save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"save its grid\(\) and its resolution"):
        load_heightmap(tmp_path / "a.npz")
    heights, _ = elevation.grid()
    np.savez(tmp_path / "a.npz", elevation=heights, resolution=elevation.cfg.resolution)
    assert load_heightmap(tmp_path / "a.npz").size == (4.0, 4.0)


def test_whatever_is_wrong_with_an_npz_file_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "heights")
    with pytest.raises(ValueError, match="a.npz is not a readable"):
        load_heightmap(path)
    np.savez(path, elevation=RAMP.astype(object))
    with pytest.raises(ValueError, match="a.npz is not a readable"):
        load_heightmap(path)
    np.savez_compressed(path, elevation=RAMP)

    def damaged(*_: Any, **__: Any) -> None:
        raise zlib.error("invalid block type")

    monkeypatch.setattr(np, "load", damaged)
    with pytest.raises(ValueError, match="a.npz is not a readable"):
        load_heightmap(path)
