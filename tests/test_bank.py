from __future__ import annotations

import numpy as np
import pytest

from envs.terrains import TRAINING_TYPES, Surface, TrainingBank, build_map, cache, make_tile
from envs.terrains.bank import types_for
from envs.terrains.grid import COVERED, RISER_X, RISER_Y, covered, risers_where


@pytest.fixture(autouse=True)
def cache_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "anymal"


@pytest.fixture(scope="module")
def bank():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", "/dev/null")
        return TrainingBank()


def all_cells(bank):
    for number, kind in enumerate(bank.types):
        for cell in np.ndindex(kind.shape):
            yield number, kind, (*cell, *[0] * (3 - len(cell)))


def test_bank_has_one_tile_per_cell_and_fits_in_memory(bank):
    numbers, _, cells = zip(*all_cells(bank), strict=True)
    index = bank.tile_index(np.array(numbers), np.array(cells))
    assert sorted(index) == list(range(len(bank.map.tiles)))
    assert 200 <= len(index) <= 410
    assert bank.map.heights.nbytes < 45e6


def test_cell_leads_to_the_tile_with_its_parameters(bank):
    for number, kind, cell in all_cells(bank):
        tile = bank.map.tiles[bank.tile_index(np.array([number]), np.array([cell]))[0]]
        expected = {name: levels[level] for (name, levels), level in zip(kind.grid.items(), cell, strict=False)}
        assert tile.family == kind.family
        assert {**tile.parameters, **expected, **kind.fixed} == tile.parameters


def test_levels_go_from_easy_to_hard_within_the_training_range():
    for kind in TRAINING_TYPES.values():
        for name, levels in kind.grid.items():
            assert list(levels) in (sorted(levels), sorted(levels, reverse=True))
            assert (levels[0] > levels[-1]) == (name in {"feature", "levels", "depth", "width"})
    heights = TRAINING_TYPES["stairs_standard_up"].grid["height"]
    assert heights == pytest.approx([0.01, 0.04, 0.07, 0.1, 0.13, 0.16, 0.19, 0.22])


def test_stairs_up_rise_and_stairs_down_fall(bank):
    for tile in bank.map.tiles:
        if "direction" in tile.parameters:
            assert np.sign(tile.heights[80, -1]) == tile.parameters["direction"]
    assert {kind.fixed["direction"] for kind in bank.types if kind.name.startswith("stairs")} == {1, -1}


def test_starts_lie_on_the_surface_in_the_middle_of_their_tiles(bank):
    terrain = bank.map
    np.testing.assert_allclose(
        Surface(terrain).height(terrain.tile_start_w[:, :2]), terrain.tile_start_w[:, 2], atol=1e-5
    )
    np.testing.assert_allclose(terrain.tile_start_w[:, :2], terrain.tile_corner_w + terrain.tile_size / 2, atol=1e-5)


def test_tiles_keep_their_heights_in_the_world(bank):
    surface = Surface(bank.map)
    rng = np.random.default_rng(0)
    for index in rng.integers(len(bank.map.tiles), size=20):
        iy, ix = rng.integers(0, 160, (2, 50))
        points = bank.map.tile_corner_w[index] + 0.05 * np.stack((ix, iy), axis=-1)
        np.testing.assert_allclose(surface.height(points), bank.map.tiles[index].heights[iy, ix], atol=3e-4)


