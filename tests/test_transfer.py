"""evaluate.py --suite transfer: worlds that differ in one thing, and policies in all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drive_worlds import ActuatorNetwork, numbers
from policy_files import write_policy, write_student
from urdf_files import TAIL, write_urdf

import evaluate
from anymal_policy.layout import DEFAULT_JOINT_POSITION
from envs.config import EnvConfig
from envs.drives import ANYDRIVE, PD, DriveConfig
from envs.drives.network import load
from evaluation import agents, conditions
from evaluation.agents import ROOT, ZeroAgent, load_agent
from evaluation.cells import make_cells
from evaluation.conditions import CONDITIONS, Crowd, environment, masses
from evaluation.deployment import CONTRACT, deploy
from evaluation.experiments import transfer
from evaluation.experiments.worlds import OF_DRIVES, PAYLOAD, WORLDS, with_network
from evaluation.protocol import evaluate_cells
from evaluation.reconstruction import student_in
from evaluation.urdf import walk
from evaluation.urdf.walk import UrdfWorld

STUDENT = ROOT / "pretrained" / "student.pt"
FLAT = make_cells(["flat"], [0.0], {})


class Standing:
    """In place of a runner: holds the default pose, and notes what it was told."""

    def __init__(self, contract: Path, check: bool) -> None:
        self.outputs = {"action": np.zeros(16, np.float32)}
        self.heard: list[tuple[Any, np.ndarray, np.ndarray]] = []

    def reset(self) -> None:
        self.heard.clear()

    def step(self, measurement: Any, command: np.ndarray, height: Any) -> np.ndarray:
        self.heard.append((measurement, command, height(np.zeros((208, 2)))))
        return DEFAULT_JOINT_POSITION.astype(np.float32)


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two worlds and a few steps, in a project with an untrained Teacher and Student; nobody exports."""
    monkeypatch.setattr(conditions, "SECONDS", 0.06)
    monkeypatch.setattr(transfer, "WORLDS", WORLDS[:2])
    monkeypatch.setattr(transfer, "GROUNDS", {"step_up": transfer.GROUNDS["step_up"]})
    monkeypatch.setattr(transfer, "deploy", lambda student, drive, out: out.mkdir())
    monkeypatch.setattr(walk, "Runner", Standing)
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    write_policy(tmp_path / "pretrained" / "teacher.pt", EnvConfig())
    write_student(Path("student.pt"), EnvConfig())
    write_urdf(Path("robot.urdf"))


STUDENT_AND_TEACHER = ("student.pt", "pretrained/teacher.pt")


def run(*flags: str, who: Sequence[str] = ("student.pt",), out: str = "out") -> int:
    return evaluate.main(["--suite", "transfer", "--episodes", "2", "--out", out, "--checkpoint", *who, *flags])


def rows(out: str = "out") -> list[dict[str, Any]]:
    return json.loads((Path(out) / "transfer.json").read_text())["cells"]


def test_every_world_has_every_policy_on_every_ground_or_says_why_not(short: None) -> None:
    assert run("--robot-urdf", "robot.urdf", who=STUDENT_AND_TEACHER) == 0
    made = {(row["world"], row["checkpoint"], transfer.ground(row)) for row in rows() if "terrain" in row}
    names, grounds = [world.name for world in WORLDS[:2]], ("step up 0.2 m", "step up 0.305 m")
    everywhere = {(world, who, ground) for world in names for who in STUDENT_AND_TEACHER for ground in grounds}
    assert made == everywhere | {(transfer.OF_THE_URDF, "student.pt", ground) for ground in grounds}
    assert all(row["episodes"] == 2 and len(row["ci95"]) == 2 for row in rows() if "terrain" in row)
    assert Path("out/transfer.png").stat().st_size > 5000
    lines = Path("out/transfer.md").read_text().splitlines()
    tables = len(transfer.QUANTITIES) - 1  # nobody succeeds, so there is no cost of transport
    assert lines.count("| world | policy | step up 0.2 m | step up 0.305 m |") == tables
    blank = f"| {transfer.OF_THE_URDF}: only Students can be exported | pretrained/teacher.pt, none |  |  |"
    assert lines.count(blank) == tables
    assert sum(line.startswith(f"| {transfer.OF_THE_URDF} | student.pt, nominal | 0.000 [") for line in lines) == 1


