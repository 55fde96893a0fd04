from __future__ import annotations

from math import radians, tan

import numpy as np
import pytest

from envs.terrains import FAMILIES, make_tile
from envs.terrains.grid import RISER_X, RISER_Y
from envs.terrains.natural import perlin

SMOOTH = {"flat", "rough", "slope_up", "slope_down"}
PATHS = {name for name, family in FAMILIES.items() if family.path}
OVERHANGING = {name for name, family in FAMILIES.items() if family.recess is not None}
LANES = {name for name, family in FAMILIES.items() if family.heading is not None}


def walk_east(tile):
    """Heights from the start along +x."""
    return tile.heights[round(tile.start[1] / 0.05), round(tile.start[0] / 0.05) :]


def riser_places(profile):
    """Distance in m from the first sample at which each step stands, and its rise."""
    rise = np.diff(profile.astype(float))
    at = np.flatnonzero(abs(rise) > 1e-6)
    return (at + 1) * 0.05, rise[at]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_robot_starts_on_flat_ground(name, difficulty):
    tile = make_tile(name, difficulty, seed=3)
    ny, nx = tile.heights.shape
    y, x = np.mgrid[:ny, :nx] * 0.05
    near = np.hypot(x - tile.start[0], y - tile.start[1]) <= (0.57 if name in PATHS else 0.7)
    assert near.sum() > 400
    assert np.ptp(tile.heights[near]) == 0.0
    assert tile.start_height == tile.heights[near][0]
    assert tile.heights.dtype == np.float32 and np.isfinite(tile.heights).all()


@pytest.mark.parametrize("name", FAMILIES)
def test_risers_are_marked_exactly_where_level_pieces_meet(name):
    tile = make_tile(name, 1.0, seed=1)
    jump_x, jump_y = (abs(np.diff(tile.heights, axis=axis)) > 1e-4 for axis in (1, 0))
    if name in SMOOTH:
        jump_x, jump_y = np.zeros_like(jump_x), np.zeros_like(jump_y)
    np.testing.assert_array_equal((tile.risers[:, :-1] & RISER_X) > 0, jump_x)
    np.testing.assert_array_equal((tile.risers[:-1] & RISER_Y) > 0, jump_y)
    assert not (tile.risers[:, -1] & RISER_X).any() and not (tile.risers[-1] & RISER_Y).any()


@pytest.mark.parametrize("name", sorted((set(FAMILIES) - LANES - {"flat"}) | PATHS))
def test_harder_means_higher(name):
    spans = [np.ptp(make_tile(name, difficulty, seed=2).heights) for difficulty in (0.0, 0.5, 1.0)]
    assert spans[0] < spans[1] < spans[2]


def test_rough_at_half_difficulty_is_five_centimetres():
    heights = make_tile("rough", 0.5, seed=4).heights
    assert abs(heights).max() == pytest.approx(0.05, abs=1e-6)
    assert heights.min() < -0.03 and heights.max() > 0.03


def test_rough_bumps_are_as_large_as_a_foot_step():
    heights = make_tile("rough", 1.0, seed=5).heights[:50]
    crossings = (np.diff(np.sign(heights), axis=1) != 0).sum() / heights.shape[0]
    assert 0.1 < 8.0 / crossings < 0.4


def test_perlin_noise_vanishes_on_its_lattice_and_has_no_kink():
    noise = perlin((81, 81), 8.0, np.random.default_rng(0))
    np.testing.assert_allclose(noise[::8, ::8], 0.0, atol=1e-12)
    assert max(abs(np.diff(noise, 2, axis=axis)).max() for axis in (0, 1)) < 0.12
    assert 0.15 < noise.std() < 0.35


@pytest.mark.parametrize("levels", [2, 3, 5, 8])
def test_discrete_rough_has_equally_spaced_levels(levels):
    heights = make_tile("rough_discrete", seed=6, amplitude=0.1, levels=levels).heights
    grid = np.linspace(-0.1, 0.1, levels)
    assert len(np.unique(heights.round(6))) <= levels
    assert abs(heights[..., None] - grid).min(axis=-1).max() < 1e-6
    assert abs(heights).max() == pytest.approx(0.1, abs=1e-6)


def test_large_step_has_two_levels_and_meets_the_robot_on_every_side():
    for seed in range(8):
        tile = make_tile("large_step", seed=seed, height=0.3)
        np.testing.assert_allclose(np.unique(tile.heights), [0.0, 0.3], atol=1e-7)
        heights = tile.heights
        for profile in (heights[80, 80:], heights[80, 80::-1], heights[80:, 80], heights[80::-1, 80]):
            assert 0.75 <= riser_places(profile)[0][0] <= 1.1


