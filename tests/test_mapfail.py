"""evaluate.py --suite mapfail: every condition of the map on every ground, beside the blind Student, pair by pair."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from policy_files import write_student

import evaluate
from anymal_policy.student import StudentConfig
from envs.config import EnvConfig
from envs.height_noise import FAILURES
from envs.sensors import NoisySensors
from evaluation import agents, conditions
from evaluation.agents import load_agent
from evaluation.conditions import Crowd, environment
from evaluation.experiments import mapfail
from evaluation.experiments.experiment import Request
from evaluation.experiments.failing_maps import FAILING, GROUNDS, MAP_CONDITIONS, Ground, Midway
from evaluation.experiments.mapfail import Crossing
from evaluation.protocol import evaluate_cells
from evaluation.trial import DISTANCE

STAIRS = Ground("stairs_up", {"height": 0.17, "depth": 0.3})


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Episodes of a few steps, in a project with an untrained Student and an untrained blind one."""
    monkeypatch.setattr(conditions, "SECONDS", 0.08)
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    write_student(Path("student.pt"), EnvConfig())
    write_student(Path("blind.pt"), EnvConfig(), StudentConfig(extero=False))


def run(*flags: str, out: str = "out", who: tuple[str, ...] = ("student.pt", "blind.pt")) -> int:
    return evaluate.main(["--suite", "mapfail", "--episodes", "3", "--out", out, "--checkpoint", *who, *flags])


def rows(out: str = "out") -> list[dict[str, Any]]:
    return json.loads((Path(out) / "mapfail.json").read_text())["cells"]


FEW = ("--conditions", "none,nominal,dropout", "--grounds", "stairs_up 0.17,flat")


def test_each_student_meets_each_condition_and_the_blind_one_walks_once_for_all_with_the_same_sensors() -> None:
    assert run(*FEW) == 0
    made = [(row["checkpoint"], row["condition"], row["ground"]) for row in rows()]
    names = [("blind.pt", "none"), ("blind.pt", "any map")]
    names += [("student.pt", name) for name in ("none", "nominal", "dropout")]
    assert made == [(*name, ground) for ground in ("flat", "stairs_up 0.17") for name in names]
    for row in rows():
        assert len(row["outcomes"]) == row["episodes"] == 3
        assert ("difference" in row) == (row["checkpoint"] == "student.pt")
    text = Path("out/mapfail.md").read_text()
    assert "| condition | flat | stairs_up 0.17 |" in text and Path("out/mapfail.png").stat().st_size > 5000
    assert sum(line.startswith("| dropout | 0.000 / 0.000: +0.000 [-") for line in text.splitlines()) == 1
    assert not Path("out/mapfail.part.json").exists()


def test_the_blind_student_walks_alike_under_every_condition_with_the_same_sensors() -> None:
    """Measured to the last bit: velocity error and cost of transport are of everything that it did."""
    walked, agent = {}, load_agent("blind.pt")
    for condition in MAP_CONDITIONS:
        crossing = Crossing(STAIRS, condition)
        (row,) = evaluate_cells(agent, [STAIRS.cell()], condition.level, Crowd(3), crossing)
        walked[condition.name] = {name: value for name, value in row.items() if name != "noise"}
    perfect, usual = walked.pop("none"), walked["nominal"]
    assert all(row == usual for row in walked.values()) and len(walked) == len(MAP_CONDITIONS) - 1
    assert perfect != usual


def test_an_interruption_costs_one_row(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    walked, evaluate_once = [], mapfail.evaluate_cells

    def counted(agent: Any, cells: Any, *rest: Any, **named: Any) -> Any:
        walked.append(agent.name)
        if len(walked) == 5:
            raise KeyboardInterrupt
        return evaluate_once(agent, cells, *rest, **named)

    monkeypatch.setattr(mapfail, "evaluate_cells", counted)
    assert run(*FEW) == 130
    assert [path.name for path in Path("out").iterdir()] == ["mapfail.part.json"]
    assert run(*FEW, "--seed", "1") == 2
    assert "part.json holds results of other settings" in capsys.readouterr().err
    assert run(*FEW) == 0 and len(walked) == 5 + 6
    assert run(*FEW, out="whole") == 0
    assert rows() == rows("whole")


@pytest.mark.parametrize(
    ("flags", "who", "words"),
    [
        (("--grounds", "moon"), ("student.pt", "blind.pt"), "--grounds has no 'moon'; choose from flat, rough 0.05"),
        (("--conditions", "fog"), ("student.pt", "blind.pt"), "--conditions has no 'fog'; choose from none, nominal"),
        ((), ("student.pt",), "and one blind one"),
        ((), ("blind.pt", "zero"), "name with --checkpoint Students that see heights"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    flags: tuple[str, ...], who: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*flags, who=who) == 2
    error = capsys.readouterr().err
    assert error.startswith("evaluate.py: ") and error.count("\n") == 1 and words in error
    assert not Path("out").exists()


def test_differences_are_of_the_same_episodes() -> None:
    base = {"ground": "flat", "ci95": [0, 1]}
    other = {**base, "condition": "any map", "blind_student": True, "outcomes": "ssft", "success": 0.5}
    perfect = {**other, "condition": "none", "outcomes": "ssss", "success": 1.0}
    own = {**base, "condition": "blank", "blind_student": False, "outcomes": "sosf", "success": 0.5}
    row = mapfail.compared(own, [perfect, other, own])
    assert (row["blind"], row["difference"]) == (0.5, 0.0)
    assert mapfail.compared({**own, "condition": "none"}, [perfect, other, own])["difference"] == -0.5


def test_a_terrain_s_name_means_all_its_grounds_in_their_order() -> None:
    request = Request([], grounds=("step_up", "stairs_up 0.22"), conditions=("dropout", "nominal"))
    assert [each.name for each in mapfail.grounds_of(request)] == ["stairs_up 0.22", "step_up 0.2", "step_up 0.305"]
    assert [each.name for each in mapfail.conditions_of(request)] == ["nominal", "dropout"]
    assert len({each.name for each in GROUNDS}) == len(GROUNDS)
    assert len({each.name for each in MAP_CONDITIONS}) == len(MAP_CONDITIONS) == len(FAILING) + 3


@pytest.mark.parametrize(("terrain", "middle"), [("stairs_up", DISTANCE / 2), ("step_up", None)])
def test_a_map_fails_when_its_robot_is_in_the_middle_and_once(terrain: str, middle: float | None) -> None:
    agent = load_agent("student.pt")
    ground = STAIRS if terrain == "stairs_up" else Ground(terrain, {"height": 0.1})
    env = environment(agent, ground.cell().tiles(0)[:1], "nominal", Crowd(2))
    assert isinstance(env.sensors, NoisySensors)
    start = env.state.base_position_w[:, 0].clone()
    ahead = torch.full((2,), middle) if middle else conditions.edge(env) - start
    midway, failures = Midway(env, terrain, FAILURES["blank"], 0.04), env.sensors.failures
    assert (ahead > 0.5).all()
    active = []
    for step in range(6):
        way = ahead[0] + (0.01 if step >= 2 else -0.01)
        env.state.base_position_w[0, :2] = midway.origin_w[0] + way * midway.forward_w[0]
        midway(env, step)
        env.step(torch.zeros(2, 16))
        active.append(failures.active().tolist())
    assert [first for first, _ in active] == [False, False, True, True, False, False]
    assert not any(second for _, second in active) and midway.began.tolist() == [3, -1]
