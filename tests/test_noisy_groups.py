"""The Student's observation groups: what a real robot would have, delayed and noisy, beside an untouched truth."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from worlds import FLAT, environment

from anymal_policy import layout
from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import TerrainConfig
from envs.curriculum import CurriculumConfig
from envs.height_noise import LEVELS, NEVER, FailureConfig, HeightNoiseConfig
from envs.randomization import RandomizationConfig
from envs.robot import FOOT_RADIUS
from envs.sensor_noise import SensorNoiseConfig
from envs.sensors import NoisySensors, ring_points
from envs.tasks import TASKS
from envs.terrains import make_tile

torch.set_num_threads(1)  # on a busy machine the barriers of small parallel operations take seconds
WILD: dict[str, Any] = {
    "commands": CommandConfig(resample_seconds=0.3),
    "curriculum": CurriculumConfig(initial_factor=0.9, update_samples=150),
    "randomization": RandomizationConfig(push_seconds=0.5),
    "episode_seconds": 0.5,
    "terrain": TerrainConfig(types=("slope_up", "flat"), tile_size=4.0),
}
"""Everything random, often."""
NOISY: dict[str, Any] = {"noisy_groups": True, "height_noise": HeightNoiseConfig(factor=1.0, redraw_seconds=0.3)}
PERFECT: dict[str, Any] = {
    "noisy_groups": True,
    "height_noise": LEVELS["none"],
    "sensor_noise": SensorNoiseConfig(scale=0.0),
}
DELAYED = replace(LEVELS["none"], map_rate=20.0)
"""A perfect map that is renewed at 20 Hz."""
PLACES = layout.slices(layout.PROPRIO)


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def actions(env: AnymalEnv, steps: int, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [0.5 * torch.randn(env.num_envs, 16, generator=generator) for _ in range(steps)]


def rollout(env: AnymalEnv, steps: int, clean: bool = False) -> list[Tensor]:
    """What the environment gives back for random actions: all of it, or only what does not need noise."""
    given = []
    for action in actions(env, steps):
        observed, reward, done, extras = env.step(action)
        names = [name for name in sorted(observed.keys()) if not (clean and name.endswith("_noisy"))]
        given += [*(observed[name] for name in names), reward, done, *extras.values()]
    return given


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def stairs(num_envs: int = 4, **changes: Any) -> AnymalEnv:
    tiles = [make_tile("stairs_standard", 0.7, size=(4.0, 4.0), height=0.12)]
    return environment(num_envs, tiles, **{**PERFECT, **changes})


def senses(env: AnymalEnv) -> NoisySensors:
    assert isinstance(env.sensors, NoisySensors)
    return env.sensors


def seen(env: AnymalEnv, term: str, group: str = "proprio_noisy") -> Tensor:
    return env.get_observations()[group][:, PLACES[term]]


def heights_seen(env: AnymalEnv) -> Tensor:
    return env.get_observations()["extero_noisy"].unflatten(-1, (4, 52))


def test_the_groups_are_there_only_on_request() -> None:
    assert set(environment(2).get_observations().keys()) == {"proprio", "extero", "privileged"}
    groups = environment(2, **NOISY).get_observations()
    assert (groups["proprio_noisy"].shape, groups["extero_noisy"].shape) == ((2, 133), (2, 208))
    assert groups["proprio_noisy"].dtype == groups["extero_noisy"].dtype == torch.float32


def test_noise_changes_nothing_but_what_is_perceived() -> None:
    noise = replace(NOISY["height_noise"], failures=NEVER)  # failed maps count in the curriculum
    quiet, noisy = environment(6, **WILD), environment(6, **WILD, noisy_groups=True, height_noise=noise)
    assert same(rollout(quiet, 60), rollout(noisy, 60, clean=True))
    assert torch.equal(quiet.generator.get_state(), noisy.generator.get_state())


def test_perfect_sensors_and_a_perfect_map_show_the_truth() -> None:
    env = stairs(episode_seconds=0.3)
    for action in actions(env, 20):
        env.step(action)
        groups = env.get_observations()
        assert_close(groups["proprio_noisy"], groups["proprio"], atol=1e-6, rtol=0)
        wrong = (groups["extero_noisy"] - groups["extero"]).abs() > 1e-4
        assert wrong.float().mean() < 2e-3  # a point within a rounding error of a riser


def test_points_of_the_map_lie_on_rings_that_turn_with_the_robot() -> None:
    offsets = torch.tensor([[0.3, 0.0], [0.0, 0.1]])
    feet = torch.tensor([[[1.0, 2.0], [5.0, 5.0]]])
    points = ring_points(feet, torch.tensor([torch.pi / 2]), offsets)
    assert_close(points, torch.tensor([[[[1.0, 2.3], [0.9, 2.0]], [[5.0, 5.3], [4.9, 5.0]]]]))


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
    senses(env).query = lambda points: senses(env).true_heights(points) + 0.5
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
    senses(env).query = lambda points: senses(env).true_heights(points) + 5.0
    env.surface.map.heights[:] += 3.0
    for action in actions(env, 3):
        env.step(action)
    for group in ("extero", "extero_noisy"):
        assert (env.get_observations()[group] == 1.0).all()
    assert (env.state.height_samples > 1.5).all()


def test_stuck_samples_do_not_change_while_the_robot_moves() -> None:
    stuck = FailureConfig(1.0, "stuck", sudden=1.0, begins=(0.1, 0.1), lasts=(0.2, 0.2))
    env = stairs(height_noise=replace(DELAYED, factor=1.0, condition="nominal", failures=stuck))
    seen = []
    for action in actions(env, 20):
        env.step(action)
        seen.append(env.get_observations()["extero_noisy"])
    changes = [bool((a != b).any()) for a, b in pairwise(seen)]
    assert changes == [True] * 4 + [False] * 9 + [True] * 6


def test_a_map_that_fails_in_the_middle_of_an_episode_comes_back() -> None:
    sudden = FailureConfig(1.0, "blank", sudden=1.0, begins=(0.1, 0.1), lasts=(0.2, 0.2))
    env = stairs(height_noise=replace(DELAYED, factor=1.0, condition="nominal", failures=sudden))
    blank = []
    for action in actions(env, 20):
        env.step(action)
        blank.append((env.get_observations()["extero_noisy"] == 0).all(dim=1))
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
    ramp = HeightNoiseConfig(start_samples=10, full_samples=30)
    env = environment(5, noisy_groups=True, height_noise=ramp)
    factors = []
    for action in actions(env, 7):
        factors.append(env.metrics()["curriculum/c_sk"])
        env.step(action)
    assert factors == pytest.approx([0, 0, 0, 0.25, 0.5, 0.75, 1])
    assert "curriculum/c_sk" not in environment(2).metrics()


def test_a_restored_environment_perceives_the_same_bits() -> None:
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
    assert not torch.equal(senses(env).noise.joint_offset, senses(other).noise.joint_offset)


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
    command = PLACES["command"]
    assert np.array_equal(final["proprio_noisy"][command], final["proprio"][command])
    near = abs(final["proprio_noisy"][PLACES["joint_position"]] - final["proprio"][PLACES["joint_position"]])
    assert near.max() < 0.021
    again, _ = env.reset(seed=5)
    assert all(np.array_equal(again[name], first[name]) for name in first)
    other, _ = env.reset(seed=6)
    errors = [one["proprio_noisy"] - one["proprio"] for one in (first, other)]
    assert abs(errors[0] - errors[1])[:, PLACES["joint_velocity"]].min() > 1e-6
