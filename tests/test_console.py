"""What is printed as a result arrives, or the command says that it did not."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from full_disk import FULL, needs_full_device
from policy_files import write_policy

import evaluate
from envs.config import EnvConfig
from evaluation import conditions
from system.console import show

ROOT = Path(evaluate.__file__).parent
SHOW = [sys.executable, "-c", "from system.console import show; show('result')"]


@needs_full_device
def test_a_result_that_a_full_disk_refuses_is_missed() -> None:
    with FULL.open("w") as out:
        done = subprocess.run(SHOW, cwd=ROOT, stdout=out, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode != 0 and "No space left on device: 'stdout'" in done.stderr


class Gone:
    """A stream whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError

    flush = write


def test_a_reader_may_have_seen_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", Gone())
    show("result")


@needs_full_device
def test_results_are_in_their_file_before_they_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.06)
    write_policy(tmp_path / "teacher.pt", EnvConfig())
    files = ["--checkpoint", str(tmp_path / "teacher.pt"), "--json", str(tmp_path / "a.json")]
    with suppress(OSError), FULL.open("w") as out:  # there is no room when it is closed, either
        monkeypatch.setattr(sys, "stdout", out)
        code = evaluate.main([*files, "--terrains", "flat", "--episodes", "1", "--threads", "1"])
    monkeypatch.undo()
    assert code == 2
    assert "No space left on device: 'stdout'" in capsys.readouterr().err
    assert json.loads((tmp_path / "a.json").read_text())["cells"]
