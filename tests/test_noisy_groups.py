"""The Student's observation groups: what a real robot would have, delayed and noisy, beside an untouched truth."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from noisy_worlds import NOISY, actions, rollout, sensors_of, stairs
from rollouts import same
from torch import Tensor
from torch.testing import assert_close
from worlds import FLAT, PROPRIO, environment

from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import TerrainConfig
from envs.curriculum import CurriculumConfig
from envs.height_noise import NEVER
from envs.randomization import RandomizationConfig
from envs.tasks import TASKS

WILD: dict[str, Any] = {
    "commands": CommandConfig(resample_seconds=0.3),
    "curriculum": CurriculumConfig(initial_factor=0.9, update_steps=150),
    "randomization": RandomizationConfig(push_seconds=0.5),
    "episode_seconds": 0.5,
    "terrain": TerrainConfig(types=("slope_up", "flat"), tile_size=4.0),
}
"""Everything random, often."""


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def seen(env: AnymalEnv, term: str, group: str = "proprio_noisy") -> Tensor:
    return env.get_observations()[group][:, PROPRIO[term]]


def test_the_groups_are_there_only_on_request() -> None:
    assert set(environment(2).get_observations().keys()) == {"proprio", "extero", "privileged", "caution"}
    groups = environment(2, **NOISY).get_observations()
    assert (groups["proprio_noisy"].shape, groups["extero_noisy"].shape) == ((2, 133), (2, 208))
    assert groups["proprio_noisy"].dtype == groups["extero_noisy"].dtype == torch.float32


def test_noise_changes_nothing_but_what_is_perceived() -> None:
    """But for who is not commanded: whether that robot stands is for its own sensors to say. A Teacher's cautious
    episodes are none of a Student's."""
    noise = replace(NOISY["height_noise"], failures=NEVER)  # failed maps count in the curriculum
    wild = WILD | {"caution_probability": 0.0, "commands": CommandConfig(fixed=(0.7, 0.0, 0.0))}
    quiet, noisy = environment(6, **wild), environment(6, **wild, noisy_groups=True, height_noise=noise)
    assert same(rollout(quiet, 60), rollout(noisy, 60, clean=True))
    assert torch.equal(quiet.generator.get_state(), noisy.generator.get_state())


@pytest.mark.parametrize(("measured", "walks"), [(0.25, False), (0.35, True)])
def test_a_robot_without_a_command_stands_when_its_sensors_say_that_it_is_slow(measured: float, walks: bool) -> None:
    env = environment(3, **NOISY, commands=CommandConfig(fixed=(0.0, 0.0, 0.0)))
    env.state.linear_velocity_b[:, 0] = 0.0 if walks else 0.5
    sensors_of(env).perceived["linear_velocity_b"][:] = torch.tensor([0.0, measured, 0.0])
    env._command()
    assert ((env.state.base_frequency > 0) == walks).all()


def test_perfect_sensors_and_a_perfect_map_show_the_truth() -> None:
    env = stairs(episode_seconds=0.3)
    for action in actions(env, 20):
        env.step(action)
        groups = env.get_observations()
        assert_close(groups["proprio_noisy"], groups["proprio"], atol=1e-6, rtol=0)
        wrong = (groups["extero_noisy"] - groups["extero"]).abs() > 1e-4
        assert wrong.float().mean() < 2e-3  # a point within a rounding error of a riser


def test_what_a_robot_knows_of_itself_has_no_noise() -> None:
    env = environment(3, **NOISY)
    for action in actions(env, 4):
        env.step(action)
    for term in ("command", "joint_target_history", "phase_offset", "phase_cos", "phase_sin", "base_frequency"):
        assert torch.equal(seen(env, term), seen(env, term, "proprio"))
    for term in ("gravity_b", "linear_velocity_b", "angular_velocity_b", "joint_position", "joint_velocity"):
        assert not torch.isclose(seen(env, term), seen(env, term, "proprio"), atol=1e-7).any()


def test_histories_hold_what_was_measured_then() -> None:
    env = environment(3, **NOISY)
    past: list[dict[str, Tensor]] = []
    for action in actions(env, 5):
        env.step(action)
        past.append({name: seen(env, name) for name in ("joint_position", "joint_velocity")})
    for name, count in (("joint_position", 3), ("joint_velocity", 2)):
        history = seen(env, f"{name}_history")
        for age in range(1, count + 1):
            assert torch.equal(history[:, 12 * age - 12 : 12 * age], past[-1 - age][name])


