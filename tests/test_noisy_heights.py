"""The heights that a Student sees: of which age, of which place, and how a failing map shows in them."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from noisy_worlds import actions, rollout, sensors_of, stairs
from torch import Tensor
from torch.testing import assert_close
from worlds import environment

from anymal_policy import layout
from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.height_noise import LEVELS, FailureConfig, FailureName, HeightNoiseConfig
from envs.robot import FOOT_RADIUS
from envs.sensors import ring_points

DELAYED = replace(LEVELS["none"], map_rate=20.0)
"""A perfect map that is renewed at 20 Hz."""


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def heights_seen(env: AnymalEnv) -> Tensor:
    return env.get_observations()["extero_noisy"].unflatten(-1, (4, 52))


def test_points_of_the_map_lie_on_rings_that_turn_with_the_robot() -> None:
    offsets = torch.tensor([[0.3, 0.0], [0.0, 0.1]])
    feet = torch.tensor([[[1.0, 2.0], [5.0, 5.0]]])
    points = ring_points(feet, torch.tensor([torch.pi / 2]), offsets)
    assert_close(points, torch.tensor([[[[1.0, 2.3], [0.9, 2.0]], [[5.0, 5.3], [4.9, 5.0]]]]))


def test_samples_are_those_of_a_map_up_to_50_ms_old_under_the_present_foot() -> None:
    env = stairs(height_noise=DELAYED)
    offsets = torch.from_numpy(layout.ring_offsets()).float()
    where, ages = [], []
    for action in actions(env, 25):
        env.step(action)
        s = env.state
        points = ring_points(s.foot_position_w[..., :2], s.heading, offsets)
        where.append(torch.from_numpy(env.surface.height(points.reshape(-1, 2).numpy())).reshape(4, 4, 52))
        if len(where) < 3:
            continue
        absolute = heights_seen(env) + s.foot_position_w[..., 2:] - FOOT_RADIUS
        wrong = torch.stack([(absolute - where[-1 - age]).abs().mean(dim=(1, 2)) for age in range(3)])
        assert (wrong.min(dim=0).values < 1e-5).all()
        ages.append(wrong.argmin(dim=0))
    count = torch.stack(ages).flatten().bincount(minlength=3)
    assert (count / count.sum()).tolist() == pytest.approx([0.4, 0.4, 0.2], abs=0.1)


def test_a_map_may_show_what_is_not_there() -> None:
    env = stairs(height_noise=DELAYED)
    sensors_of(env).query = lambda points: sensors_of(env).true_heights(points) + 0.5
    for action in actions(env, 4):
        env.step(action)
    error = heights_seen(env) - env.get_observations()["extero"].unflatten(-1, (4, 52))
    assert error.median().item() == pytest.approx(0.5, abs=0.03)


def test_a_blank_map_reads_as_level_ground_under_each_sole_wherever_it_moves() -> None:
    env = stairs(height_noise=LEVELS["blank"])
    for action in actions(env, 8):
        env.step(action)
        assert not env.get_observations()["extero_noisy"].any()
        assert env.get_observations()["extero"].any()


def test_heights_out_of_reach_are_limited_in_clean_and_noisy_groups_alike() -> None:
    env = stairs(height_noise=DELAYED, num_envs=2)
    sensors_of(env).query = lambda points: sensors_of(env).true_heights(points) + 5.0
    env.surface.map.heights[:] += 3.0
    for action in actions(env, 3):
        env.step(action)
    for group in ("extero", "extero_noisy"):
        assert (env.get_observations()[group] == 1.0).all()
    assert (env.state.height_samples > 1.5).all()


def seen_while_failing(kind: FailureName) -> list[Tensor]:
    """What robots on stairs see in 20 steps, of which the maps fail from 0.1 to 0.3 s."""
    failures = FailureConfig(1.0, kind, sudden=1.0, begins=(0.1, 0.1), lasts=(0.2, 0.2))
    env = stairs(height_noise=replace(DELAYED, factor=1.0, condition="nominal", failures=failures))
    seen = []
    for action in actions(env, 20):
        env.step(action)
        seen.append(env.get_observations()["extero_noisy"])
    return seen


def test_stuck_samples_do_not_change_while_the_robot_moves() -> None:
    changes = [bool((a != b).any()) for a, b in pairwise(seen_while_failing("stuck"))]
    assert changes == [True] * 4 + [False] * 9 + [True] * 6


def test_a_map_that_fails_in_the_middle_of_an_episode_comes_back() -> None:
    blank = [(seen == 0).all(dim=1) for seen in seen_while_failing("blank")]
    share = torch.stack(blank).float().mean(dim=1).tolist()
    assert share[:4] == [0.0] * 4 and share[6:14] == [1.0] * 8 and share[16:] == [0.0] * 4


def test_episodes_with_a_failed_map_do_not_count_in_the_terrain_curriculum() -> None:
    def counted(share: float) -> float:
        failures = FailureConfig(probability=share, sudden=1.0, begins=(0.1, 0.1), lasts=(0.1, 0.1))
        noise = HeightNoiseConfig(factor=1.0, failures=failures)
        walking = CommandConfig(fixed=(0.7, 0.0, 0.0))
        env = environment(40, noisy_groups=True, height_noise=noise, episode_seconds=0.4, commands=walking)
        rollout(env, 21)
        counts = env.placement.export_state()
        return float((counts["successes"] + counts["failures"]).sum())

    assert (counted(0.0), counted(1.0)) == (40, 0)
    assert 5 < counted(0.5) < 35


def test_the_noise_follows_its_schedule_in_samples() -> None:
    ramp = HeightNoiseConfig(start_steps=10, full_steps=30)
    env = environment(5, noisy_groups=True, height_noise=ramp)
    factors = []
    for action in actions(env, 7):
        factors.append(env.metrics()["curriculum/c_sk"])
        env.step(action)
    assert factors == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75, 1])
    assert "curriculum/c_sk" not in environment(2).metrics()
