"""Files of own tasks: what is wrong or missing is said in one sentence, and a run keeps them as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from refusals import refusal
from tiny_runs import HOP, TEACHER

from envs import own
from envs.terrains import make_tile
from envs.terrains.bank import types_named
from training.tasks import keep_copy, run_task

pytestmark = pytest.mark.usefixtures("marks")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["reward", "termination"])
def test_an_own_term_of_another_shape_is_refused_before_anything_is_learnt(
    kind: str, folder: Path, capsys: Any
) -> None:
    code = f"""
from envs import own
from envs.config import EnvConfig, TerrainConfig
from envs.own import OwnTerms

@own.{kind}
def column(s):
    return s.foot_contact[:, :1] > 2

ASKED = {{"column": 0.5}} if "{kind}" == "reward" else ("column",)
WIDE = EnvConfig(terrain=TerrainConfig(types=("flat",), tile_size=4.0), own=OwnTerms(**{{"{kind}s": ASKED}}))
"""
    (folder / "wide.py").write_text(code)
    said = refusal(capsys, "--task", "wide.py:WIDE", *TEACHER)
    assert f"The own {kind} 'column' gave (4, 1), not (4,)." in said


def test_an_own_term_that_changes_its_shape_later_ends_the_run_with_one_sentence(folder: Path, capsys: Any) -> None:
    code = """
from envs import own
from envs.config import EnvConfig, TerrainConfig
from envs.own import OwnTerms

@own.reward
def fickle(s, calls=[]):
    calls.append(s)
    return s.foot_contact[:, 0] if len(calls) < 30 else s.foot_contact[:, :1]

FICKLE = EnvConfig(terrain=TerrainConfig(types=("flat",), tile_size=4.0), own=OwnTerms(rewards={"fickle": 0.5}))
"""
    (folder / "fickle.py").write_text(code)
    said = refusal(capsys, "--task", "fickle.py:FICKLE", *TEACHER)
    assert "The own reward 'fickle' gave (4, 1), not (4,)" in said
    assert "go on from the last save with: " in said


def test_a_task_file_is_kept_byte_for_byte_and_has_not_changed(folder: Path, capsys: Any) -> None:
    """Line ends of Windows, and letters of another encoding than ours."""
    (folder / "hop.py").write_bytes("# -*- coding: latin-1 -*-\n# für\n".encode("latin-1") + HOP.encode())
    content = (folder / "hop.py").read_bytes().replace(b"\n", b"\r\n")
    (folder / "hop.py").write_bytes(content)
    keep_copy("hop.py:HOP", folder)
    assert (folder / "task.py").read_bytes() == content
    record = {"task": "hop.py:HOP", "env": {}}
    assert run_task(record, folder, None) == "hop.py:HOP" and not capsys.readouterr().err


def test_a_run_on_own_terrain_says_which_file_is_missing(folder: Path) -> None:
    record = {"task": "waves.py:WAVES", "env": {"terrain": {"types": ["flat", "waves"]}}}
    with pytest.raises(ValueError, match=r"waves.py, which defines waves of .* --task .*task.py:WAVES"):
        run_task(record, folder, None)


def test_who_names_own_terrain_without_its_file_is_told_how() -> None:
    for name in (make_tile, lambda terrain: types_named([terrain])):
        with pytest.raises(ValueError, match="waves.* --task FILE.py:NAME"):
            name("waves")


def test_a_name_that_is_not_quite_the_marked_one_is_refused_with_those_that_are() -> None:
    def calm(s: Any) -> Any:
        return s.command[:, 0]

    own.reward(calm)
    with pytest.raises(ValueError, match=r"own reward 'clam' is not known here \(marked: .*calm\)"):
        own.named("rewards", ["clam"])
