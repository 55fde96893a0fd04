"""Exported policies in play and evaluation: the runner of the robot, fed with what the robot measures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from spectator import SHORT
from worlds import plane_tile

import evaluate
import play
from anymal_policy import contract, gait, layout
from anymal_policy.contract import ContractError
from anymal_policy.runtime import Runner
from envs import anymal
from envs.commands import CommandConfig
from envs.config import EnvConfig
from envs.depth import DepthConfig
from envs.randomization import NONE
from envs.robot import FOOT_RADIUS
from envs.sensors import ring_points
from evaluation import conditions
from evaluation.agents import Agent, load_agent
from evaluation.exported import drive_of, height_query, perceived_by
from evaluation.noise import with_map, with_noise

PRETRAINED = Path(__file__).parents[1] / "pretrained"
ONNX, JSON, CHECKPOINT = (str(PRETRAINED / f"student{ending}") for ending in (".onnx", ".json", ".pt"))


def walked(agent: Agent, noise: str, steps: int = 25) -> tuple[torch.Tensor, torch.Tensor]:
    """Joint targets (steps, n, 12) and actions (steps, n, 16) of robots on a slope."""
    cfg = replace(agent.env, num_envs=2, threads=1, randomization=NONE, commands=CommandConfig(fixed=(0.5, 0.1, 0.3)))
    env = agent.world(with_noise(cfg, noise), [plane_tile((0.1, -0.05), side=8.0)])
    agent.start(2, 0)
    targets, actions = [], []
    for _ in range(steps):
        actions.append(agent.act(env.get_observations()))
        _, _, done, _ = env.step(actions[-1])
        targets.append(env.state.joint_target.clone())
        assert not done.any()
    return torch.stack(targets), torch.stack(actions)


def test_the_exported_policy_does_what_its_checkpoint_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anymal, "start_phase", lambda count, generator: gait.TROT.expand(count, 4).clone())
    ours, theirs = walked(load_agent(CHECKPOINT), "none"), walked(load_agent(ONNX), "none")
    assert torch.allclose(ours[0], theirs[0], atol=1e-3) and torch.allclose(ours[1], theirs[1], atol=1e-2)
    assert (ours[0][-1] - ours[0][0]).abs().max() > 0.1


def test_with_a_bad_map_the_runner_sees_what_the_student_sees() -> None:
    agent = load_agent(ONNX)
    cfg = with_noise(replace(agent.env, num_envs=2, threads=1), "large")
    env = agent.world(cfg, [plane_tile()])
    env.step(torch.zeros(2, 16))
    soles = env.state.foot_position_w[1, :, 2].numpy() - 0.03
    heights = np.asarray(height_query(env, 1)(np.zeros((208, 2)))).reshape(4, 52) - soles[:, None]
    known = np.isfinite(heights)
    samples = env.get_observations()["extero_noisy"][1].numpy().reshape(4, 52)
    np.testing.assert_allclose(heights[known].clip(-1, 1), samples[known], atol=1e-5)
    assert samples.std() > 0.05


def test_with_a_map_of_its_own_the_runner_asks_that_map() -> None:
    agent = load_agent(ONNX)
    cfg = with_map(
        with_noise(replace(agent.env, num_envs=2, threads=1), "mapped"), DepthConfig("cameras", picture=(40, 30))
    )
    env = agent.world(cfg, [plane_tile((0.1, 0.0), side=8.0)])
    for _ in range(10):
        env.step(torch.zeros(2, 16))
    feet, robot = env.state.foot_position_w, torch.tensor([1])
    offsets = torch.from_numpy(layout.ring_offsets()).float()
    points = ring_points(feet[robot, :, :2], env.state.heading[robot], offsets).reshape(-1, 2).numpy()
    heights, truth = (np.asarray(query(points)) for query in (height_query(env, 1), env.surface.height))
    soles = (feet[1, :, 2].numpy() - FOOT_RADIUS).repeat(52)
    known = np.isfinite(heights)
    np.testing.assert_allclose(
        heights[known] - soles[known], perceived_by(env)["height_samples"][1].flatten()[known], atol=1e-4
    )
    assert known.mean() > 0.5 and np.abs(heights - truth)[known].max() > 2e-3


def test_a_robot_that_begins_anew_is_forgotten_alone() -> None:
    agent: Any = load_agent(ONNX)
    walked(agent, "none", steps=3)
    agent.reset(torch.tensor([True, False]))
    assert [runner.steps for runner in agent.runners] == [0, 3]


def test_its_environment_is_what_the_contract_says() -> None:
    agent = load_agent(JSON, EnvConfig(fall_penalty=7.0))
    said = json.loads(Path(JSON).read_text())
    assert agent.env.drive.model == said["drive"]["model"] and agent.env.gait.apex == said["gait"]["apex"]
    assert agent.env.noisy_groups and agent.env.fall_penalty == 7.0
    assert agent.meta["hash"] == said["policy"]["hash"]
    with pytest.raises(ValueError, match="name it with --drive.network, or the policy's checkpoint instead"):
        drive_of("x.onnx", {"model": "network"})


@pytest.mark.usefixtures("spectator")
@pytest.mark.parametrize("file", [ONNX, JSON])
def test_play_takes_it(file: str, monkeypatch: pytest.MonkeyPatch, capsys: Any, tmp_path: Path) -> None:
    monkeypatch.setattr(play, "find_viewer", lambda: None)
    monkeypatch.chdir(tmp_path)
    assert play.main(["--checkpoint", file, *SHORT]) == 0
    assert capsys.readouterr().out.startswith(f"{file} on flat")


def test_evaluate_takes_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.06)
    monkeypatch.chdir(tmp_path)
    small = "--terrains flat --episodes 2 --threads 1 --noise none,blank --json out.json"
    assert evaluate.main(["--checkpoint", ONNX, *small.split()]) == 0
    results = json.loads(Path("out.json").read_text())
    assert [(cell["checkpoint"], cell["noise"]) for cell in results["cells"]] == [(ONNX, "none"), (ONNX, "blank")]


def test_what_is_no_exported_policy_is_refused(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "bad.onnx").write_bytes(b"no network")
    for name, message in (
        ("bad.onnx", "is no network"),
        ("gone.onnx", "There is no exported"),
        ("gone.json", "no contract"),
    ):
        assert evaluate.main(["--checkpoint", str(tmp_path / name)]) == 2
        assert message in (said := capsys.readouterr().err) and said.count("\n") == 1


@pytest.mark.slow
def test_the_network_carries_its_contract(exported: Path, tmp_path: Path) -> None:
    alone = tmp_path / "student.onnx"
    alone.write_bytes((exported / "student.onnx").read_bytes())
    beside = contract.read(exported / "student.json")
    beside["onnx"].pop("sha256")
    for path in (alone, tmp_path / "student.json"):
        assert Runner(path).contract == beside


def test_without_any_contract_the_network_is_refused(tmp_path: Path) -> None:
    import onnx

    model = onnx.load(ONNX)
    del model.metadata_props[:]
    onnx.save(model, tmp_path / "student.onnx")
    with pytest.raises(ContractError, match="carries no contract"):
        Runner(tmp_path / "student.onnx")


@pytest.mark.parametrize("part", ["gait", "drive", "kinematics"])
def test_an_export_of_another_version_is_refused_in_one_sentence(part: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "student.onnx").write_bytes(Path(ONNX).read_bytes())
    said = json.loads(Path(JSON).read_text())
    (tmp_path / "student.json").write_text(json.dumps({**said, part: {}}))
    assert evaluate.main(["--checkpoint", str(tmp_path / "student.json")]) == 2
    message = capsys.readouterr().err
    assert f"of its {part}: export anew" in message and message.count("\n") == 1
