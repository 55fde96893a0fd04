"""The training run: it learns, resumes to the same bits, and leaves cleanly when asked to."""

from __future__ import annotations

import csv
import os
import random
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fake_env import FakeConfig, FakeEnv
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from agents import archive
from agents.archive import CheckpointError, content_hash, plain
from agents.checkpoint import load_policy, read_policy, read_resume
from agents.config import TeacherConfig
from agents.log import Curves, header, line
from agents.runner import TeacherRunner, restore_rng, rng_state
from envs.anymal import AnymalEnv
from envs.tasks import TASKS

SMALL = {"num_steps_per_env": 4, "num_learning_epochs": 2, "num_mini_batches": 2, "warm_up_steps": 3}


def start(
    path: Path, iterations: int, precision: str = "fp32", seed: int = 1, env: Any = None, **settings: Any
) -> TeacherRunner:
    path.mkdir(exist_ok=True)
    torch.manual_seed(seed)
    np.random.seed(seed)
    random.seed(seed)
    env = env or FakeEnv(FakeConfig(num_envs=8, seed=seed))
    return TeacherRunner(
        env, TeacherConfig(max_iterations=iterations, **{**SMALL, **settings}), "fake", path, precision
    )


def resume(path: Path, iterations: int, precision: str = "fp32") -> TeacherRunner:
    continued = start(path, iterations, precision, seed=99)
    continued.restore(read_resume(path))
    return continued


def training_hash(path: Path) -> str:
    """Hash of all that the next iteration depends on."""
    record = read_resume(path)
    return content_hash({name: record[name] for name in ("algorithm", "env_state", "rng", "iteration", "samples")})


def rows(path: Path) -> list[dict[str, str]]:
    with (path / "curves.csv").open(newline="") as file:
        return list(csv.DictReader(file))


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


def test_real_environment_and_curriculum_resume_to_the_same_bits(tmp_path: Path) -> None:
    def build(path: Path, iterations: int) -> TeacherRunner:
        env = AnymalEnv(replace(TASKS["anymal_flat"], num_envs=8, threads=1, episode_seconds=0.2))
        return start(path, iterations, env=env)

    build(tmp_path / "whole", 4).train()
    build(tmp_path / "parts", 2).train()
    parts = build(tmp_path / "parts", 4)
    parts.restore(read_resume(tmp_path / "parts"))
    parts.train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")


class Signalled(FakeEnv):
    """Receives a signal in the middle of a rollout, at these steps."""

    steps_to_signal: tuple[int, ...] = ()
    number: signal.Signals = signal.SIGINT
    steps = 0

    def step(self, actions: torch.Tensor) -> Any:
        """Step, after raising the signal where due."""
        self.steps += 1
        if self.steps in self.steps_to_signal:
            os.kill(os.getpid(), self.number)
        return super().step(actions)


def signalled(path: Path, steps: tuple[int, ...], number: signal.Signals) -> TeacherRunner:
    env = Signalled(FakeConfig(num_envs=8))
    env.steps_to_signal, env.number = steps, number
    return start(path, 4, env=env)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_finishes_the_iteration_saves_and_keeps_the_bits(tmp_path: Path, number: signal.Signals) -> None:
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    stopped = signalled(tmp_path / "parts", (SMALL["warm_up_steps"] + 6,), number)
    assert not stopped.train()
    assert stopped.iteration == read_resume(tmp_path / "parts")["iteration"] == 2
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers
    assert resume(tmp_path / "parts", 4).train()
    start(tmp_path / "whole", 4).train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")


def test_second_signal_aborts_and_the_last_save_remains(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        signalled(tmp_path, (SMALL["warm_up_steps"] + 6, SMALL["warm_up_steps"] + 7), signal.SIGINT).train()
    assert read_resume(tmp_path)["iteration"] == 0


def test_start_is_resumable_before_the_first_iteration(tmp_path: Path) -> None:
    started = start(tmp_path / "parts", 2)
    started._warm_up()
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
    running.saved_at = time.monotonic() - since_save
    calls: list[str] = []
    monkeypatch.setattr(running, "save", calls.append)
    running._save_if_due(iteration)
    assert len(calls) == saves


def test_full_disk_does_not_end_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    running = start(tmp_path, 2)

    def full_disk(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(archive, "write", full_disk)
    running._save_if_due(60.0)
    assert "no space left" in capsys.readouterr().err


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


def test_init_from_takes_networks_normaliser_and_noise_but_no_progress(tmp_path: Path) -> None:
    source = start(tmp_path / "a", 2)
    source.train()
    target = start(tmp_path / "b", 1, seed=2)
    target.init_from(read_policy(tmp_path / "a"))
    obs = source.env.get_observations()
    assert torch.equal(target.actor(obs), source.actor(obs)) and torch.equal(
        target.alg.critic(obs), source.alg.critic(obs)
    )
    assert torch.equal(target.actor.distribution.log_std_param, source.actor.distribution.log_std_param)  # type: ignore
    assert target.iteration == 0 and target.alg.samples == 0 and not target.fresh


def test_resume_into_another_environment_is_refused(tmp_path: Path) -> None:
    start(tmp_path, 1).train()
    record = read_resume(tmp_path)
    del record["env_state"]["generator"]
    with pytest.raises(CheckpointError, match="does not fit"):
        start(tmp_path, 2).restore(record)


def test_every_iteration_has_one_row_of_all_metrics_in_csv_and_tensorboard(tmp_path: Path) -> None:
    start(tmp_path, 2).train()
    resume(tmp_path, 3).train()
    table = rows(tmp_path)
    assert [row["iteration"] for row in table] == ["1", "2", "3"]
    assert [float(row["train/samples"]) for row in table] == [32, 64, 96]
    assert {"tracking/linear", "loss/value", "policy/std", "policy/learning_rate", "terrain/rough"} <= set(table[0])
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [event.step for event in events.Scalars("tracking/linear")] == [1, 2, 3]
    assert set(events.Tags()["scalars"]) == set(table[0]) - {"iteration"}


def test_rows_beyond_the_last_save_are_dropped_and_new_columns_added(tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    curves = Curves(path, 0)
    for iteration in (1, 2, 3):
        curves.append({"iteration": iteration, "a": 0.5})
    curves = Curves(path, 2)
    curves.append({"iteration": 3, "a": 0.25, "b": 1.0})
    curves.append({"iteration": 4, "b": 2.0})
    assert path.read_text() == "iteration,a,b\n1,0.5,nan\n2,0.5,nan\n3,0.25,1\n4,nan,2\n"


def test_console_line_shows_mean_terrain_and_all_falls_under_its_titles() -> None:
    metrics = {
        "train/samples": 2.5e6,
        "terrain/a": 0.2,
        "terrain/b": 0.4,
        "falls_per_minute/tilt": 1.0,
        "falls_per_minute/base": 0.5,
    }
    text = line(7, 1500, metrics, 3661)
    assert text.split() == ["7/1500", "2.50M", "-", "-", "-", "1.50", "0.300", "-", "-", "1:01:01"]
    assert len(text) == len(header(1500))


def test_random_generators_return_to_the_saved_state() -> None:
    state = plain(rng_state())
    draw = [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()]
    restore_rng(state)
    assert [torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()] == draw


def test_too_few_samples_for_the_mini_batches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="raise --num-envs"):
        start(tmp_path, 1, num_mini_batches=33)
