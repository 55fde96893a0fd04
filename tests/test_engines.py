"""The engine is chosen by name, and one that is not installed is asked for in a sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from worlds import environment, simulation

import train
from envs.config import EnvConfig
from envs.engines import Cores
from evaluation import conditions


def test_mujoco_is_what_nobody_has_to_ask_for() -> None:
    assert EnvConfig().engine == "mujoco" and isinstance(simulation().batch, Cores)


def test_a_policy_is_judged_on_mujoco_whatever_it_was_trained_with() -> None:
    agent: Any = SimpleNamespace(env=replace(EnvConfig(), engine="warp"), world=lambda cfg, tiles: cfg)
    world: Any = conditions.environment(agent, (), None, 1, 0, 1, conditions.WALK)
    assert world.engine == "mujoco"


@pytest.mark.parametrize("package", ["mujoco_warp", "warp"])
def test_warp_that_is_not_installed_is_one_sentence(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("envs.engines.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ValueError, match="pip install -r requirements-gpu.txt"):
        environment(engine="warp")
    run = ["--env.engine", "warp", "--env.terrain.types", "flat", "--num-envs", "4", "--processes", "1"]
    assert train.main([*run, "--stage", "teacher", "--preset", "smoke", "--run-dir", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    assert "extra gpu" in message and message.count("\n") == 1
