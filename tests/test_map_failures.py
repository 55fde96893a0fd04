"""Elevation maps that fail: each shows what such a map would show, when it should, and as often as configured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import pi
from typing import Any

import pytest
import torch
from einops import repeat
from torch import Tensor
from torch.testing import assert_close

from anymal_policy.layout import ring_offsets
from envs.height_noise import (
    FAILURES,
    LEVELS,
    NEVER,
    FailureConfig,
    FailureName,
    HeightNoise,
    HeightNoiseConfig,
    MapFailures,
    Pose,
)
from envs.height_noise.failures import FailureWeights
from envs.senses import ring_points

torch.set_num_threads(1)  # on a busy machine the barriers of small parallel operations take seconds
ROBOTS, DT, REDRAW = 400, 0.02, 500
ROWS = torch.arange(ROBOTS)
RINGS = torch.from_numpy(ring_offsets()).float()
FEET = torch.tensor([[0.4, 0.2, 0.03], [0.4, -0.2, 0.03], [-0.4, 0.2, 0.03], [-0.4, -0.2, 0.03]])
ALWAYS: dict[str, Any] = {"share": 1.0, "sudden": 0.0}
Ground = Callable[[Tensor], Tensor]


def at(x: float = 0.0, y: float = 0.0, z: float = 0.0, heading: float = 0.0) -> Pose:
    """Robots that stand with their soles at height z."""
    place = torch.tensor([x, y, z])
    feet = repeat(FEET + place, "foot xyz -> n foot xyz", n=ROBOTS)
    base = repeat(place + torch.tensor([0.0, 0.0, 0.55]), "xyz -> n xyz", n=ROBOTS)
    return Pose(feet, feet[..., 2] - 0.03, base, torch.full((ROBOTS,), heading))


class Maps:
    """Maps without S8's errors, and their failures."""

    def __init__(self, only: FailureName | None, seed: int = 0, pose: Pose | None = None, **changes: Any) -> None:
        generator = torch.Generator().manual_seed(seed)
        quiet = HeightNoiseConfig(cell_offset=0.0, missing_share=0.0)
        self.noise = HeightNoise(quiet, ROBOTS, DT, generator)
        self.noise.table[:] = 0.0
        self.failures = MapFailures(FailureConfig(only=only, **{**ALWAYS, **changes}), REDRAW, ROBOTS, DT, generator)
        self.noise.reset(ROWS)
        self.failures.reset(ROWS, at() if pose is None else pose, 1.0)

    def walk(self, pose: Pose, steps: int = 1) -> None:
        for _ in range(steps):
            self.failures.advance(pose, 1.0)

    def points(self) -> Tensor:
        return ring_points(*self.failures.looks_from(ROWS), RINGS)

    def look(self, pose: Pose, ground: Ground) -> Tensor:
        """Heights (n, 4, 52) m."""
        shown, holes = self.failures.shown(ROWS, pose, ground), self.failures.holes(ROWS, self.noise.holes(ROBOTS, 1.0))
        return self.noise.sample(ROWS, self.points(), pose.soles, shown, 1.0, holes)

    def size(self, name: str) -> Tensor:
        return self.failures.sizes[:, list(FAILURES["blank"]._fields).index(name)]


def level(points: Tensor) -> Tensor:
    return torch.zeros(len(points))


def hills(points: Tensor) -> Tensor:
    return (points[:, 0] * 3).sin() * 0.2 + points[:, 1].square()


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


def test_a_sudden_failure_begins_and_ends_when_it_should() -> None:
    maps = Maps("blank", sudden=1.0, begins=(0.2, 0.6), lasts=(0.4, 0.8))
    fails = torch.stack([maps.failures.active().clone() for _ in range(100) if maps.walk(at()) is None])
    assert not fails[:8].any() and not fails[71:].any()
    lasts, begins = fails.sum(0) * DT, fails.float().argmax(0) * DT
    assert lasts.min() > 0.39 and lasts.max() < 0.81 and lasts.float().std() > 0.05
    assert begins.min() > 0.17 and begins.max() < 0.61
    assert (fails.int().diff(dim=0).abs().sum(0) == 2).all()
    assert not maps.look(at(), hills).isnan().any() and maps.failures.failed.all()


