"""Ctrl-C and SIGTERM during training."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_env import FakeConfig, FakeEnv
from fake_run import SMALL, resume, start, training_hash

from agents.checkpoint import read_resume
from agents.runner import TeacherRunner


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


def test_a_signal_in_the_last_iteration_lets_nothing_follow(tmp_path: Path) -> None:
    running = signalled(tmp_path, (SMALL["warm_up_steps"] + 14,), signal.SIGINT)
    assert not running.train() and running.finished and running.stopped


def test_second_signal_aborts_and_the_last_save_remains(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        signalled(tmp_path, (SMALL["warm_up_steps"] + 6, SMALL["warm_up_steps"] + 7), signal.SIGINT).train()
    assert read_resume(tmp_path)["iteration"] == 0
