"""docs/results.md is made of what was measured: tables under the commands that make them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import results


def measured(checkpoint: str, success: float) -> dict[str, Any]:
    cell = {
        "checkpoint": checkpoint, "terrain": "flat", "parameters": {}, "noise": "none", "episodes": 7,
        "success": success, "ci95": [0.2, 0.8], "falls": 3,
    }  # fmt: skip
    settings = {"agents": [{"checkpoint": checkpoint}], "episodes": 7, "seed": 5}
    return {"settings": settings, "versions": {"commit": "abc"}, "cells": [cell]}


def test_each_table_stands_under_its_command_and_an_experiment_has_one_title(tmp_path: Path) -> None:
    for name, success in (("a", 0.5), ("b", 0.25)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "reference.json").write_text(json.dumps(measured(f"{name}.pt", success)))
    out = tmp_path / "results.md"
    assert results.main([str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(out)]) == 0
    text = out.read_text()
    assert text.count("## Success") == 1 and "In full" not in text
    first, second = (text.index(f"--checkpoint {name}.pt --episodes 7 --seed 5 --out DIR") for name in "ab")
    assert first < text.index("0.500 [") < second < text.index("0.250 [")


def test_worlds_that_need_a_file_are_made_with_its_flag() -> None:
    settings = {"agents": [{"checkpoint": "a.pt"}], "episodes": 7, "seed": 5, "worlds": {results.OF_THE_URDF: {}}}
    assert "--robot-urdf FILE --out" in results.command("transfer", settings)
    assert "--drive-network" not in results.command("transfer", settings)


def test_a_directory_without_results_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert results.main([str(tmp_path), "--out", str(tmp_path / "results.md")]) == 2
    assert "holds no results" in capsys.readouterr().err and not (tmp_path / "results.md").exists()


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b'{"cells": 3}', b'{"cells": [{}]}'])
def test_what_is_no_result_is_named(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "reference.json").write_bytes(content)
    assert results.main([str(tmp_path), "--out", str(tmp_path / "results.md")]) == 2
    message = capsys.readouterr().err
    assert "reference.json" in message and message.count("\n") == 1 and not (tmp_path / "results.md").exists()


def test_without_directories_the_document_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "results.md").write_text("the one before")
    assert results.main(["--out", str(tmp_path / "results.md")]) == 2
    assert "Name the directories" in capsys.readouterr().err
    assert (tmp_path / "results.md").read_text() == "the one before"


def test_commands_can_be_pasted_whatever_they_are_about() -> None:
    settings = {"agents": [{"checkpoint": "my runs/a"}, {"checkpoint": "zero"}], "seed": 5}
    assert "--checkpoint 'my runs/a' zero --seed 5 --out" in results.command("gait", settings)
    settings |= {"teacher": {"checkpoint": "the teacher.pt"}}
    assert "--teacher 'the teacher.pt'" in results.command("distance", settings)
    assert results.command("curves", {"runs": [{"run": "my runs/a"}]}).endswith("--runs 'my runs/a' --out DIR")