def test_large_step_starts_on_either_level():
    assert {round(make_tile("large_step", seed=seed, height=0.3).start_height, 3) for seed in range(8)} == {0.0, 0.3}


def test_step_stair_goes_up_and_down_by_one_height():
    rises = np.concatenate(
        [riser_places(walk_east(make_tile("step_stair", seed=s, height=0.2, width=1.0)))[1] for s in range(8)]
    )
    np.testing.assert_allclose(abs(rises), 0.2, atol=1e-6)
    assert (rises > 0).any() and (rises < 0).any()


def test_grid_steps_are_columns_of_their_width_around_their_mean_height():
    tile = make_tile("grid_steps", seed=7, height=0.2, width=0.45)
    edges = np.flatnonzero((tile.risers[:40] & RISER_X).any(axis=0))
    assert set(np.diff(edges)) == {9}
    assert tile.heights.min() >= 0.1 - 1e-6 and tile.heights.max() <= 0.3 + 1e-6
    assert tile.heights.mean() == pytest.approx(0.2, abs=0.01)
    assert tile.heights.std() == pytest.approx(0.2 / np.sqrt(12), rel=0.15)


@pytest.mark.parametrize(
    ("name", "parameter", "small", "large"),
    [("large_step", "width", 1.2, 2.4), ("step_stair", "width", 0.6, 1.2), ("grid_steps", "width", 0.3, 0.6)]
    + [(name, "feature", 0.3, 0.6) for name in ("rough", "rough_discrete")],
)
def test_sizes_of_terrain_are_those_asked_for(name, parameter, small, large):
    def changes(size):
        """Places along rows and seeds where level ground ends, or the slope changes its sign."""
        rises = [
            np.diff(make_tile(name, 1.0, seed=seed, **{parameter: size}).heights[::7], axis=1) for seed in range(6)
        ]
        turns = [np.diff(np.sign(rise), axis=1) if name == "rough" else rise for rise in rises]
        return sum(np.count_nonzero(abs(turn) > 1e-6) for turn in turns)

    assert changes(small) / changes(large) == pytest.approx(2.0, rel=0.35)


def test_twice_the_density_is_twice_the_boxes():
    sparse, dense = (
        np.mean([(make_tile("boxes", 1.0, seed=seed, density=density).heights > 0).mean() for seed in range(8)])
        for density in (0.2, 0.4)
    )
    assert 1.6 < dense / sparse < 2.1, "boxes may lie on one another"


def test_boxes_stay_below_their_height_and_cover_a_part_of_the_ground():
    heights = make_tile("boxes", 1.0, seed=8).heights
    assert heights.min() == 0.0 and 0.2 < heights.max() <= 0.25
    assert 0.1 < (heights > 0).mean() < 0.45


@pytest.mark.parametrize("direction", [1, -1])
def test_stairs_begin_at_the_platform_and_are_even(direction):
    tile = make_tile("stairs_standard", height=0.15, depth=0.3, direction=direction)
    at, rise = riser_places(walk_east(tile))
    np.testing.assert_allclose(at, 0.8 + 0.3 * np.arange(len(at)))
    np.testing.assert_allclose(rise, 0.15 * direction, atol=1e-6)
    assert len(at) == 11


def test_stairs_are_the_same_on_all_sides():
    around_start = make_tile("stairs_random", seed=9).heights[1:, 1:]
    np.testing.assert_array_equal(around_start, np.rot90(around_start))


def test_random_stairs_multiply_each_step_by_a_normal_factor():
    tiles = [make_tile("stairs_random", seed=s, size=(60.0, 3.0), height=0.1, depth=1.0) for s in range(12)]
    at, rise = zip(*(riser_places(walk_east(tile)) for tile in tiles), strict=True)
    height_factor = np.concatenate(rise) / 0.1
    depth_factor = np.concatenate([np.diff(places) for places in at]) / 1.0
    for factor in (height_factor, depth_factor):
        assert factor.mean() == pytest.approx(1.0, abs=0.04)
        assert factor.std() == pytest.approx(0.2, abs=0.03)
    assert abs(np.corrcoef(height_factor[: len(depth_factor)], depth_factor)[0, 1]) < 0.2


