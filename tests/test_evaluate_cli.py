from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from policy_files import write_policy, write_student

import evaluate
from agents.policies import StudentPolicy
from envs.config import EnvConfig
from envs.terrains import FAMILIES
from evaluation import agents, conditions


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Evaluations of a few steps, in a project whose only policy is an untrained Teacher."""
    monkeypatch.setattr(conditions, "SECONDS", 0.06)
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "pretrained" / "teacher.pt", EnvConfig())


SMALL = ["--terrains", "flat", "--episodes", "2", "--threads", "1"]


def run(*flags: str) -> tuple[int, list[dict[str, Any]]]:
    code = evaluate.main([*flags, *SMALL, "--json", "out.json"])
    return code, json.loads(Path("out.json").read_text())["cells"] if code == 0 else []


@pytest.mark.parametrize("flags", [(), ("--checkpoint",)])
def test_bare_checkpoint_flag_and_none_mean_the_pretrained_policy(flags: tuple[str, ...]) -> None:
    code, cells = run(*flags)
    assert code == 0
    assert [cell["checkpoint"] for cell in cells] == ["pretrained/teacher.pt"]


def test_policies_and_controls_share_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    code, cells = run("--checkpoint", "pretrained/teacher.pt", "zero", "random", "--markdown", "out.md")
    names = ["pretrained/teacher.pt", "zero", "random"]
    assert code == 0
    assert [cell["checkpoint"] for cell in cells] == names
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[2:]] == names
    assert Path("out.md").read_text().count("\n") == 5


def test_students_are_evaluated_at_every_level_of_noise_teachers_and_controls_once() -> None:
    write_student(Path("student.pt"), EnvConfig())
    code, cells = run("--checkpoint", "student.pt", "pretrained/teacher.pt", "zero", "--noise", "none,large,none")
    assert code == 0
    rows = [(cell["checkpoint"], cell["noise"]) for cell in cells]
    expected = [("student.pt", "none"), ("student.pt", "large"), ("pretrained/teacher.pt", "none"), ("zero", None)]
    assert rows == expected
    noise = json.loads(Path("out.json").read_text())["settings"]["noise"]
    assert list(noise) == ["none", "large"]
    assert noise["none"]["heights"]["factor"] == noise["none"]["sensors"]["scale"] == 0.0
    assert noise["large"]["heights"]["condition"] == "large" and noise["large"]["sensors"]["scale"] == 1.0


def test_students_walk_on_maps_of_the_sensors_that_were_asked_for() -> None:
    write_student(Path("student.pt"), EnvConfig())
    small = ("--map.picture", "8", "6", "--map.covered", "front", "--map.odometry.drift", "0.03")
    code, cells = run("--checkpoint", "student.pt", "--noise", "mapped,none", *small)
    assert code == 0 and [cell["noise"] for cell in cells] == ["mapped", "none"]
    noise = json.loads(Path("out.json").read_text())["settings"]["noise"]
    asked = noise["mapped"]["map"]
    assert (asked["sensors"], asked["picture"], asked["covered"]) == ("cameras", [8, 6], ["front"])
    assert asked["odometry"]["drift"] == 0.03 and noise["mapped"]["sensors"]["scale"] == 1.0
    assert "map" not in noise["none"]


def test_noise_reaches_what_a_student_perceives(monkeypatch: pytest.MonkeyPatch) -> None:
    write_student(Path("student.pt"), EnvConfig())
    seen: dict[str, Any] = {}
    act = StudentPolicy.act

    def watch(policy: StudentPolicy, obs: Any) -> Any:
        seen.update(obs.items())
        return act(policy, obs)

    monkeypatch.setattr(StudentPolicy, "act", watch)
    errors = {}
    for level in ("none", "nominal", "large"):
        assert run("--checkpoint", "student.pt", "--noise", level)[0] == 0
        errors[level] = (seen["extero_noisy"] - seen["extero"]).abs().mean().item()
        assert torch.allclose(seen["proprio_noisy"], seen["proprio"], atol=1e-5) == (level == "none")
    assert errors["none"] < 1e-6 < 0.05 < errors["nominal"] < 0.2 < errors["large"]


def test_agent_flag_needs_no_checkpoint() -> None:
    assert [cell["checkpoint"] for cell in run("--agent", "random")[1]] == ["random"]


def test_json_says_what_was_done() -> None:
    command = ["--terrains", "step_up,rough", "--height", "0.1", "--difficulties", "0.5,1", "--episodes", "3"]
    assert evaluate.main([*command, "--seed", "5", "--threads", "1", "--json", "out.json"]) == 0
    results = json.loads(Path("out.json").read_text())
    settings, cells = results["settings"], results["cells"]
    grounds = [(cell["terrain"], cell["difficulty"]) for cell in cells]
    assert grounds == [("step_up", None), ("rough", 0.5), ("rough", 1.0)]
    assert cells[0]["parameters"] == {"height": 0.1}
    expected = {"checkpoint", "noise", "success", "ci95", "velocity_error", "velocity_error_ci95", "yaw_rate_error"}
    for cell in cells:
        assert expected <= set(cell)
        lost = cell["falls"] + cell["out_of_lane"] + cell["timeouts"]
        assert cell["episodes"] == 3 == lost + round(3 * cell["success"])
    assert (settings["seed"], settings["episodes"]) == (5, 3)
    assert settings["agents"][0]["hash"] and settings["versions"]["mujoco"]
    assert settings["randomization"]["friction"] == [0.5, 1.25]


def test_same_seed_gives_the_same_file_at_any_thread_count() -> None:
    texts = []
    for threads, seed in (("1", "0"), ("2", "0"), ("1", "1")):
        command = ["--terrains", "rough", "--difficulties", "1", "--episodes", "3", "--seed", seed]
        assert evaluate.main([*command, "--threads", threads, "--json", "out.json"]) == 0
        texts.append(Path("out.json").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_a_users_heightmap_can_be_evaluated() -> None:
    np.save("course.npy", np.zeros((120, 130)))
    command = ["--agent", "zero", "--terrains", "course.npy", "--resolution", "0.1", "--episodes", "2"]
    used = {"resolution": 0.1, "start_x": 6.5, "start_y": 6.0, "heading": 0.0}
    assert evaluate.main([*command, "--json", "out.json"]) == 0
    cell = json.loads(Path("out.json").read_text())["cells"][0]
    assert (cell["terrain"], cell["parameters"]) == ("course.npy", used)


def test_every_parameter_of_every_family_has_a_flag() -> None:
    names = {parameter.name for family in FAMILIES.values() for parameter in family.parameters}
    assert names == set(evaluate.PARAMETERS)
    assert names <= set(evaluate.Args.__dataclass_fields__)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--terrains", "moon"], "choose one of flat"),
        (["--terrains", "flat,,rough"], "list like a,b"),
        (["--terrains", "nowhere.npy"], "no heightmap file"),
        (["--terrains", "flat", "--resolution", "0.1"], "name one in --terrains"),
        (["--difficulties", "0.5,2"], "within 0 and 1"),
        (["--difficulties", "hard"], "numbers like"),
        (["--difficulties", "nan"], "numbers like"),
        (["--terrains", "rough,flat", "--height", "0.1"], "rough has amplitude, feature; flat has none"),
        (["--terrains", "step_up", "--height", "7"], "within 0 to 1 m"),
        (["--terrains", "stairs_standard", "--direction=-2"], "must be one of [-1, 1]"),
        (["--terrains", "stairs_up", "--depth", "1.5", "--height", "0.1,,"], "numbers like"),
        (["--noise", "mapped", "--map.odometry.drift", "nan"], "--map.odometry.drift must be a finite number"),
        (["--physics.solver.impratio", "nan"], "--physics.solver.impratio must be a finite number"),
        (["--noise", "none,awful"], "choose from none, nominal"),
        (["--noise", ""], "list like a,b"),
        (["--episodes", "0"], "at least 1"),
        (["--threads", "0"], "at least 1"),
        (["--seed", "-1"], "at least 0"),
        (["--checkpoint", "missing.pt"], "missing.pt"),
        (["--checkpoint", "."], "holds no policy.pt"),
        (["--checkpoint", "pretrained/teacher.pt", "--agent", "zero"], "--checkpoint PATH zero"),
        (["--json", "nowhere/out.json"], "cannot be written"),
        (["--map.delay", "0.1"], "add mapped to --noise"),
        (["--noise", "mapped", "--map.sensors", "none"], "needs sensors"),
    ],
)
def test_what_cannot_be_met_is_refused_in_one_sentence(
    flags: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(flags) == 2
    error = capsys.readouterr().err
    assert error.startswith("evaluate.py: ") and error.count("\n") == 1
    assert words in error


def test_a_heightmap_without_room_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    np.save("small.npy", np.zeros((100, 100)))
    assert evaluate.main(["--agent", "zero", "--terrains", "small.npy"]) == 2
    assert "needs 5.5 m" in capsys.readouterr().err


def test_without_any_policy_it_says_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    Path("pretrained/teacher.pt").unlink()
    assert evaluate.main(SMALL) == 2
    assert "train a policy" in capsys.readouterr().err
