"""evaluate.py --suite from the command line."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from full_disk import full_disk
from policy_files import write_policy, write_student

import evaluate
from anymal_policy.gait import GaitConfig
from anymal_policy.student import StudentConfig
from envs.config import EnvConfig
from evaluation import agents, conditions, protocol
from evaluation.conditions import Crowd
from evaluation.experiments import commands, distance, reference, sensed, steps, suite, tracking
from evaluation.experiments.experiment import Request
from evaluation.experiments.parts import Parts


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Experiments of a few steps, in a project with an untrained Teacher and three untrained Students."""
    monkeypatch.setattr(conditions, "SECONDS", 0.06)
    monkeypatch.setattr(tracking, "SETTLING", 0.02)
    monkeypatch.setattr(distance, "STEPS", 3)
    monkeypatch.setattr(distance, "TERRAINS", ("rough", "stairs_open"))
    monkeypatch.setattr(steps, "HEIGHTS", (0.1, 0.2))
    monkeypatch.setattr(commands, "SWEEPS", {name: sizes[:2] for name, sizes in commands.SWEEPS.items()})
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "pretrained" / "teacher.pt", EnvConfig())
    write_student(Path("gate.pt"), EnvConfig())
    write_student(Path("no_gate.pt"), EnvConfig(), StudentConfig(gate=False))
    write_student(Path("blind.pt"), EnvConfig(), StudentConfig(reconstruct=False, extero=False))


def run(names: str, *flags: str, out: str = "out") -> int:
    return evaluate.main(["--suite", names, "--episodes", "2", "--map-cells", "2", "--out", out, *flags])


def cells(name: str, out: str = "out") -> list[dict[str, Any]]:
    return json.loads((Path(out) / f"{name}.json").read_text())["cells"]


STUDENTS = ["--checkpoint", "gate.pt", "no_gate.pt", "blind.pt", "pretrained/teacher.pt", "zero"]


@pytest.mark.slow
def test_the_paper_is_every_experiment_with_what_it_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("paper", *STUDENTS) == 0
    made = [each.name for each in suite.OF_THE_PAPER if each.name != "curves"]
    assert {path.name for path in Path("out").iterdir()} == {
        f"{n}.{end}" for n in made for end in ("json", "md", "png")
    }
    assert "curves is left out: name directories" in capsys.readouterr().err
    noises = {(row["checkpoint"], row["noise"]) for row in cells("steps")}
    students = {(name, level) for name in ("gate.pt", "no_gate.pt", "blind.pt") for level in ("small", "large")}
    assert noises == students | {("pretrained/teacher.pt", "none"), ("zero", None)}
    assert all(row["episodes"] == 2 and len(row["ci95"]) == 2 for row in cells("steps") + cells("maps"))
    errors = {(row["checkpoint"], row["height_error"] is None) for row in cells("distance") if "height_error" in row}
    assert errors == {("gate.pt", False), ("no_gate.pt", False)}
    assert "no_gate.pt against gate.pt:" in Path("out/distance.md").read_text()
    scenes = {row["scene"] for row in cells("robustness") if row["checkpoint"] == "pretrained/teacher.pt"}
    assert scenes == {"stairs", "flat", "slippery"}
    assert {row["scene"] for row in cells("robustness") if row["checkpoint"] == "gate.pt"} > scenes
    assert Path("out/maps.png").stat().st_size > 5000


def test_robots_that_make_maps_come_in_batches_that_fit_into_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    robots, environment = [], sensed.environment

    def noted(agent: Any, tiles: Any, noise: Any, crowd: Crowd, change: Any) -> Any:
        robots.append(crowd.robots)
        return environment(agent, tiles, noise, crowd, change)

    monkeypatch.setattr(sensed, "environment", noted)
    monkeypatch.setattr(sensed, "CASES", [case for case in sensed.CASES if case.name == "nominal"])
    monkeypatch.setattr(sensed, "GROUNDS", {"step_up": {"height": (0.2,)}})
    monkeypatch.setattr(protocol, "MAX_ROBOTS", 2)
    (row,) = sensed.run(Request([agents.load_agent("gate.pt")], episodes=3, threads=1))
    assert robots == protocol.batches(3) == [2, 1]
    assert row["episodes"] == 3 and row["all_spread"] > 0