def test_failures_are_drawn_anew_in_the_middle_of_a_trajectory() -> None:
    maps = Maps(None, share=0.5)
    before = maps.failures.active().clone()
    maps.walk(at(), REDRAW - 1)
    assert torch.equal(maps.failures.active(), before)
    maps.walk(at())
    assert (maps.failures.active() != before).float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert maps.failures.failed.float().mean().item() == pytest.approx(0.75, abs=0.08)
    maps.failures.reset(ROWS, at(), 0.0)
    assert not maps.failures.failed.any() and not maps.failures.active().any()


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
def test_kinds_come_in_their_shares_times_c_sk(factor: float) -> None:
    weights = FailureWeights(**{name: 0.0 for name in FAILURES} | {"blank": 3.0, "jump": 1.0})
    maps = Maps(None, share=0.4, weights=weights)
    blank, jump = [], []
    for _ in range(25):
        maps.failures.reset(ROWS, at(), factor)
        fails = maps.failures.active()
        blank.append((fails & (maps.size("missing") == 1)).float().mean().item())
        jump.append((fails & (maps.size("rise") != 0)).float().mean().item())
    assert sum(blank) / 25 == pytest.approx(0.3 * factor, abs=0.015)
    assert sum(jump) / 25 == pytest.approx(0.1 * factor, abs=0.015)


def test_maps_that_never_fail_draw_nothing() -> None:
    maps = Maps(None, share=NEVER.share)
    before = maps.failures.generator.get_state()
    maps.walk(at(x=1.0), REDRAW + 1)
    maps.failures.reset(ROWS, at(), 1.0)
    assert torch.equal(maps.failures.generator.get_state(), before)
    assert maps.failures.shown(ROWS, at(), hills) is hills
    assert FailureConfig().share > 0


def test_other_robots_keep_their_failures_when_some_start_anew() -> None:
    maps = Maps(None, share=0.5)
    maps.walk(at(x=0.1), 30)
    before, some = maps.failures.state_dict(), torch.tensor([3, 70])
    maps.failures.reset(some, at(), 1.0)
    others = torch.ones(ROBOTS, dtype=torch.bool)
    others[some] = False
    for name, value in maps.failures.state_dict().items():
        rows = (slice(None), others) if name == "poses" else (others,)
        assert torch.equal(value[rows], before[name][rows])


def test_restored_failures_go_on_with_the_same_bits() -> None:
    maps, other = (Maps(None, seed=seed) for seed in (1, 2))
    maps.walk(at(x=0.1), 300)
    other.failures.load_state_dict(maps.failures.state_dict())
    other.noise.load_state_dict(maps.noise.state_dict())
    other.failures.generator.set_state(maps.failures.generator.get_state())
    for step in range(250):
        for each in (maps, other):
            each.walk(at(x=0.01 * step))
        assert torch.equal(maps.failures.active(), other.failures.active())
    seen = [each.look(at(x=2.5), hills).nan_to_num(-9.0) for each in (maps, other)]
    assert torch.equal(*seen)


def test_every_failure_is_a_level_of_noise_that_holds_it() -> None:
    for name in FAILURES:
        failures = LEVELS[name].failures
        assert (failures.only, failures.share, LEVELS[name].condition) == (name, 1.0, "nominal")
    assert all(LEVELS[name].failures == NEVER for name in ("nominal", "offset", "noisy", "small", "large", "covered"))
    dropout = LEVELS["dropout"].failures
    assert dropout.only == "blank" and dropout.begins[0] > 1 and dropout.begins[1] + dropout.lasts[1] < 8


def test_impossible_failures_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        FailureConfig(share=1.2)
    with pytest.raises(ValueError, match="not all at 0"):
        FailureConfig(weights=FailureWeights(**{name: 0.0 for name in FAILURES}))
    with pytest.raises(ValueError, match="shorter one first"):
        FailureConfig(begins=(3.0, 1.0))


def test_failing_and_sound_maps_do_not_mix() -> None:
    some, none = Maps(None, share=0.5, weights=replace(FailureWeights(), late=0.0, stuck=0.0)), Maps(None, share=0.0)
    seen, truth = some.look(at(), hills), none.look(at(), hills)
    fails = some.failures.active()
    assert torch.equal(seen[~fails], truth[~fails]) and 0.4 < fails.float().mean() < 0.6
    assert ((seen != truth).flatten(1).any(dim=1) | ~fails).float().mean() > 0.9
