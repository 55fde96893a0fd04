"""The environment as a contract: what a step gives back, and when episodes end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rollouts import WILD, actions, rollout, same
from torch.testing import assert_close
from worlds import PROPRIO, TAME, environment, observed, plane_tile

from envs import rewards
from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import EnvConfig
from envs.curriculum import CurriculumConfig
from envs.randomization import NONE
from envs.tasks import TASKS, task_config


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def turn_over(env: AnymalEnv, row: int) -> None:
    """Lift a robot and lay it on its back in the air."""
    env.simulation.qpos[row, 2:7] = 3.0, 0.0, 1.0, 0.0, 0.0


def test_spaces_have_the_sizes_that_the_agents_expect() -> None:
    env = environment(3)
    groups = {name: tuple(group.shape) for name, group in env.get_observations().items()}
    assert groups == {"proprio": (3, 133), "extero": (3, 208), "privileged": (3, 50), "caution": (3, 1)}
    assert (env.num_actions, env.num_envs, env.max_episode_length) == (16, 3, 1000)
    _, reward, done, extras = env.step(torch.zeros(3, 16))
    for value, dtype in ((reward, torch.float32), (done, torch.bool), (extras["time_outs"], torch.bool)):
        assert (value.shape, value.dtype) == ((3,), dtype)


def test_what_a_step_has_given_never_changes_afterwards() -> None:
    env = environment(4, **WILD)
    kept = [group for _, group in sorted(env.get_observations().items())]
    before = [value.clone() for value in kept]
    for action in actions(env, 60):
        observations, reward, done, extras = env.step(action)
        kept += [*observations.values(), reward, done, *extras.values()]
        before += [value.clone() for value in (*observations.values(), reward, done, *extras.values())]
    assert same(kept, before)


def test_every_step_gives_tensors_and_extras_of_its_own() -> None:
    env = environment(2)
    first, second = env.step(torch.zeros(2, 16)), env.step(torch.zeros(2, 16))
    assert first[3] is not second[3]
    assert first[0] is not second[0]
    assert env.get_observations() is second[0]


def test_actions_are_not_changed() -> None:
    env = environment(2)
    action = torch.tensor([[torch.nan, 100.0, *[0.5] * 14]] * 2)
    before = action.clone()
    env.step(action)
    assert torch.equal(action.nan_to_num(7.0), before.nan_to_num(7.0))
    assert_close(observed(env, "phase_offset")[0, :2], torch.tensor([0.0, 10.0]))


def test_looking_changes_nothing() -> None:
    env, other = environment(3, **WILD), environment(3, **WILD)
    for _ in range(3):
        env.get_observations(), env.metrics(), env.state_dict()
    assert same(rollout(env, 5), rollout(other, 5))


def test_reward_is_the_sum_of_the_weighted_terms_and_a_fall_costs_once() -> None:
    env = environment(2, **TAME, rewards=replace(rewards.RewardWeights(), foot_lift=0.0))  # it falls from 3 m
    turn_over(env, 1)
    _, reward, done, _ = env.step(torch.zeros(2, 16))
    assert done.tolist() == [False, True]
    terms = rewards.weighted_terms(env.state, env.cfg.rewards, env.cfg.dt)
    assert_close(reward[0], terms.sum(0)[0])
    assert -1.3 < reward[1].item() < -0.9


def test_a_fall_is_no_time_out_and_the_end_of_time_is_no_fall() -> None:
    env = environment(3, **TAME, episode_seconds=0.1)
    env.episode_length_buf[:] = torch.tensor([4, 4, 0])
    turn_over(env, 1)
    _, _, done, extras = env.step(torch.zeros(3, 16))
    assert done.tolist() == [True, True, False]
    assert extras["time_outs"].tolist() == [True, False, False]
    assert extras["falls"].tolist() == [False, True, False]
    assert env.episode_length_buf.tolist() == [0, 0, 1]


@pytest.mark.parametrize("axis", [0, 1])
def test_crossing_the_border_of_the_tile_is_a_time_out(axis: int) -> None:
    env = environment(2, [plane_tile(side=4.0)], **TAME)
    env.simulation.qpos[0, axis] += 1.0
    env.simulation.qpos[1, axis] += 1.45
    _, reward, done, extras = env.step(torch.zeros(2, 16))
    assert done.tolist() == extras["time_outs"].tolist() == [False, True]
    assert reward[1] > -0.5
    assert env.state.base_position_w[1, axis].abs() < 0.5


def test_a_broken_robot_is_reset_alone_and_counted() -> None:
    broken, undisturbed = environment(3, **TAME), environment(3, **TAME)
    for env in (broken, undisturbed):
        rollout(env, 3)
        env.metrics()
    broken.simulation.qvel[1, 8] = np.inf
    steps = [env.step(actions(env, 1, seed=1)[0]) for env in (broken, undisturbed)]
    observations, reward, done, extras = steps[0]
    assert done.tolist() == extras["falls"].tolist() == [False, True, False]
    assert not extras["time_outs"].any()
    assert reward[1] == 0
    assert all(group.isfinite().all() for group in observations.values())
    assert observations["proprio"][1, PROPRIO["gravity_b"]].tolist() == [0, 0, -1]
    metrics = broken.metrics()
    assert metrics["physics/non_finite"] == 1
    assert all(np.isfinite(value) and abs(value) < 1e5 for value in metrics.values())
    assert undisturbed.metrics()["physics/non_finite"] == 0
    others = [0, 2]
    after = [rollout(env, 15, seed=2) for env in (broken, undisturbed)]
    for a, b in zip(*after, strict=True):
        assert torch.equal(a[others], b[others])
    assert broken.metrics()["physics/non_finite"] == 0


def test_c_k_grows_with_the_samples_of_all_robots() -> None:
    env = environment(5, curriculum=CurriculumConfig(initial_factor=0.3, factor_exponent=0.98, iteration_steps=10))
    assert env.metrics()["curriculum/c_k"] == pytest.approx(0.3)
    for _ in range(4):
        env.step(torch.zeros(5, 16))
    assert env.state.randomization_factor == pytest.approx(0.3 ** (0.98**2))
    assert env.metrics()["curriculum/c_k"] == pytest.approx(0.3 ** (0.98**2))


def test_metrics_are_means_since_they_were_last_asked_for() -> None:
    env = environment(2, **TAME)
    rollout(env, 10)
    env.metrics()
    turn_over(env, 0)
    _, reward, _, _ = env.step(torch.zeros(2, 16))
    metrics = env.metrics()
    assert metrics["reward/total"] == pytest.approx(reward.sum().item() / 0.04, rel=1e-5)
    assert metrics["falls_per_minute"] == metrics["falls_per_minute/tilt"] == pytest.approx(60 / 0.04)
    assert metrics["falls_per_minute/base_contact"] == 0
    assert metrics["episode/falls"] == 1
    assert metrics["episode/seconds"] == pytest.approx(11 * 0.02)
    assert 0 <= metrics["tracking/linear"] <= 1
    env.step(torch.zeros(2, 16))
    assert env.metrics()["falls_per_minute"] == 0
    assert "reward/total" not in env.metrics()


def test_random_episode_lengths_can_be_set_from_outside() -> None:
    env = environment(2, **TAME)
    env.episode_length_buf = torch.tensor([env.max_episode_length - 1, 3])
    assert env.step(torch.zeros(2, 16))[3]["time_outs"].tolist() == [True, False]


def test_an_untrained_gait_prior_stands() -> None:
    env = environment(8, commands=CommandConfig(fixed=(0, 0, 0)), randomization=NONE)
    for _ in range(100):
        assert not env.step(torch.zeros(8, 16))[2].any()


@pytest.mark.parametrize("change", [{"num_envs": 0}, {"threads": -1}, {"decimation": 0}, {"episode_seconds": 0.0}])
def test_impossible_environments_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        replace(EnvConfig(), **change)


def test_tasks_are_known_by_name() -> None:
    assert set(TASKS) == {"anymal_flat", "anymal_rough", "anymal_rough_s7"}
    assert task_config("anymal_rough") is TASKS["anymal_rough"]
    with pytest.raises(ValueError, match="anymal_flat, anymal_rough"):
        task_config("anymal_moon")
