"""The evaluation's physics: the same whatever a policy was trained with, unless it is asked for, and then on record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from policy_files import write_policy, write_student

import evaluate
from anymal_policy.gait import GaitConfig
from envs.config import EnvConfig
from envs.latency import LatencyConfig
from envs.solver import SolverConfig
from evaluation import conditions
from evaluation.agents import RandomAgent, load_agent, trained_for
from evaluation.cells import Cell
from evaluation.conditions import Crowd, environment
from evaluation.physics import Physics, described
from evaluation.protocol import evaluate as evaluate_agents
from evaluation.protocol import settings

ELSEWHERE = Physics(
    0.0025, SolverConfig("elliptic", "default", 1.0), LatencyConfig(action=(0.02, 0.02), proprioception=(0.01, 0.01))
)


@pytest.fixture(autouse=True)
def _short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.1)
    monkeypatch.chdir(tmp_path)


def trained_otherwise(tmp_path: Path) -> Any:
    """A Student whose training had other steps, contacts and delays."""
    env = EnvConfig(decimation=2, solver=SolverConfig("elliptic"), latency=LatencyConfig(action=(0.01, 0.02)))
    write_student(tmp_path / "student.pt", env)
    return load_agent(tmp_path / "student.pt")


def test_a_policys_training_changes_nothing_about_the_physics_it_is_evaluated_with(tmp_path: Path) -> None:
    agent = trained_otherwise(tmp_path)
    env = environment(agent, Cell("flat").tiles(0)[:1], "none", Crowd(2))
    assert env.simulation.model.opt.timestep == 0.005 and env.simulation.decimation == 4
    assert described(env.cfg) == described(EnvConfig()) == described(conditions.CONDITIONS)
    assert trained_for(agent.meta["env"]).decimation == 2  # which it still tells


def test_physics_steps_are_5_ms_at_any_policy_rate(tmp_path: Path) -> None:
    write_policy(tmp_path / "policy.pt", EnvConfig(gait=GaitConfig(dt=0.01), decimation=4))
    agent = load_agent(tmp_path / "policy.pt")
    env = environment(agent, Cell("flat").tiles(0)[:1], "none", Crowd(2))
    assert (env.cfg.dt, env.cfg.decimation, env.simulation.model.opt.timestep) == (0.01, 2, 0.005)


def test_physics_that_is_asked_for_comes_before_that_of_agent_and_conditions(tmp_path: Path) -> None:
    agent = trained_otherwise(tmp_path)
    env = environment(agent, Cell("flat").tiles(0)[:1], "none", Crowd(2), ELSEWHERE)
    assert env.simulation.model.opt.timestep == 0.0025 and env.cfg.solver.cone == "elliptic"
    assert (env.delay.values == 0.02).all() and env.cfg.latency.proprioception == (0.01, 0.01)
    own = replace(env.cfg, decimation=4, solver=SolverConfig(), latency=LatencyConfig())
    assert own == environment(agent, Cell("flat").tiles(0)[:1], "none", Crowd(2)).cfg


def test_results_of_different_physics_differ_and_say_so() -> None:
    def results(change: Physics) -> dict[str, Any]:
        return evaluate_agents([RandomAgent()], [Cell("flat")], ("none",), Crowd(3), lambda row: None, change)

    usual, elsewhere, again = (results(each) for each in (Physics(), ELSEWHERE, Physics()))
    assert usual == again and usual["cells"] != elsewhere["cells"]
    assert usual["settings"] == settings([RandomAgent()], ("none",), Crowd(3)) != elsewhere["settings"]
    assert usual["settings"]["physics"]["step"] == 0.005
    told = elsewhere["settings"]["physics"]
    assert told["step"] == 0.0025 and told["solver"]["contacts"] == "default"
    assert told["latency"] == {"action": (0.02, 0.02), "proprioception": (0.01, 0.01)}


def test_the_command_line_chooses_the_physics(tmp_path: Path) -> None:
    command = "--agent zero --terrains flat --episodes 2 --threads 1 --json out.json"
    chosen = "--physics.step 0.01 --physics.solver.cone elliptic --physics.latency.action 0.04 0.04"
    assert evaluate.main([*command.split(), *chosen.split()]) == 0
    told = json.loads((tmp_path / "out.json").read_text())["settings"]["physics"]
    assert (told["step"], told["solver"]["cone"], told["latency"]["action"]) == (0.01, "elliptic", [0.04, 0.04])


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--physics.step 0.003", "no whole number of physics steps of 0.003 s"),
        ("--physics.step 0", "no whole number of physics steps of 0 s"),
        ("--physics.step 0.01 --physics.solver.stiffness 1 2", "stiffness is at most 1"),
    ],
)
def test_impossible_physics_is_refused_before_anything_is_simulated(
    flags: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate.main(["--agent", "zero", "--terrains", "flat", *flags.split()]) == 2
    assert words in capsys.readouterr().err


def test_a_suite_has_its_own_physics(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["--agent", "zero", "--suite", "gait", "--out", "results", "--physics.step", "0.01"]
    assert evaluate.main(command) == 2
    assert "--physics is no part of a suite" in capsys.readouterr().err
