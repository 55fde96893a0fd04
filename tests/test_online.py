"""Metrics on Weights & Biases, by a package in its place."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.online import Online


@dataclass
class Config:
    num_envs: int = 3


class Run:
    """A run there, which keeps what it gets."""

    def __init__(self) -> None:
        self.logged: list[tuple[dict[str, float], int]] = []
        self.ended = False

    def log(self, metrics: dict[str, float], step: int) -> None:
        self.logged.append((metrics, step))

    def finish(self) -> None:
        self.ended = True


def test_an_iteration_goes_online_in_one_piece(monkeypatch: pytest.MonkeyPatch) -> None:
    run, begun = Run(), []

    def init(**settings: Any) -> Run:
        begun.append(settings)
        return run

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    online = Online(Path("runs/a"), {"seed": 1}, Config())
    online.append(7, {"train/reward": 0.5, "loss/kl": 0.01})
    online.close()
    config = {"log_dir": str(Path("runs/a")), "train_cfg": {"seed": 1}, "env_cfg": {"num_envs": 3}}
    assert begun == [{"project": "anymal", "name": "a", "config": config}]
    assert run.logged == [({"train/reward": 0.5, "loss/kl": 0.01}, 7)] and run.ended


def test_who_has_not_logged_in_is_told_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(**_: Any) -> Run:
        raise RuntimeError("api_key not configured.")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(init=init))
    with pytest.raises(OSError, match=r"refuses \(api_key not configured\): wandb login, or set WANDB_MODE=offline"):
        Online(Path("runs/a"), {}, Config())
