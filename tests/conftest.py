"""What several test files need: what takes long to make, and a project without files or a screen."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from policy_files import write_student
from spectator import Spectator
from worlds import plane_tile

import export
import play
from agents import archive
from envs import own, tasks
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.rendering import Renderer, RenderingError
from envs.tasks import TASKS
from envs.terrains import FAMILIES, TRAINING_TYPES
from evaluation import agents as evaluated


@pytest.fixture(autouse=True, scope="session")
def _heeding_signals() -> None:
    """Ctrl-C as at a terminal, also where the tests run behind a shell that switched it off for them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _one_torch_thread() -> None:
    """On a busy machine the barriers of small parallel operations take seconds."""
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _again_one_torch_thread() -> None:
    """Also where an earlier test has trained, which sets the threads that it was asked for."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an untrained Student that hardly acts, its statistics all different, and its export."""
    directory = tmp_path_factory.mktemp("exported")
    checkpoint = directory / "policy.pt"
    write_student(checkpoint, TASKS["anymal_rough"])
    record = archive.read(checkpoint, "student")
    record.pop("hash")
    generator = torch.Generator().manual_seed(0)
    record["normalizer"]["mean"] = 0.1 * torch.randn(391, generator=generator)
    record["normalizer"]["var"] = 0.5 + torch.rand(391, generator=generator)
    archive.write(checkpoint, record)
    assert export.main(["--checkpoint", str(checkpoint), "--out", str(directory)]) == 0
    return directory


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty project on a machine without a screen."""
    monkeypatch.setattr(evaluated, "ROOT", tmp_path)
    monkeypatch.setattr(play, "find_viewer", lambda: None)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def spectator(monkeypatch: pytest.MonkeyPatch) -> Spectator:
    """Who watches in place of the recorder."""
    spectator = Spectator()
    monkeypatch.setattr(play, "recording", spectator.recording)
    return spectator


@pytest.fixture
def marks() -> Iterator[None]:
    """What task files mark in a test is forgotten after it."""
    tables = [*own.TABLES.values(), FAMILIES, TRAINING_TYPES, tasks.FILES]
    before = [dict(table) for table in tables]
    yield
    for table, content in zip(tables, before, strict=True):
        table.clear()
        table.update(content)


@pytest.fixture
def opengl() -> None:
    """Skips the test where nothing can be drawn."""
    try:
        env = AnymalEnv(EnvConfig(num_envs=1, threads=1), [plane_tile()])
        Renderer(env, (64, 48)).close()
    except RenderingError as error:
        pytest.skip(str(error))
