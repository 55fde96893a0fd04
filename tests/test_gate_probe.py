"""evaluate.py --suite gate: what a Student's belief does around the moment at which its map fails."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from policy_files import write_student
from torch import Tensor

import evaluate
from anymal_policy.student import StudentConfig
from envs.config import EnvConfig
from evaluation import agents, conditions
from evaluation.experiments import failing_maps, gate
from evaluation.experiments.gate import BeliefTraces, relative


def step(action: Tensor, first: list[bool], done: list[bool]) -> Any:
    before = SimpleNamespace(linear_velocity_yaw=torch.full((2, 3), 0.5))
    return SimpleNamespace(action=action, first=torch.tensor(first), done=torch.tensor(done), before=before)


def test_traces_are_by_foot_and_by_the_moment_of_each_robot_s_own_failure() -> None:
    student: Any = SimpleNamespace(output=None)
    midway: Any = SimpleNamespace(began=torch.tensor([-1, -1]))
    traces = BeliefTraces(student, midway)
    for number in range(6):
        openness = torch.zeros(2, 4, 24)
        openness[0, 1], openness[1, 1] = 0.1 * number, 0.1 * number + 0.01
        belief = torch.full((2, 120), 0.0)
        belief[:, 0] = float(number**2)
        student.output = SimpleNamespace(gate=openness.flatten(1), belief=belief)
        if number == 1:
            midway.began[0] = 2
        if number == 3:
            midway.began[1] = 4
        traces.observe(step(torch.full((2, 16), float(number)), [True, True], [False, False]))
    trace = traces.finish(0.02)
    now = trace["seconds"].index(0.0)
    assert trace["robots"][now - 5 : now + 5] == [0, 1, 1, 2, 2, 2, 2, 1, 1, 0]
    assert trace["gate RF"][now] == pytest.approx((0.2 + 0.41) / 2)
    assert trace["gate LF"][now] == 0 and trace["gate"][now] == pytest.approx((0.2 + 0.41) / 8)
    assert trace["belief"][now] == pytest.approx(((4 - 1) + (16 - 9)) / 2)
    assert trace["action"][now] == pytest.approx(4.0) and trace["speed"][now] == 0.5


def test_robots_that_never_came_so_far_or_began_anew_before_are_left_out() -> None:
    student: Any = SimpleNamespace(output=SimpleNamespace(gate=torch.ones(2, 96), belief=torch.zeros(2, 120)))
    traces = BeliefTraces(student, SimpleNamespace(began=torch.tensor([-1, 2])))  # type: ignore
    for number in range(4):
        traces.observe(step(torch.zeros(2, 16), [True, number < 2], [False, number == 1]))
    assert set(traces.finish(0.02)["robots"]) == {0}
    assert traces.running.tolist() == [True, False]


def test_openness_is_relative_to_that_of_sound_maps() -> None:
    assert relative(0.1, 0.4) == pytest.approx(0.25)
    assert relative(None, 0.4) is relative(0.1, None) is None


def test_the_suite_probes_students_with_a_gate(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.2)
    monkeypatch.setattr(failing_maps, "DISTANCE", 0.0)
    monkeypatch.setattr(gate, "MOMENT", 0.06)
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    monkeypatch.chdir(tmp_path)
    write_student(Path("student.pt"), EnvConfig())
    write_student(Path("blind.pt"), EnvConfig(), StudentConfig(extero=False))
    flags = ["--suite", "gate", "--episodes", "4", "--out", "out", "--checkpoint"]
    assert evaluate.main([*flags, "blind.pt"]) == 2
    assert evaluate.main([*flags, "student.pt", "blind.pt", "zero"]) == 0
    cells = json.loads(Path("out/gate.json").read_text())["cells"]
    assert [row["condition"] for row in cells] == ["nominal", "covered", "blank", "plane", "frozen"]
    assert {row["checkpoint"] for row in cells} == {"student.pt"} and cells[0]["relative"] == 1
    assert all(row["failed"] > 0 and row["before"] == cells[0]["before"] for row in cells)
    assert cells[2]["openness"] != cells[0]["openness"]
    text = Path("out/gate.md").read_text()
    assert "| checkpoint | condition | robots | just before |" in text and "| blank |" in text
    assert Path("out/gate.png").stat().st_size > 5000