@pytest.mark.parametrize(("name", "sign"), [("slope_up", 1), ("slope_down", -1)])
def test_slope_is_an_angle_in_degrees(name, sign):
    profile = walk_east(make_tile(name, slope=20.0))
    np.testing.assert_allclose(np.diff(profile[20:]) / 0.05, sign * tan(radians(20.0)), rtol=1e-4)


@pytest.mark.parametrize(("name", "sign"), [("step_up", 1), ("step_down", -1)])
def test_step_lane_is_one_step_across_its_full_width_a_metre_ahead(name, sign):
    tile = make_tile(name, height=0.25)
    assert tile.size == pytest.approx((10.0, 5.0)) and tile.start == (1.5, 2.5) and tile.heading == 0.0
    assert (tile.heights == tile.heights[:1]).all()
    at, rise = riser_places(walk_east(tile))
    np.testing.assert_allclose(at, [1.0])
    np.testing.assert_allclose(rise, [0.25 * sign], atol=1e-7)


@pytest.mark.parametrize("depth", [0.25, 0.3, 0.4, 1.0])
@pytest.mark.parametrize(("name", "sign"), [("stairs_up", 1), ("stairs_down", -1)])
def test_stairs_lane_goes_on_for_three_and_a_half_metres_then_lands(name, sign, depth):
    tile = make_tile(name, height=0.17, depth=depth)
    at, rise = riser_places(walk_east(tile))
    np.testing.assert_allclose(at, 1.0 + depth * np.arange(len(at)))
    np.testing.assert_allclose(rise, 0.17 * sign, atol=1e-6)
    assert depth * len(at) >= 3.5 - 1e-9
    assert tile.size[0] - tile.start[0] - at[-1] >= 1.0


def test_overhanging_stairs_are_standard_stairs_from_above():
    names = {"stairs_open", "stairs_ledged"}
    assert names | {f"{name}_{way}" for name in names for way in ("up", "down")} == OVERHANGING
    for name in OVERHANGING:
        way = name.split("_")[2:]
        solid = make_tile("_".join(("stairs", *(way or ["standard"]))), height=0.15, depth=0.3)
        np.testing.assert_array_equal(make_tile(name, height=0.15, depth=0.3).heights, solid.heights)
        assert solid.floor is None


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("depth", [0.25, 0.3, 0.6])
def test_open_stairs_have_a_hollow_of_one_step_under_every_tread(direction, depth):
    tile = make_tile("stairs_open", height=0.15, depth=depth, direction=direction)
    hollow = tile.heights - tile.floor
    at, _ = riser_places(walk_east(tile))
    first = 80 + round(at[0] / 0.05) if direction > 0 else 80 + round((at[0] - depth) / 0.05)
    last = 159 if direction > 0 else 80 + round(at[-1] / 0.05)
    np.testing.assert_allclose(hollow[80, first:last], 0.15, atol=1e-6)
    np.testing.assert_array_equal(hollow[80, 80:first], 0.0)
    np.testing.assert_array_equal(hollow[80, last:], 0.0)
    np.testing.assert_array_equal(hollow[[0, -1]], 0.0)


@pytest.mark.parametrize("way", ["up", "down"])
def test_ledges_stick_out_by_five_centimetres(way):
    tile = make_tile(f"stairs_ledged_{way}", height=0.15, depth=0.3)
    hangs = tile.floor < tile.heights
    assert not hangs[[0, -1]].any() and (hangs[1:-1] == hangs[50]).all()
    plates = np.flatnonzero(hangs[50])
    at, _ = riser_places(walk_east(tile))
    np.testing.assert_array_equal(plates, 30 + np.round(at / 0.05) - (way == "down"))
    np.testing.assert_allclose((tile.heights - tile.floor)[50, plates], 0.15, atol=1e-6)


@pytest.mark.parametrize("name", sorted(OVERHANGING))
def test_steps_no_higher_than_a_plate_are_solid(name):
    tile = make_tile(name, height=0.04)
    np.testing.assert_array_equal(tile.floor, tile.heights)


def test_depth_is_rounded_to_the_grid():
    at, _ = riser_places(walk_east(make_tile("stairs_up", height=0.1, depth=0.29)))
    np.testing.assert_allclose(np.diff(at), 0.3)


def test_same_seed_same_ground():
    for name in ("rough", "boxes", "grid_steps", "stairs_random", "large_step"):
        first, again, other = (make_tile(name, 0.8, seed=seed) for seed in (11, 11, 12))
        np.testing.assert_array_equal(first.heights, again.heights)
        assert (first.heights != other.heights).any()