def test_a_map_suite_goes_on_after_an_interruption_and_the_blind_one_walks_what_it_can_feel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sensed, "GROUNDS", {"step_up": {"height": (0.2,)}})
    students, parts = [agents.load_agent(name) for name in ("gate.pt", "blind.pt")], Parts(tmp_path / "parts.json", {})
    request = Request(students, episodes=2, threads=1, parts=parts)
    rows = sensed.run(request)
    assert [row["case"] for row in rows if row["blind_student"]] == ["none", "nominal"]
    assert [row["case"] for row in rows if not row["blind_student"]] == [case.name for case in sensed.CASES]
    assert all(("all_spread" in row) != row["blind_student"] for row in rows)
    assert "to_nominal" in rows[0] and "to_blind" in rows[3] and "to_nominal" not in rows[1]
    monkeypatch.setattr(sensed, "evaluate_cells", None)  # nothing is walked again
    again = Request(students, episodes=2, threads=1, parts=Parts(tmp_path / "parts.json", {}))
    assert sensed.run(again) == rows
    assert "mapped, domes" in sensed.SENSED_MAPS.markdown(rows) and sensed.SENSED_MAPS.draw(rows) is not None


def test_the_reference_table_has_a_line_for_each_ground_and_a_column_for_each_policy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reference, "GROUNDS", {"flat": {}, "stairs_up": reference.GROUNDS["stairs_up"]})
    assert run("reference", "--checkpoint", "gate.pt", "zero") == 0
    made = [(row["checkpoint"], row["noise"], row["terrain"]) for row in cells("reference")]
    assert len(made) == 3 * 4 and set(made) >= {("zero", None, "flat"), ("gate.pt", "large", "stairs_up")}
    lines = Path("out/reference.md").read_text().splitlines()
    assert "| ground | gate.pt, nominal | gate.pt, large | zero |" in lines
    assert sum(line.startswith("| stairs_up, height 0.17, depth 0.3 |") for line in lines) == 2  # success, cost
    row = next(line for line in lines if line.startswith("| steep stairs | success 0.92 | 1 of 1 | 1 |"))
    assert row.endswith("| no |") or row.endswith("| open |")


def test_what_is_there_is_not_made_again_and_what_is_not_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commands, "on_flat", interrupted)
        assert run("steps,commands", "--checkpoint", "gate.pt") == 130
    assert {path.stem for path in Path("out").iterdir()} == {"steps"}
    before = Path("out/steps.json").stat().st_mtime_ns
    assert run("steps,commands", "--checkpoint", "gate.pt") == 0
    assert "steps: out/steps.json holds these results already." in capsys.readouterr().err
    assert Path("out/steps.json").stat().st_mtime_ns == before and cells("commands")


def test_results_of_other_settings_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("steps", "--checkpoint", "zero") == 0
    before = Path("out/steps.json").read_text()
    assert run("steps", "--checkpoint", "zero", "--seed", "1") == 2
    assert "results of other settings" in capsys.readouterr().err
    assert Path("out/steps.json").read_text() == before


def test_results_do_not_depend_on_threads() -> None:
    names = ("distance", "commands")
    for threads in ("1", "2"):
        assert run(",".join(names), "--checkpoint", "gate.pt", "--threads", threads, out=threads) == 0
    for name in names:
        assert Path("1", f"{name}.json").read_text() == Path("2", f"{name}.json").read_text()


