"""Elevation maps that fail: each shows what such a map would show."""

from __future__ import annotations

from math import pi

import pytest
import torch
from einops import repeat
from failing_maps import DT, RINGS, ROBOTS, ROWS, Ground, Maps, at, hills, level
from torch.testing import assert_close

from envs.sensors import ring_points


def test_a_blank_map_knows_nothing() -> None:
    maps = Maps("blank")
    assert maps.look(at(), hills).isnan().all()


def test_covered_sensors_invent_heights_about_the_sole_each_robot_with_its_own_spread() -> None:
    heights = Maps("invented").look(at(z=2.0), hills) - 2.0
    spread = heights.flatten(1).std(dim=1)
    assert heights.mean().abs() < 0.01
    assert spread.min() < 0.02 and 0.55 < spread.max() < 0.65
    assert spread.mean().item() == pytest.approx(0.3, rel=0.1)


def test_a_plane_has_the_height_where_the_failure_began_and_none_of_the_ground() -> None:
    maps = Maps("plane", pose=at(z=1.0))
    maps.walk(at(x=1.0, z=1.5), 3)
    heights = maps.look(at(x=1.0, z=1.5), hills)
    assert_close(heights, heights[:, :1, :1].expand_as(heights))
    off = heights[:, 0, 0] - 1.0
    assert (off.abs() < 0.301).all() and off.std().item() == pytest.approx(0.3 / 3**0.5, rel=0.1)
    assert off.mean().abs() < 0.03


def test_relief_from_elsewhere_is_that_of_another_place_at_the_level_of_here() -> None:
    maps = Maps("elsewhere")
    truth, shown = maps.points()[..., 0] * 2.0, maps.look(at(), lambda points: points[:, 0] * 2.0)
    assert_close(shown, truth, atol=1e-5, rtol=0)
    lone = maps.look(at(), hills)
    turn, away = maps.failures.turn, maps.size("shift")
    there = maps.points() + repeat(away.unsqueeze(-1) * torch.stack([turn.cos(), turn.sin()], -1), "n xy -> n 1 1 xy")
    relief = hills(there.reshape(-1, 2)).reshape(lone.shape)
    here = hills(maps.points().reshape(-1, 2)).reshape(lone.shape).mean(dim=(1, 2), keepdim=True)
    assert_close(lone, relief - relief.mean(dim=(1, 2), keepdim=True) + here, atol=1e-4, rtol=1e-4)
    assert away.min() >= 0.4 and away.max() <= 3.4


def test_a_frozen_map_ends_at_a_distance_from_where_it_froze() -> None:
    maps = Maps("frozen", pose=at(x=5.0))
    maps.walk(at(x=7.0, heading=1.0))
    heights, points = maps.look(at(x=7.0), hills), maps.points()
    inside = (points - torch.tensor([5.0, 0.0])).norm(dim=-1) <= repeat(maps.size("edge"), "n -> n 1 1")
    assert torch.equal(heights.isnan(), ~inside)
    assert_close(heights[inside], hills(points[inside]))
    assert 0.1 < inside.float().mean() < 0.9


def test_a_jump_lifts_or_lowers_all_of_the_map() -> None:
    heights = Maps("jump").look(at(), level)
    off = heights[:, 0, 0]
    assert_close(heights, heights[:, :1, :1].expand_as(heights))
    assert off.abs().min() > 0.299 and off.abs().max() <= 2.5
    assert (off > 0).float().mean().item() == pytest.approx(0.5, abs=0.08)


def test_a_corridor_stands_on_both_sides_of_the_robot_as_it_was() -> None:
    began = at(x=1.0, y=1.0, heading=pi / 2)
    maps = Maps("corridor", pose=began)
    maps.failures.turn[:] = 0.0
    maps.walk(at(x=1.0, y=1.5, heading=0.3))
    walls = maps.look(at(x=1.0, y=1.5), level)
    across = (maps.points()[..., 0] - 1.0).abs()
    gap, height = (repeat(maps.size(name), "n -> n 1 1") for name in ("gap", "wall"))
    assert_close(walls, height * (across > gap))
    assert walls.any()