def test_what_is_there_is_not_made_again_and_another_robot_is_another_setting(
    short: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "WORLDS", ())
    assert run("--robot-urdf", "robot.urdf") == 0
    assert run("--robot-urdf", "robot.urdf") == 0
    assert "holds these results already" in capsys.readouterr().err
    write_urdf(Path("robot.urdf"), legs=("LF", "RF", "LH", "RH"))
    assert run("--robot-urdf", "robot.urdf") == 2
    assert "results of other settings" in capsys.readouterr().err


def test_without_a_urdf_its_row_is_left_out(
    short: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "WORLDS", WORLDS[:1])
    assert run() == 0
    assert "is left out: name its file with --robot-urdf" in capsys.readouterr().err
    assert {row["world"] for row in rows()} == {WORLDS[0].name}


def test_results_do_not_depend_on_threads(short: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "WORLDS", ())
    for threads in ("1", "2"):
        assert run("--robot-urdf", "robot.urdf", "--threads", threads, out=threads) == 0
    assert Path("1/transfer.json").read_text() == Path("2/transfer.json").read_text()


@pytest.mark.parametrize("text", [None, "<robot/>", TAIL])
def test_a_file_that_is_no_anymal_is_refused_before_anything_is_made(
    short: None, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if text == TAIL:
        write_urdf(Path("other.urdf"), TAIL)
    elif text is not None:
        Path("other.urdf").write_text(text)
    assert run("--robot-urdf", "other.urdf") == 2
    error = capsys.readouterr().err
    assert error.startswith("evaluate.py: other.urdf ") and error.count("\n") == 1 and not Path("out").exists()


def test_a_file_that_is_no_network_is_refused(short: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--drive-network", "none.npz") == 2
    assert "There is no actuator network none.npz: name a file with --drive-network." in capsys.readouterr().err


def test_a_urdf_goes_with_a_suite_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["--checkpoint", "zero", "--robot-urdf", "robot.urdf"]) == 2
    assert "--robot-urdf goes with --suite alone" in capsys.readouterr().err


def test_worlds_differ_from_the_conditions_of_evaluation_in_one_thing() -> None:
    changed = {world.name: world.difference() for world in WORLDS}
    assert changed.pop("as evaluated") == {} and len(changed) == len(WORLDS) - 1
    together = {**changed}
    drives = together.pop("drives: as fitted")
    assert set(drives) == {f"randomization.{name}" for name in OF_DRIVES} and not any(drives.values())
    physics = together.pop("2.5 ms, elliptic cone, soft contacts")
    assert physics == {"decimation": 8, "solver.cone": "elliptic", "solver.contacts": "default", "solver.impratio": 1.0}
    late = {name: together.pop(name) for name in ("10 ms late", "20 ms late", "40 ms late")}
    assert late["40 ms late"] == {"latency.action": (0.04, 0.04), "latency.proprioception": (0.04, 0.04)}
    assert all(len(settings) == 1 for settings in together.values())
    assert changed["10 kg on the base"] == {"randomization.payload": 10.0}
    assert changed["drives: pd"] == {"drive.model": "pd"} and changed["drives: anydrive"] == {"drive.model": "anydrive"}
    assert changed["drives 20 % weaker"] == {"drive.strength": 0.8}


def test_ideal_drives_cannot_be_slower() -> None:
    slow = next(world for world in WORLDS if "drive.lag" in world.difference())
    assert slow.unfit and slow.fits(EnvConfig()) and not slow.fits(EnvConfig(drive=PD))
    drives = [replace(CONDITIONS, drive=drive) for drive in (DriveConfig(), PD)]
    own = {world.name: [world.fits(cfg) for cfg in drives] for world in WORLDS}
    assert own["drives: pd"] == [True, False] and own["drives: anydrive"] == [False, True]
    assert own["as evaluated"] == own["MuJoCo's collider"] == own["10 kg on the base"] == [True, True]


def test_a_network_is_known_by_its_content(tmp_path: Path) -> None:
    for name in ("drive.npz", "moved.npz"):
        (tmp_path / name).write_bytes(ANYDRIVE.read_bytes())
    world = with_network(tmp_path / "drive.npz")
    assert world.difference() == {"drive.model": "network", "drive.network": load(ANYDRIVE).digest}
    trained = replace(CONDITIONS, drive=DriveConfig("network", str(tmp_path / "moved.npz")))
    assert world.unfit and not world.fits(trained)
    other = numbers(ActuatorNetwork(), tmp_path)
    assert world.fits(replace(CONDITIONS, drive=DriveConfig("network", str(other))))


def test_robots_of_the_world_as_fitted_have_drives_like_the_model() -> None:
    world = next(each for each in WORLDS if each.name == "drives: as fitted")
    assert world.unfit and not world.fits(replace(CONDITIONS, drive=PD))
    tiles = FLAT[0].tiles(0)[:1]
    ours, exact = (environment(ZeroAgent(), tiles, None, Crowd(4), each.change) for each in (WORLDS[0], world))
    assert np.ptp(ours.simulation.dynamics, axis=0).any() and not np.ptp(exact.simulation.dynamics, axis=0).any()


def test_a_policy_that_cannot_go_on_in_the_urdf_is_one_sentence(short: None, monkeypatch: Any, capsys: Any) -> None:
    def refuse(self: Standing, *_: Any) -> np.ndarray:
        raise ValueError("joint_target is not finite")

    monkeypatch.setattr(Standing, "step", refuse)
    monkeypatch.setattr(transfer, "WORLDS", ())
    assert run("--robot-urdf", "robot.urdf") == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith("evaluate.py: The exported policy cannot go on as the robot of robot.urdf: joint_target")


def test_a_world_replaces_what_belongs_to_the_policy() -> None:
    world = next(world for world in WORLDS if "decimation" in world.difference())
    env = environment(ZeroAgent(), FLAT[0].tiles(0)[:1], None, Crowd(1), world.change)
    assert env.simulation.model.opt.timestep == pytest.approx(0.0025) and env.simulation.decimation == 8


def test_a_payload_is_carried_by_every_robot() -> None:
    tiles = FLAT[0].tiles(0)[:1]
    loaded = next(world for world in WORLDS if "payload" in str(world.difference()))
    plain, more = (
        environment(ZeroAgent(), tiles, None, Crowd(4), change) for change in (WORLDS[0].change, loaded.change)
    )
    torch.testing.assert_close(masses(more) - masses(plain), torch.full((4,), PAYLOAD), atol=1e-4, rtol=0)


def test_robots_start_as_in_the_environment_and_hear_of_their_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.1)
    monkeypatch.setattr(walk, "Runner", Standing)
    urdf = write_urdf(tmp_path / "robot.urdf")
    heard: dict[int, list[Any]] = {}
    episode = walk.episode

    def noting(env: Any, model: Any, path: Path, runner: Any, start: Any) -> Any:
        result = episode(env, model, path, runner, start)
        heard[int(np.flatnonzero((env.simulation.qpos == start.qpos).all(-1))[0])] = list(runner.heard)
        return result

    monkeypatch.setattr(walk, "episode", noting)
    agent, tiles = ZeroAgent(), FLAT[0].tiles(0)
    results = UrdfWorld(urdf, tmp_path)(agent, FLAT, "none", Crowd(3, threads=2))
    env = environment(agent, tiles, "none", Crowd(3))
    assert set(heard) == {0, 1, 2} and len(results["outcome"]) == 3
    for row, steps in heard.items():
        measurement, command, heights = steps[0]
        np.testing.assert_allclose(measurement.joint_position, env.state.joint_position[row], atol=1e-5)
        np.testing.assert_allclose(measurement.base_position_w, env.state.base_position_w[row], atol=1e-5)
        np.testing.assert_allclose(command, (0.7, 0, 0), atol=1e-6)
        assert (heights == 0).all() and len(steps) == 5
        turned = steps[4][0].base_quaternion
        assert np.sign(steps[4][1][2]) == -np.sign(heading(turned) - heading(measurement.base_quaternion))


def heading(quaternion: np.ndarray) -> float:
    """Of the base's x axis, rad."""
    w, x, y, z = quaternion
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


@pytest.mark.slow
@pytest.mark.skipif(not STUDENT.is_file(), reason="there is no pretrained Student yet")
def test_the_pretrained_student_walks_a_robot_with_our_figures_as_in_the_environment(tmp_path: Path) -> None:
    agent = load_agent(STUDENT)
    student = student_in(agent)
    assert student is not None
    deploy(student, agent.env.drive, tmp_path)
    world = UrdfWorld(write_urdf(tmp_path / "robot.urdf"), tmp_path / CONTRACT)
    (ours,) = evaluate_cells(agent, FLAT, "nominal", Crowd(3, threads=2))
    (theirs,) = evaluate_cells(agent, FLAT, "nominal", Crowd(3, threads=2), world)
    assert theirs["success"] == ours["success"] == 1
    assert theirs["speed"] == pytest.approx(ours["speed"], rel=0.1)
    assert theirs["cost_of_transport"] == pytest.approx(ours["cost_of_transport"], rel=0.15)