def test_hollows_are_under_the_treads_of_overhanging_tiles_alone(bank):
    terrain, n = bank.map, 20
    hangs = terrain.floor < terrain.heights
    inside = hangs[n:-n, n:-n].reshape(hangs[n:-n].shape[0] // 160, 160, -1, 160).any((1, 3)).ravel()
    expected = [
        tile.family in ("stairs_open", "stairs_ledged") and tile.parameters["height"] > 0.05 for tile in terrain.tiles
    ]
    np.testing.assert_array_equal(inside[: len(expected)], expected)
    assert hangs.sum() == hangs[n:-n, n:-n].sum()
    np.testing.assert_array_equal((terrain.risers & COVERED) > 0, covered(terrain.heights, terrain.floor) > 0)


def test_all_types_are_those_that_the_collider_can_hold():
    assert types_for("exact") == tuple(TRAINING_TYPES)
    assert set(TRAINING_TYPES) - set(types_for("stock")) == {
        f"stairs_{kind}_{way}" for kind in ("open", "ledged") for way in ("up", "down")
    }
    assert TrainingBank(("flat", "slope_up")).map.floor is None


def test_robots_are_shared_out_over_the_types(bank):
    weights = [kind.weight for kind in bank.types]
    assert bank.types_of(2 * sum(weights)).tolist() == 2 * bank.types_of(sum(weights)).tolist()
    assert np.bincount(bank.types_of(sum(weights))).tolist() == weights
    assert bank.types_of(len(weights)).tolist() == list(range(len(weights))), "few robots stand on all types"


def test_stairs_up_have_more_robots():
    weights = {name: kind.weight for name, kind in TRAINING_TYPES.items() if kind.weight != 1}
    assert weights == {"stairs_standard_up": 4, "stairs_random_up": 2}


def test_map_is_centred_and_tiles_do_not_overlap():
    terrain = build_map([make_tile("step_up", height=h) for h in (0.1, 0.2, 0.3, 0.4, 0.1)])
    middle = (terrain.tile_corner_w.min(0) + terrain.tile_corner_w.max(0) + terrain.tile_size[0]) / 2
    np.testing.assert_allclose(middle, 0.0, atol=1e-5)
    assert len({tuple(corner.round(3)) for corner in terrain.tile_corner_w}) == 5
    offset = np.array(terrain.tile_corner_w[:, None] - terrain.tile_corner_w[None])
    apart = (abs(offset) > terrain.tile_size[0] - 1e-4).any(-1)
    assert (apart | np.eye(5, dtype=bool)).all()


def test_jump_between_tiles_is_a_riser_and_level_seams_are_none():
    high, low = make_tile("stairs_standard", 1.0), make_tile("stairs_standard", 1.0, direction=-1)
    level = build_map([high] * 4).risers[20:-20, 20:-20]
    assert not (level[:, 159] & RISER_X).any() and not (level[159] & RISER_Y).any()
    mixed = build_map([high, low, low, high]).risers[20:-20, 20:-20]
    assert (mixed[:, 159] & RISER_X).all() and (mixed[159] & RISER_Y).all()


def test_edge_is_continued_to_carry_robots_that_leave():
    terrain = build_map([make_tile("rough_discrete", 1.0, size=(4.0, 5.0))])
    assert terrain.heights.shape == (100 + 40, 80 + 40)
    np.testing.assert_array_equal(terrain.heights[:20], np.tile(terrain.heights[20], (20, 1)))
    np.testing.assert_array_equal(terrain.heights[:, -20:], np.tile(terrain.heights[:, -21:-20], (1, 20)))
    np.testing.assert_array_equal(terrain.risers, risers_where(terrain.heights))


def test_tiles_do_not_depend_on_the_other_types_in_the_bank(bank):
    alone = TrainingBank(("boxes",))
    number = list(TRAINING_TYPES).index("boxes")
    cells = np.array(list(np.ndindex(alone.types[0].shape)))
    padded = np.pad(cells, ((0, 0), (0, 3 - cells.shape[1])))
    for own, other in zip(
        alone.tile_index(np.zeros(len(cells), int), cells),
        bank.tile_index(np.full(len(cells), number), padded),
        strict=True,
    ):
        np.testing.assert_array_equal(alone.map.tiles[own].heights, bank.map.tiles[other].heights)


def test_seed_changes_the_bank():
    first, other = (TrainingBank(("large_step",), seed=seed).map.heights for seed in (0, 1))
    assert (first != other).any()


def test_second_bank_comes_from_the_cache_bit_for_bit(monkeypatch):
    made = TrainingBank(("rough", "stairs_open_up"))
    monkeypatch.setattr(cache, "generate", lambda *_: pytest.fail("generated again"))
    cached = TrainingBank(("rough", "stairs_open_up"))
    np.testing.assert_array_equal(made.map.heights, cached.map.heights)
    np.testing.assert_array_equal(made.map.risers, cached.map.risers)
    np.testing.assert_array_equal(made.map.tile_start_w, cached.map.tile_start_w)
    np.testing.assert_array_equal(made.map.floor, cached.map.floor)


@pytest.mark.parametrize("damage", [lambda content: content[:500], lambda content: b"junk", lambda content: b""])
def test_damaged_cache_is_made_again(cache_directory, damage):
    made = TrainingBank(("slope_up",)).map.heights
    (file,) = cache_directory.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    np.testing.assert_array_equal(TrainingBank(("slope_up",)).map.heights, made)
    np.testing.assert_array_equal(TrainingBank(("slope_up",)).map.heights, made)


def test_flipped_byte_in_the_cache_is_noticed(cache_directory):
    made = TrainingBank(("rough",)).map.heights
    (file,) = cache_directory.iterdir()
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    np.testing.assert_array_equal(TrainingBank(("rough",)).map.heights, made)


def test_cache_knows_seed_size_and_source(cache_directory, monkeypatch, tmp_path):
    requests = [cache.Request("rough", 1, {"amplitude": 0.1, "feature": 0.4})]
    other_seed = [cache.Request("rough", 2, {"amplitude": 0.1, "feature": 0.4})]
    names = {
        cache.digest(requests, (8.0, 8.0)),
        cache.digest(other_seed, (8.0, 8.0)),
        cache.digest(requests, (6.0, 6.0)),
    }
    monkeypatch.setattr(cache, "SOURCES", cache.SOURCES[:-1])
    assert len(names | {cache.digest(requests, (8.0, 8.0))}) == 4


def test_cache_that_cannot_be_written_is_no_error(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    assert TrainingBank(("flat",)).map.heights.max() == 0.0


def test_wrong_types_and_cells_get_one_clear_sentence():
    with pytest.raises(ValueError, match="choose among rough"):
        TrainingBank(("stairs",))
    with pytest.raises(ValueError, match="once"):
        TrainingBank(("flat", "flat"))
    with pytest.raises(ValueError, match="seed"):
        TrainingBank(("flat",), seed=-1)
    with pytest.raises(ValueError, match="sides"):
        TrainingBank(("flat",), tile_size=1.0)
    with pytest.raises(ValueError, match="outside"):
        TrainingBank(("flat", "slope_up")).tile_index(np.array([0]), np.array([[1]]))
    with pytest.raises(ValueError, match="at least one"):
        build_map([])
    with pytest.raises(ValueError, match="same size"):
        build_map([make_tile("flat"), make_tile("step_up")])
