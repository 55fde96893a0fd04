"""What is shipped is what a run has made, byte for byte, and its card says how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from full_disk import full_disk
from tiny_runs import ALL_STAGES

import train
from agents.checkpoint import read_policy
from tools import ship


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all stages and the baseline."""
    path = tmp_path_factory.mktemp("runs") / "all"
    assert train.main([*ALL_STAGES, "--blind", "--run-dir", str(path)]) == 0
    return path


def test_every_policy_is_shipped_byte_for_byte_with_a_card_that_says_how_it_was_made(run: Path, tmp_path: Path) -> None:
    cell = {
        "checkpoint": str(run / "student"), "terrain": "flat", "parameters": {}, "noise": "large", "episodes": 7,
        "success": 0.5, "ci95": [0.2, 0.8], "falls": 3,
    }  # fmt: skip
    results = tmp_path / "reference.json"
    agents = [
        {"checkpoint": str(run / kind), "hash": read_policy(ship.made(run, kind))["hash"]} for kind in ship.MADE_BY
    ]
    rows = [cell, {**cell, "checkpoint": "another/student", "success": 0.1}]
    results.write_text(json.dumps({"cells": rows, "settings": {"agents": agents, "seed": 1000}}))
    assert ship.main([str(run), "--out", str(tmp_path), "--reference", str(results)]) == 0
    for kind in ("teacher", "student", "blind"):
        record, card = read_policy(ship.made(run, kind)), (tmp_path / f"{kind}.md").read_text()
        assert (tmp_path / f"{kind}.pt").read_bytes() == ship.made(run, kind).read_bytes()
        assert record["hash"] in card and "python train.py --task anymal_flat --seed 7" in card
        assert ("0.500 [0.200, 0.800]" in card) == ("7 episodes a cell, seed 1000" in card) == (kind == "student")
        assert "0.100 [" not in card
    assert "--seed 7 --blind" in (tmp_path / "blind.md").read_text()
    assert (tmp_path / "student.onnx").is_file() and (tmp_path / "student.json").is_file()


def test_an_evaluation_of_other_policies_is_no_card(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agents = [{"checkpoint": str(run / kind), "hash": "of an older one"} for kind in ship.MADE_BY]
    (tmp_path / "reference.json").write_text(json.dumps({"cells": [], "settings": {"agents": agents, "seed": 0}}))
    out = tmp_path / "out"
    assert ship.main([str(run), "--out", str(out), "--reference", str(tmp_path / "reference.json")]) == 2
    assert "must have each policy of the run once" in capsys.readouterr().err and not out.exists()


def test_a_full_disk_leaves_what_was_shipped_before(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "teacher.pt").write_bytes(b"the one before")
    with full_disk():
        assert ship.main([str(run), "--out", str(tmp_path)]) == 2
    assert "teacher.pt" in capsys.readouterr().err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"teacher.pt": b"the one before"}


def test_students_of_another_teacher_are_not_shipped(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, source in (("teacher", "walk"), ("student", "student")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "policy.pt").write_bytes((run / source / "policy.pt").read_bytes())
    assert ship.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "are not of its Teacher" in capsys.readouterr().err and not (tmp_path / "out").exists()


def test_a_run_that_goes_on_meanwhile_is_not_shipped_under_another_s_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind, content in (("teacher", b"a"), ("student", b"b")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "policy.pt").write_bytes(content)
    monkeypatch.setattr(ship, "read_policy", lambda path: {"hash": path.read_bytes(), "teacher_hash": b"a"})
    monkeypatch.setattr("tools.ship.shutil.copyfile", lambda source, to: to.write_bytes(b"c"))
    assert ship.main([str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "has gone on since this command began" in capsys.readouterr().err
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("content", ["", "iteration,train/samples,train/seconds\n", "a,b\n1,2\n"])
def test_a_training_without_curves_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "curves.csv").write_text(content)
    with pytest.raises(ValueError, match=r"curves\.csv holds no iterations"):
        ship.spending("walk", tmp_path / "curves.csv")
