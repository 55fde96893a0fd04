"""Elevation maps that fail when they should, as often as configured, and come back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from failing_maps import DT, REDRAW, ROBOTS, ROWS, Maps, at, hills

from envs.height_noise import COVERED, FAILURES, LEVELS, NEVER, FailureConfig, HeightNoise, MapFailures
from envs.height_noise.failures import FailureWeights


def test_a_sudden_failure_begins_and_ends_when_it_should() -> None:
    maps = Maps("blank", sudden=1.0, begins=(0.2, 0.6), lasts=(0.4, 0.8))
    fails = torch.stack([maps.failures.active().clone() for _ in range(100) if maps.walk(at()) is None])
    assert not fails[:8].any() and not fails[71:].any()
    lasts, begins = fails.sum(0) * DT, fails.float().argmax(0) * DT
    assert lasts.min() > 0.39 and lasts.max() < 0.81 and lasts.float().std() > 0.05
    assert begins.min() > 0.17 and begins.max() < 0.61
    assert (fails.int().diff(dim=0).abs().sum(0) == 2).all()
    assert not maps.look(at(), hills).isnan().any() and maps.failures.failed.all()


def test_a_map_that_is_made_to_fail_does_so_from_the_next_step_on_and_comes_back() -> None:
    maps, some = Maps(None, probability=0.0), ROWS[::2]
    maps.walk(at(x=0.5), 7)
    maps.failures.fail(some, FAILURES["blank"], 0.1)
    assert not maps.look(at(x=0.5), hills).isnan().any()
    for step in range(7):
        maps.walk(at(x=0.5))
        blank = maps.look(at(x=0.5), hills).isnan()
        assert not blank[1::2].any() and bool(blank[some].all()) == (step < 5) == bool(blank[some].any())
    assert torch.equal(maps.failures.failed, ROWS % 2 == 0)


def test_a_plane_that_begins_under_way_has_the_height_of_that_place() -> None:
    maps = Maps(None, probability=0.0, pose=at(z=0.0))
    maps.failures.fail(ROWS, FAILURES["plane"], 60.0)
    maps.walk(at(x=1.0, z=2.0))
    maps.walk(at(x=2.0, z=3.0))
    assert ((maps.look(at(x=2.0, z=3.0), hills) - 2.0).abs() < 0.301).all()


def test_sensors_covered_under_way_are_as_if_they_had_always_been() -> None:
    maps = Maps(None, probability=0.0)
    maps.failures.fail(ROWS, COVERED, 60.0)
    maps.walk(at(z=1.0))
    heights = maps.look(at(z=1.0), hills) - 1.0
    assert heights.std().item() == pytest.approx(LEVELS["covered"].missing_height, rel=0.02)


def test_samples_cannot_become_later_than_poses_are_kept() -> None:
    with pytest.raises(ValueError, match="so long ago"):
        Maps(None, probability=0.0).failures.fail(ROWS, FAILURES["late"], 1.0)


def test_failures_are_drawn_anew_in_the_middle_of_a_trajectory() -> None:
    maps = Maps(None, probability=1.0)
    before = maps.failures.sizes.clone()
    maps.walk(at(), REDRAW - 1)
    assert torch.equal(maps.failures.sizes, before)
    maps.walk(at())
    assert (maps.failures.sizes != before).any(dim=1).float().mean() > 0.9
    maps.failures.reset(ROWS, at(), 0.0)
    assert not maps.failures.failed.any() and not maps.failures.active().any()


def test_whether_maps_fail_in_an_episode_does_not_depend_on_how_long_it_lasts() -> None:
    """Else episodes that end soon, by falls, would count more in the terrain curriculum."""
    maps = Maps(None, probability=0.5, sudden=1.0, begins=(0.0, 10.0), lasts=(1.0, 10.0))
    before, met = maps.failures.failed.clone(), torch.zeros(ROBOTS, dtype=torch.bool)
    for _ in range(2 * REDRAW - 1):
        maps.walk(at())
        met |= maps.failures.active()
    assert torch.equal(maps.failures.failed, before) and torch.equal(met, before)
    assert before.float().mean().item() == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("factor", [1.0, 0.5, 0.0])
def test_kinds_come_in_their_shares_times_c_sk(factor: float) -> None:
    weights = FailureWeights(**{name: 0.0 for name in FAILURES} | {"blank": 3.0, "jump": 1.0})
    maps = Maps(None, probability=0.4, weights=weights)
    blank, jump = [], []
    for _ in range(25):
        maps.failures.reset(ROWS, at(), factor)
        fails = maps.failures.active()
        blank.append((fails & (maps.size("missing") == 1)).float().mean().item())
        jump.append((fails & (maps.size("rise") != 0)).float().mean().item())
    assert sum(blank) / 25 == pytest.approx(0.3 * factor, abs=0.015)
    assert sum(jump) / 25 == pytest.approx(0.1 * factor, abs=0.015)


def test_maps_that_never_fail_draw_nothing() -> None:
    maps = Maps(None, probability=NEVER.probability)
    before = maps.failures.generator.get_state()
    maps.walk(at(x=1.0), REDRAW + 1)
    maps.failures.reset(ROWS, at(), 1.0)
    assert torch.equal(maps.failures.generator.get_state(), before)
    assert maps.failures.shown(ROWS, at(), hills) is hills
    assert FailureConfig().probability > 0


def test_other_robots_keep_their_failures_when_some_start_anew() -> None:
    maps = Maps(None, probability=0.5)
    maps.walk(at(x=0.1), 30)
    before, some = maps.failures.state_dict(), torch.tensor([3, 70])
    maps.failures.reset(some, at(), 1.0)
    others = torch.ones(ROBOTS, dtype=torch.bool)
    others[some] = False
    for name, value in maps.failures.state_dict().items():
        rows = (slice(None), others) if name == "poses" else (others,)
        assert torch.equal(value[rows], before[name][rows])


def test_resume_of_failures_is_bit_exact() -> None:
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
        assert (failures.only, failures.probability, LEVELS[name].condition) == (name, 1.0, "nominal")
    assert all(LEVELS[name].failures == NEVER for name in ("nominal", "offset", "noisy", "small", "large", "covered"))
    dropout = LEVELS["dropout"].failures
    assert dropout.only == "blank" and dropout.begins[0] > 1 and dropout.begins[1] + dropout.lasts[1] < 8


def test_impossible_failures_are_refused() -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        FailureConfig(probability=1.2)
    with pytest.raises(ValueError, match="not all of them 0"):
        FailureConfig(weights=FailureWeights(**{name: 0.0 for name in FAILURES}))
    with pytest.raises(ValueError, match="shorter one first"):
        FailureConfig(begins=(3.0, 1.0))


def test_failing_and_sound_maps_do_not_mix() -> None:
    some, none = (
        Maps(None, probability=0.5, weights=replace(FailureWeights(), late=0.0, stuck=0.0)),
        Maps(None, probability=0.0),
    )
    seen, truth = some.look(at(), hills), none.look(at(), hills)
    fails = some.failures.active()
    assert torch.equal(seen[~fails], truth[~fails]) and 0.4 < fails.float().mean() < 0.6
    assert ((seen != truth).flatten(1).any(dim=1) | ~fails).float().mean() > 0.9


@pytest.mark.parametrize("name", ["frozen", "plane", "drift"])
def test_a_map_that_fails_in_play_does_so_to_the_end_of_a_long_episode(name: str) -> None:
    level, pose = LEVELS[name], at()
    noise = HeightNoise(level, ROBOTS, DT, torch.Generator())
    failures = MapFailures(level.failures, noise.redraw_steps, ROBOTS, DT, torch.Generator().manual_seed(0))
    failures.reset(ROWS, pose, 1.0)
    for _ in range(round(3.1 / DT)):
        failures.advance(pose)
    sizes = failures.sizes.clone()
    for _ in range(round(70.0 / DT)):
        failures.advance(pose)
        assert failures.active().all()
    assert torch.equal(failures.sizes, sizes)
