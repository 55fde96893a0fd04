from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from worlds import FLAT, plane_tile

import envs
from anymal_policy import layout
from envs.commands import CommandConfig
from envs.config import EnvConfig
from envs.latency import LatencyConfig
from envs.rendering import Renderer, RenderingError
from envs.solver import SolverConfig
from envs.tasks import TASKS

IDS = ["ANYmalFlat-v0", "ANYmalRough-v0"]
SMALL = replace(TASKS["anymal_rough"], terrain=FLAT, threads=1)
GRAVITY_Z = layout.slices(layout.PROPRIO)["gravity_b"].stop - 1
COMMANDED = replace(SMALL, commands=CommandConfig(fixed=(0.5, 0.0, 0.3)))


def robots(num_envs: int = 3, cfg: EnvConfig = SMALL) -> VectorEnv:
    return gymnasium.make_vec("ANYmalRough-v0", num_envs=num_envs, cfg=cfg)


def rollout(env: VectorEnv, seed: int | None, steps: int = 30) -> list[Any]:
    """Everything that an environment returns from a reset on, under the same actions each time."""
    rng = np.random.default_rng(0)
    returned: list[Any] = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        returned += env.step(rng.normal(size=env.action_space.shape or ()).astype(np.float32))[:4]
    return returned


def same(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        return all(np.array_equal(one[name], other[name]) for name in one)
    return np.array_equal(one, other)


def agree(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("env_id", IDS)
def test_environment_checker_passes(env_id: str) -> None:
    env = gymnasium.make(env_id, cfg=replace(TASKS[envs.registration.IDS[env_id]], terrain=FLAT)).unwrapped
    try:
        Renderer(env.robots.env, (64, 64)).close()  # type: ignore
        no_opengl = False
    except RenderingError:
        no_opengl = True
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the spaces, which are in SI units and not bounded by 1
        check_env(env, skip_render_check=no_opengl)


@pytest.mark.parametrize("env_id", IDS)
def test_ids_stand_for_the_tasks(env_id: str) -> None:
    assert gymnasium.spec(env_id).kwargs == {"task": envs.registration.IDS[env_id]}
    assert envs.registration.IDS[env_id] in TASKS


def test_module_and_id_are_enough_to_make_one() -> None:
    env = gymnasium.make("envs:ANYmalRough-v0", tiles=[plane_tile()])
    assert env.observation_space.contains(env.reset()[0])


def test_spaces_are_those_of_the_layout() -> None:
    env = robots(64)
    observation, _ = env.reset()
    for name, terms in layout.GROUPS.items():
        assert observation[name].shape == (64, layout.size(terms))
        assert observation[name].dtype == np.float32
    assert env.observation_space.contains(observation)
    assert env.single_action_space.shape == (16,)
    assert env.action_space.shape == (64, 16)
    assert env.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP


def test_same_seed_gives_the_same_rollout_in_any_copy_and_at_any_time() -> None:
    env = robots()
    first = rollout(env, seed=5)
    rollout(env, seed=None)
    assert agree(first, rollout(env, seed=5))
    assert agree(first, rollout(robots(), seed=5))
    assert not agree(first, rollout(env, seed=6))


def test_a_seed_settles_delays_and_contacts_too() -> None:
    drawn = {"latency": LatencyConfig((0.0, 0.04), (0.0, 0.04)), "solver": SolverConfig(stiffness=(0.5, 2.0))}
    env = robots(cfg=replace(SMALL, noisy_groups=True, episode_seconds=0.3, **drawn))
    first = rollout(env, seed=5)
    rollout(env, seed=None)
    assert agree(first, rollout(env, seed=5))


def test_resets_without_a_seed_go_on_with_the_random_sequence() -> None:
    env, copy = robots(), robots()
    env.reset(seed=5)
    copy.reset(seed=5)
    second, third = rollout(env, seed=None, steps=2), rollout(env, seed=None, steps=2)
    assert not agree(second, third)
    assert agree(second, rollout(copy, seed=None, steps=2))


def test_returned_arrays_belong_to_the_caller() -> None:
    env, undisturbed = robots(), robots()
    kept, _ = env.reset(seed=1)
    undisturbed.reset(seed=1)
    before = {name: group.copy() for name, group in kept.items()}
    actions = np.zeros((3, 16), np.float32)
    following = env.step(actions)
    assert all(np.array_equal(kept[name], before[name]) for name in kept)
    for group in following[0].values():
        group[:] = np.nan
    undisturbed.step(actions)
    assert agree(list(env.step(actions)[:4]), list(undisturbed.step(actions)[:4]))


def test_final_observation_is_what_would_have_been_seen_had_the_episode_gone_on() -> None:
    short, long = robots(cfg=replace(COMMANDED, episode_seconds=0.1)), robots(cfg=COMMANDED)
    short.reset(seed=2)
    long.reset(seed=2)
    actions = np.full((3, 16), 0.3, np.float32)
    for step in range(5):
        observation, _, terminated, truncated, infos = short.step(actions)
        unbroken = long.step(actions)[0]
        assert not terminated.any()
        assert (truncated == (step == 4)).all()
    assert infos["_final_obs"].all()
    for row in range(3):
        assert same(infos["final_obs"][row], {name: group[row] for name, group in unbroken.items()})
    assert not same(observation, unbroken)


def test_falls_terminate_and_only_the_fallen_have_a_final_observation() -> None:
    env = robots(6)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(300):
        observation, reward, terminated, truncated, infos = env.step(rng.uniform(-8, 8, (6, 16)).astype(np.float32))
        if terminated.any():
            break
    fresh = {name: group[terminated] for name, group in observation.items()}
    final = {name: np.stack([obs[name] for obs in infos["final_obs"][terminated]]) for name in fresh}
    assert terminated.any()
    assert not truncated.any()
    assert (infos["_final_obs"] == terminated).all()
    assert (fresh["proprio"][:, GRAVITY_Z] < -0.9).all()
    assert (fresh["proprio"][:, GRAVITY_Z] < final["proprio"][:, GRAVITY_Z]).all()
    assert (reward[terminated] < -0.5).all()


def test_episode_statistics_count_whole_episodes() -> None:
    env = RecordEpisodeStatistics(robots(cfg=replace(COMMANDED, episode_seconds=0.1)))
    env.reset(seed=0)
    rewards = np.zeros(3)
    for step in range(1, 11):
        _, reward, _, _, infos = env.step(np.zeros((3, 16), np.float32))
        rewards += reward
        if step % 5 == 0:
            assert infos["episode"]["l"].tolist() == [5, 5, 5]
            assert infos["episode"]["r"] == pytest.approx(rewards)
            rewards[:] = 0.0
    assert env.episode_count == 6


def test_single_environment_is_a_row_of_the_vector_one() -> None:
    cfg = replace(COMMANDED, episode_seconds=0.1)
    single, vector = gymnasium.make("ANYmalRough-v0", cfg=cfg), robots(1, cfg)
    seen, _ = single.reset(seed=9)
    assert same(seen, {name: group[0] for name, group in vector.reset(seed=9)[0].items()})
    for step in range(5):
        seen, reward, terminated, truncated, _ = single.step(np.zeros(16, np.float32))
        row = vector.step(np.zeros((1, 16), np.float32))
        assert reward == row[1][0]
        assert (terminated, truncated) == (False, step == 4)
    assert same(seen, row[4]["final_obs"][0])


def test_wrong_shapes_and_options_are_refused_in_one_sentence() -> None:
    env = robots()
    env.reset()
    with pytest.raises(ValueError, match=r"shape \(3, 16\), not \(16,\)"):
        env.step(np.zeros(16, np.float32))
    with pytest.raises(ValueError, match="no reset option 'reset_mask'"):
        env.reset(options={"reset_mask": np.ones(3, bool)})


@pytest.mark.slow
def test_stock_ppo_of_stable_baselines_trains_on_the_vector_environment() -> None:
    from sb3_adapter import SB3VecEnv
    from stable_baselines3 import PPO

    env = SB3VecEnv(robots(16, replace(SMALL, episode_seconds=0.2)))
    agent = PPO("MultiInputPolicy", env, n_steps=24, batch_size=96, n_epochs=2, seed=0, device="cpu")
    before = [parameter.detach().clone() for parameter in agent.policy.parameters()]
    agent.learn(3 * 16 * 24)
    after = list(agent.policy.parameters())
    assert all(torch.isfinite(parameter).all() for parameter in after)
    assert any((old != new).any() for old, new in zip(before, after, strict=True))
    assert agent.num_timesteps == 3 * 16 * 24
    assert np.isfinite(agent.predict(env.reset())[0]).all()


@pytest.mark.slow
def test_stable_baselines_checker_accepts_the_single_environment() -> None:
    from stable_baselines3.common import env_checker

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        env_checker.check_env(gymnasium.make("ANYmalRough-v0", cfg=SMALL))
