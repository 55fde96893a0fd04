"""The engine is chosen by name, and one that is not installed is asked for in a sentence."""

from __future__ import annotations

import sys
import tomllib
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from worlds import simulation

import train
from agents import checkpoint
from envs import engines
from envs.config import EnvConfig
from envs.engines import Cores
from evaluation import conditions

ROOT = Path(train.__file__).parent


def test_mujoco_is_what_nobody_has_to_ask_for() -> None:
    assert EnvConfig().engine == "mujoco" and isinstance(simulation().batch, Cores)


def test_a_policy_is_judged_on_mujoco_whatever_it_was_trained_with() -> None:
    agent: Any = SimpleNamespace(env=replace(EnvConfig(), engine="warp"), world=lambda cfg, tiles: cfg)
    world: Any = conditions.environment(agent, (), None, conditions.Crowd(1))
    assert world.engine == "mujoco"


RUN = ["--env.engine", "warp", "--env.terrain.types", "flat", "--num-envs", "4", "--preset", "smoke"]


def refusal_of_warp(folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence with which train.py ends that cannot have the engine warp."""
    assert train.main([*RUN, "--run-dir", str(folder)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    return message


@pytest.mark.parametrize("package", engines.PACKAGES)
@pytest.mark.parametrize("found", ["none", "99.0"])
def test_warp_that_is_not_installed_or_another_is_one_sentence(
    package: str, found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def version(name: str) -> str:
        if name == package and found == "none":
            raise PackageNotFoundError(name)
        return found if name == package else engines.PACKAGES[name]

    monkeypatch.setattr(engines, "version", version)
    message = refusal_of_warp(tmp_path / "run", capsys)
    assert f"{package} {engines.PACKAGES[package]}" in message and f"finds {found}" in message
    assert "pip install -r requirements-gpu.txt" in message


def test_a_gpu_without_room_for_the_robots_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise RuntimeError("Failed to allocate 17179869184 bytes on device 'cuda:0'.\nMore about it.")

    monkeypatch.setattr(engines, "version", engines.PACKAGES.get)
    monkeypatch.setitem(sys.modules, "envs.engines.warp_engine", SimpleNamespace(WarpEngine=full))
    message = refusal_of_warp(tmp_path / "run", capsys)
    assert "Failed to allocate" in message and "4 robots" in message and "--num-envs" in message


def test_the_engine_asks_for_the_versions_that_are_pinned() -> None:
    pinned = (ROOT / "requirements-gpu.txt").read_text().split("\n")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["gpu"]
    needed = [f"{package}=={number}" for package, number in engines.PACKAGES.items()]
    assert needed == project == [line for line in pinned if line and not line.startswith("#")]
    assert set(engines.PACKAGES) == set(checkpoint.ENGINES["warp"])