def test_a_wall_stands_to_the_left_of_a_robot_whose_failure_is_not_turned() -> None:
    maps = Maps("wall")
    maps.failures.turn[:] = 0.0
    walls, points = maps.look(at(), level), maps.points()
    expected = points[..., 1] > repeat(maps.size("gap"), "n -> n 1 1")
    assert torch.equal(walls > 0, expected) and expected.any()
    maps.failures.turn[:] = -pi / 2
    assert torch.equal(maps.look(at(), level) > 0, points[..., 0] > repeat(maps.size("gap"), "n -> n 1 1"))


def test_holes_know_nothing_and_the_rest_is_true() -> None:
    maps = Maps("holes")
    heights = maps.look(at(), hills)
    missing = heights.isnan()
    assert missing.float().mean().item() == pytest.approx(0.4, abs=0.02)
    assert_close(heights[~missing], hills(maps.points()[~missing]))


def test_partial_loss_spares_some_feet() -> None:
    maps = Maps("partial")
    missing = maps.look(at(), hills).isnan()
    assert torch.equal(missing & ~repeat(maps.failures.feet, "n foot -> n foot 52"), torch.zeros_like(missing))
    assert maps.failures.feet.float().mean().item() == pytest.approx(0.625, abs=0.03)


def test_late_samples_are_those_of_where_the_feet_were() -> None:
    maps = Maps("late")
    for step in range(1, 31):
        maps.walk(at(x=0.01 * step))
    ahead = maps.look(at(x=0.3), lambda points: points[:, 0])
    truth = ring_points(at(x=0.3).foot_position[..., :2], torch.zeros(ROBOTS), RINGS)[..., 0]
    lag = (truth - ahead)[:, 0, 0] / 0.01 * DT
    assert_close(lag, maps.size("late"), atol=0.0101, rtol=0)
    assert lag.min() > 0.195 and lag.max() < 0.405 and lag.std() > 0.05


def test_late_samples_at_the_start_of_an_episode_are_of_its_start() -> None:
    maps = Maps("late")
    maps.walk(at(x=8.0), 50)
    maps.failures.reset(ROWS, at(x=3.0), 1.0)
    assert_close(maps.points(), ring_points(at(x=3.0).foot_position[..., :2], torch.zeros(ROBOTS), RINGS))


def test_a_map_drifts_with_the_root_of_the_way_and_not_with_time() -> None:
    maps = Maps("drift")
    maps.walk(at(), 100)
    assert not maps.failures.drifted.any()
    for step in range(1, 101):
        maps.walk(at(x=0.04 * step))
    expected = repeat(maps.size("drift") * 4.0**0.5, "n -> n xyz", xyz=3)
    assert (maps.failures.drifted / expected).std().item() == pytest.approx(1.0, rel=0.08)
    heights = maps.look(at(x=4.0), lambda points: points[:, 0])
    shifted = maps.failures.drifted[:, 0] + maps.failures.drifted[:, 2]
    assert_close(heights - maps.points()[..., 0], repeat(shifted, "n -> n 4 52"), atol=1e-4, rtol=0)


def test_a_wall_hides_all_that_is_behind_it_and_a_low_ridge_no_more_than_its_shadow() -> None:
    maps = Maps("shadow")

    def ridge(height: float) -> Ground:
        return lambda points: height * ((points[:, 0] > 0.45) & (points[:, 0] < 0.6)).float()

    x = maps.points()[..., 0]
    high = maps.look(at(), ridge(1.0)).isnan()
    assert not high[x < 0.4].any()
    assert high[x > 0.65].all()
    low = maps.look(at(), ridge(0.1)).isnan()
    end = 0.6 * 0.6 / (0.6 - 0.1)  # m, of the shadow of a ridge that ends at 0.6 m, under an eye 0.6 m high
    assert low.any() and not low[x > end].any()


def test_only_stuck_maps_are_stuck_and_only_after_they_began() -> None:
    maps = Maps("stuck")
    assert not maps.failures.stuck().any()
    maps.walk(at())
    assert maps.failures.stuck().all()
    blank = Maps("blank")
    blank.walk(at())
    assert not blank.failures.stuck().any()