def test_an_episode_starts_with_histories_of_its_own_first_measurement() -> None:
    env = environment(3, **NOISY, episode_seconds=0.2)
    for action in actions(env, 9):
        env.step(action)
    env.episode_length_buf[2] = 0
    assert env.step(actions(env, 1)[0])[2].tolist() == [True, True, False]
    repeated = seen(env, "joint_position").repeat(1, 3) == seen(env, "joint_position_history")
    assert repeated.all(dim=1).tolist() == [True, True, False]
    assert not torch.equal(seen(env, "joint_position"), seen(env, "joint_position", "proprio"))


def test_a_reset_leaves_the_perception_of_other_robots_alone() -> None:
    cut, whole = environment(3, **NOISY), environment(3, **NOISY)
    rollout(cut, 3), rollout(whole, 3)
    cut.episode_length_buf[1] = cut.max_episode_length
    for env in (cut, whole):
        env.step(actions(env, 1)[0])
    for group in ("proprio_noisy", "extero_noisy"):
        equal = (cut.get_observations()[group] == whole.get_observations()[group]).all(dim=1)
        assert equal.tolist() == [True, False, True]


def test_resume_of_noisy_groups_is_bit_exact() -> None:
    env, other = environment(6, **WILD, **NOISY, seed=1), environment(6, **WILD, **NOISY, seed=2)
    rollout(env, 21)
    rollout(other, 8)
    file = io.BytesIO()
    torch.save(env.state_dict(), file)
    expected = rollout(env, 40)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert same(rollout(other, 40), expected)


def test_the_same_seed_gives_the_same_noise_at_any_thread_count() -> None:
    expected = rollout(environment(4, **WILD, **NOISY, seed=3), 20)
    assert same(rollout(environment(4, **WILD, **NOISY, seed=3, threads=2), 20), expected)
    env, other = environment(2, **NOISY, seed=3), environment(2, **NOISY, seed=4)
    assert not torch.equal(sensors_of(env).noise.joint_offset, sensors_of(other).noise.joint_offset)


def test_what_has_been_perceived_never_changes_afterwards() -> None:
    env = environment(3, **WILD, **NOISY)
    kept = [group for _, group in sorted(env.get_observations().items())]
    before = [group.clone() for group in kept]
    rollout(env, 30)
    assert same(kept, before)


def test_a_teachers_state_saved_before_there_were_senses_can_be_resumed() -> None:
    env, other = environment(2), environment(2, seed=1)
    old = {name: value for name, value in env.state_dict().items() if name != "senses"}
    other.load_state_dict(old)
    assert same(rollout(other, 3), rollout(env, 3))


def test_gymnasium_shows_the_groups_to_the_last_observation_of_an_episode() -> None:
    cfg = replace(TASKS["anymal_rough"], terrain=FLAT, threads=1, episode_seconds=0.1, **NOISY)
    env = gymnasium.make_vec("ANYmalRough-v0", num_envs=2, cfg=cfg)
    first, _ = env.reset(seed=5)
    assert env.observation_space.contains(first)
    zeros = np.zeros((2, 16), np.float32)
    env.env.episode_length_buf[1] = 1  # type: ignore
    infos = [env.step(zeros)[4] for _ in range(4)][-1]
    final = infos["final_obs"][1]
    assert infos["final_obs"][0] is None
    assert final["proprio_noisy"].shape == (133,) and final["extero_noisy"].shape == (208,)
    command = PROPRIO["command"]
    assert np.array_equal(final["proprio_noisy"][command], final["proprio"][command])
    near = abs(final["proprio_noisy"][PROPRIO["joint_position"]] - final["proprio"][PROPRIO["joint_position"]])
    assert near.max() < 0.021
    again, _ = env.reset(seed=5)
    assert all(np.array_equal(again[name], first[name]) for name in first)
    other, _ = env.reset(seed=6)
    errors = [one["proprio_noisy"] - one["proprio"] for one in (first, other)]
    assert abs(errors[0] - errors[1])[:, PROPRIO["joint_velocity"]].min() > 1e-6