def write_run(path: Path, losses: list[str], values: list[float]) -> None:
    path.mkdir(parents=True)
    with (path / "curves.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["iteration", "train/samples", *losses])
        writer.writerows([n, 1000 * n, *[value] * len(losses)] for n, value in enumerate(values, 1))


def test_curves_add_the_reconstruction_losses_and_know_who_has_none() -> None:
    write_run(Path("full/student"), ["loss/behaviour", "loss/heights", "loss/privileged"], [0.3, 0.1])
    write_run(Path("plain"), ["loss/behaviour"], [0.5, 0.4])
    assert run("curves", "--runs", "full", "plain") == 0
    full, plain = cells("curves")
    assert full["curves"]["samples"] == [1000, 2000] and full["curves"]["reconstruction"] == [0.6, 0.2]
    assert full["behaviour"] == pytest.approx(0.2) and full["reconstruction"] == pytest.approx(0.4)
    assert plain["reconstruction"] is None and plain["curves"]["reconstruction"] == [None, None]


def test_a_teachers_run_has_no_students_curves(capsys: pytest.CaptureFixture[str]) -> None:
    write_run(Path("teacher"), ["loss/value"], [0.3])
    assert run("curves", "--runs", "teacher") == 2
    assert "no training of a Student" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--suite", "moon", "--out", "out"], "choose paper or from reference, transfer, gait, mapfail"),
        (["--suite", "steps"], "name one with --out"),
        (["--suite", "steps", "--out", "gate.pt"], "is a file"),
        (["--suite", "steps", "--out", "out", "--terrains", "rough"], "--terrains is no part of a suite"),
        (["--suite", "steps", "--out", "out", "--noise", "large"], "--noise is no part of a suite"),
        (["--suite", "steps", "--out", "out", "--episodes", "0"], "--episodes must be at least 1"),
        (["--suite", "maps", "--out", "out", "--map-cells", "1"], "--map-cells must be at least 2"),
        (["--suite", "distance", "--out", "out", "--checkpoint", "zero"], "name a Student"),
        (["--suite", "distance", "--out", "out", "--checkpoint", "gate.pt", "--teacher", "gate.pt"], "holds a student"),
        (["--suite", "distance", "--out", "out", "--checkpoint", "gait.pt"], "another gait"),
        (["--suite", "curves", "--out", "out"], "with --runs"),
        (["--out", "out"], "--out goes with --suite alone"),
        (["--map-cells", "5"], "--map-cells goes with --suite alone"),
    ],
)
def test_a_suite_that_cannot_be_made_is_refused_in_one_sentence(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_student(Path("gait.pt"), EnvConfig(gait=GaitConfig(residual_scale=0.5)))
    assert evaluate.main(flags) == 2
    error = capsys.readouterr().err
    assert error.startswith("evaluate.py: ") and error.count("\n") == 1
    assert words in error and not Path("out").exists()


def test_results_that_another_evaluation_has_put_there_meanwhile_are_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def put_there(*_: object) -> list[Any]:
        Path("out").mkdir()
        Path("out/steps.json").write_bytes(b"\xff others")
        return []

    monkeypatch.setattr(evaluate, "remaining", put_there)
    monkeypatch.setattr(
        evaluate, "run_suite", lambda chosen, request, out: suite.remaining([steps.STEPS], request, out)
    )
    assert run("steps", "--checkpoint", "zero") == 2
    message = capsys.readouterr().err
    assert "steps.json holds results of other settings" in message and message.count("\n") == 1


def test_a_full_disk_costs_no_row_and_a_damaged_file_of_rows_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "steps.part.json"
    parts = Parts(path, {"seed": 0})
    with full_disk():
        assert parts.row("first", lambda: {"x": 1}) == {"x": 1}
    assert parts.row("second", lambda: {"x": 2}) == {"x": 2}
    said = capsys.readouterr().err
    assert said.count("warning: ") == 1 and str(path) in said and "complete again" in said
    assert Parts(path, {"seed": 0}).rows == {"first": {"x": 1}, "second": {"x": 2}}
    path.write_text('{"settings": {"seed": 0}}')
    with pytest.raises(ValueError, match="or is damaged: move it away"):
        Parts(path, {"seed": 0})
