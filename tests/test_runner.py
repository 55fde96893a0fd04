"""The training run: it learns, resumes bit-exactly, and saves in time."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_env import FakeEnv
from fake_run import resume, rows, start, training_hash

from agents.archive import CheckpointError, plain
from agents.checkpoint import load_policy, read_policy, read_resume
from agents.rng import restore_rng, rng_state
from agents.runner import TeacherRunner
from anymal_policy.teacher import Teacher
from envs.anymal import AnymalEnv
from envs.tasks import TASKS


def test_policy_learns_the_rewarded_action(tmp_path: Path) -> None:
    trained = start(tmp_path, 10, num_steps_per_env=16, num_learning_epochs=4, num_mini_batches=4, learning_rate=2e-3)
    before = trained.actor(trained.env.get_observations()).mean().item()
    assert trained.train()
    after = trained.actor(trained.env.get_observations()).mean().item()
    assert abs(before) < 0.02 and after > 0.05


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_four_iterations_equal_two_and_resumed_two(tmp_path: Path, precision: str) -> None:
    start(tmp_path / "whole", 4, precision).train()
    start(tmp_path / "parts", 2, precision).train()
    resume(tmp_path / "parts", 4, precision).train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")
    reproducible = ("iteration", "train/samples", "train/reward", "policy/std", "loss/value", "tracking/linear")
    for whole, parts in zip(rows(tmp_path / "whole"), rows(tmp_path / "parts"), strict=True):
        assert [whole[name] for name in reproducible] == [parts[name] for name in reproducible]


def test_other_seed_gives_other_weights(tmp_path: Path) -> None:
    start(tmp_path / "a", 1, seed=1).train()
    start(tmp_path / "b", 1, seed=2).train()
    assert training_hash(tmp_path / "a") != training_hash(tmp_path / "b")


def test_resume_of_a_real_environment_and_its_curriculum_is_bit_exact(tmp_path: Path) -> None:
    def build(path: Path, iterations: int) -> TeacherRunner:
        env = AnymalEnv(replace(TASKS["anymal_flat"], num_envs=8, threads=1, episode_seconds=0.2))
        return start(path, iterations, env=env)

    build(tmp_path / "whole", 4).train()
    build(tmp_path / "parts", 2).train()
    parts = build(tmp_path / "parts", 4)
    parts.restore(read_resume(tmp_path / "parts"))
    parts.train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")


def test_start_is_resumable_before_the_first_iteration(tmp_path: Path) -> None:
    started = start(tmp_path / "parts", 2)
    started.warm_up()
    started.save(str(tmp_path / "parts" / "resume.pt"))
    resume(tmp_path / "parts", 2).train()
    start(tmp_path / "whole", 2).train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")


@pytest.mark.parametrize(
    ("since_save", "iteration", "saves"), [(27.0, 2.0, 0), (28.5, 2.0, 1), (5.0, 26.0, 1), (1.0, 1.0, 0)]
)
def test_no_save_is_more_than_thirty_seconds_after_the_last(
    tmp_path: Path, since_save: float, iteration: float, saves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = start(tmp_path, 2)
    running.saves.at = time.monotonic() - since_save
    calls: list[Any] = []
    monkeypatch.setattr(running.saves, "try_to_write", lambda *records: calls.append(records))
    running._save_if_due(iteration)
    assert len(calls) == saves


def test_policies_are_kept_on_the_way(tmp_path: Path) -> None:
    start(tmp_path, 4, keep_every=2).train()
    assert sorted(path.name for path in tmp_path.glob("policy_*.pt")) == ["policy_2.pt", "policy_4.pt"]
    assert load_policy(tmp_path / "policy_2.pt").meta["iteration"] == 2


def test_warm_up_fills_the_normaliser_before_the_first_update_and_only_once(tmp_path: Path) -> None:
    trained = start(tmp_path, 1, warm_up_steps=5)
    trained.train()
    assert trained.actor.obs_normalizer.count.item() == 8 * (5 + 4)  # type: ignore
    continued = resume(tmp_path, 2)
    continued.train()
    assert continued.actor.obs_normalizer.count.item() == 8 * (5 + 4 + 4)  # type: ignore


def test_init_from_takes_networks_normaliser_noise_and_terrain_but_no_progress(tmp_path: Path) -> None:
    source = start(tmp_path / "a", 2)
    source.env.level = 4  # type: ignore
    source.train()
    target = start(tmp_path / "b", 1, seed=2)
    assert target.init_from(read_policy(tmp_path / "a")) == [] and target.env.level == 4  # type: ignore
    obs = source.env.get_observations()
    averaged = source.alg.averaged.module
    source.actor.mlp, source.alg.critic.mlp = averaged["actor"], averaged["critic"]  # type: ignore
    assert torch.equal(target.actor(obs), source.actor(obs)) and torch.equal(
        target.alg.critic(obs), source.alg.critic(obs)
    )
    assert torch.equal(target.actor.distribution.log_std_param, source.actor.distribution.log_std_param)  # type: ignore
    assert target.iteration == 0 and target.alg.samples == 0


def test_a_critic_with_encoders_of_its_own_starts_anew(tmp_path: Path) -> None:
    start(tmp_path / "a", 1).train()
    target = start(tmp_path / "b", 1, seed=2)
    fresh = target.alg.critic.mlp.state_dict()["head.0.weight"].clone()
    assert target.init_from(read_policy(tmp_path / "a") | {"critic": Teacher(1).state_dict()}) == ["critic"]
    assert torch.equal(target.alg.critic.mlp.state_dict()["head.0.weight"], fresh)


def test_a_trained_policy_starts_with_the_smallest_steps(tmp_path: Path) -> None:
    start(tmp_path / "a", 1, learning_rate=1e-3).train()
    target = start(tmp_path / "b", 1, learning_rate=1e-3)
    target.init_from(read_policy(tmp_path / "a"))
    before = {name: value.clone() for name, value in target.actor.mlp.named_parameters()}
    assert {group["lr"] for group in target.alg.optimizer.param_groups} == {1e-5}
    target.train()
    moved = max((value - before[name]).abs().max().item() for name, value in target.actor.mlp.named_parameters())
    assert 0 < moved < 16 * 2e-5


def test_resume_into_another_environment_is_refused(tmp_path: Path) -> None:
    start(tmp_path, 1).train()
    record = read_resume(tmp_path)
    del record["env_state"]["generator"]
    with pytest.raises(CheckpointError, match="does not fit"):
        start(tmp_path, 2).restore(record)


def test_resume_of_a_version_whose_state_had_other_quantities_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    start(tmp_path, 1).train()

    def load(env: FakeEnv, state: dict[str, Any]) -> None:
        raise TypeError("missing a required argument: 'heading'")

    monkeypatch.setattr(FakeEnv, "load_state_dict", load)
    with pytest.raises(CheckpointError, match="does not fit this environment or version .*heading"):
        start(tmp_path, 2).restore(read_resume(tmp_path))


def test_random_generators_return_to_the_saved_state() -> None:
    state = plain(rng_state())
    draw = [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()]
    restore_rng(state)
    assert [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()] == draw


def test_too_few_samples_for_the_mini_batches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="raise --num-envs"):
        start(tmp_path, 1, num_mini_batches=33)
