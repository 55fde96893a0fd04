"""The torch-free runner: the same as torch in the environment, and a robot in plain MuJoCo on its feet."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from math import atan, cos, pi, sin
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from policy_files import write_contract
from worlds import environment, plane_tile

import export
from agents.checkpoint import load_policy
from anymal_policy import gait, layout
from anymal_policy.contract import ContractError
from anymal_policy.kinematics import foot_positions, rotation_matrix
from anymal_policy.runtime import Measurement, Runner
from envs import anymal
from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.drives import DriveConfig, equip
from envs.frames import rotate
from envs.height_noise import LEVELS
from envs.randomization import RandomizationConfig
from envs.robot import STANDING_HEIGHT, robot_spec
from envs.sensor_noise import SensorNoiseConfig

ROOT = Path(__file__).parents[1]
PRETRAINED = ROOT / "pretrained" / "student.pt"
NEW_JOINTS = layout.DEFAULT_JOINT_POSITION + np.linspace(-0.2, 0.2, 12)
WALKING = Measurement(
    joint_position=NEW_JOINTS,
    joint_velocity=np.linspace(-1, 1, 12),
    base_position_w=(0.0, 0.0, STANDING_HEIGHT),
    base_quaternion=(1.0, 0.0, 0.0, 0.0),
    linear_velocity_b=(0.4, 0.1, 0.0),
    angular_velocity_b=(0.1, 0.2, 0.3),
)
PERFECT = SensorNoiseConfig(scale=0.0)
STILL, AHEAD = (0.0, 0.0, 0.0), (0.5, 0.0, 0.0)


def flat(points: NDArray) -> NDArray:
    return np.zeros(len(points))


def measure(qpos: NDArray, qvel: NDArray) -> Measurement:
    """What perfect sensors say of MuJoCo's state (19,), (18,)."""
    linear, back = np.empty(3), np.empty(4)
    mujoco.mju_negQuat(back, qpos[3:7])
    mujoco.mju_rotVecQuat(linear, qvel[:3], back)
    return Measurement(qpos[7:].copy(), qvel[6:].copy(), qpos[:3].copy(), qpos[3:7].copy(), linear, qvel[3:6].copy())


def drive(runner: Runner, command: tuple[float, float, float], seconds: float) -> mujoco.MjData:
    """A robot on a plane in an ordinary MuJoCo simulation; its base never touches ground or tilts by 35 degrees.

    It has the drives that the policy was trained with.
    """
    spec = robot_spec(visual=False)
    equip(spec, DriveConfig(runner.contract["drive"]["model"]))
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[50, 50, 1])
    model = spec.compile()
    data = mujoco.MjData(model)
    joints = [model.actuator(name).id for name in layout.JOINTS]
    data.qpos[:3], data.qpos[7:] = (0, 0, STANDING_HEIGHT), layout.DEFAULT_JOINT_POSITION
    for _ in range(round(seconds * 50)):
        data.ctrl[joints] = runner.step(measure(data.qpos, data.qvel), command, flat)
        mujoco.mj_step(model, data, nstep=round(0.02 / model.opt.timestep))
        assert data.sensor("base_contact").data[0] == 0, f"fell after {data.time:.2f} s"
        assert rotation_matrix(data.qpos[3:7])[2, 2] > cos(35 * pi / 180), f"fell after {data.time:.2f} s"
    return data


def test_importing_the_runner_imports_no_torch() -> None:
    code = "import sys, anymal_policy.runtime; print(sorted({'torch', 'einops', 'mujoco'} & set(sys.modules)))"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_feet_are_where_torch_has_them() -> None:
    angles = torch.rand(20, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 4 - 2
    chain = gait.leg_chain().numpy()
    ours = np.stack([foot_positions(q, chain) for q in angles.numpy()])
    np.testing.assert_allclose(ours, gait.leg_fk(angles).numpy(), atol=1e-12)


def test_the_rotation_is_from_base_to_world() -> None:
    generator = torch.Generator().manual_seed(0)
    quaternion = torch.nn.functional.normalize(torch.randn(4, generator=generator, dtype=torch.float64), dim=0)
    vector = torch.randn(3, generator=generator, dtype=torch.float64)
    expected = rotate(quaternion, vector).numpy()
    np.testing.assert_allclose(rotation_matrix(quaternion.numpy()) @ vector.numpy(), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": 2}, "version 2, but this code reads 1"),
        ({"layout": {}}, "other observations"),
        ({"onnx": {"file": "gone.onnx", "sha256": ""}}, "which is not there"),
        ({"onnx": {"file": "student.onnx", "sha256": "0"}}, "not the file"),
    ],
    ids=str,
)
def test_files_that_do_not_belong_together_are_refused(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=message):
        Runner(write_contract(tmp_path, **changes))


def test_what_is_no_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"no contract .*missing\.json"):
        Runner(tmp_path / "missing.json")
    for text in ("not JSON", "[1]", "{}"):
        (tmp_path / "student.json").write_text(text)
        with pytest.raises(ContractError, match="not the contract"):
            Runner(tmp_path / "student.json")
    (tmp_path / "student.json").write_text('{"version": 1}')
    with pytest.raises(ContractError, match="lacks drive, gait"):
        Runner(tmp_path / "student.json")


def test_without_onnxruntime_the_runner_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ContractError, match="pip install onnxruntime"):
        Runner(write_contract(tmp_path))


def wild() -> AnymalEnv:
    """Robots that are pushed about on a slope by commands that change and cease; perceived without noise."""
    return environment(
        3,
        [plane_tile((0.2, -0.1), side=8.0)],
        noisy_groups=True,
        height_noise=LEVELS["none"],
        sensor_noise=PERFECT,
        commands=CommandConfig(resample_seconds=0.6, stand_probability=0.4),
        randomization=RandomizationConfig(push_seconds=0.5),
        episode_seconds=2.0,
    )


@pytest.mark.slow
def test_runner_gives_the_environments_joint_targets(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anymal, "start_phase", lambda count, generator: gait.TROT.expand(count, 4).clone())
    monkeypatch.chdir(exported)  # MuJoCo writes its warnings to the working directory
    env, policy = wild(), load_policy(exported / "policy.pt")
    runners = [Runner(exported / "student.json") for _ in range(env.num_envs)]
    targets, standing, episodes = np.zeros((env.num_envs, 12)), 0, 0
    for _ in range(500):
        for row, runner in enumerate(runners):
            robot = measure(env.simulation.qpos[row], env.simulation.qvel[row])
            targets[row] = runner.step(robot, env.state.command[row].numpy(), env.surface.height)
        standing += int((env.state.base_frequency == 0).sum())
        _, _, done, _ = env.step(policy.act(env.get_observations()))
        policy.reset(done)
        going = ~done.numpy()
        np.testing.assert_allclose(targets[going], env.state.joint_target.numpy()[going], atol=1e-4, rtol=0)
        for row in np.flatnonzero(done):
            runners[row].reset()
        episodes += int(done.sum())
    assert episodes >= 10 and 50 < standing < 1450


@pytest.mark.slow
def test_a_map_that_knows_nothing_is_the_same_to_runner_and_environment(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anymal, "start_phase", lambda count, generator: gait.TROT.expand(count, 4).clone())
    monkeypatch.chdir(exported)
    env = environment(
        1, [plane_tile((0.2, -0.1))], noisy_groups=True, height_noise=LEVELS["blank"], sensor_noise=PERFECT
    )
    policy, runner = load_policy(exported / "policy.pt"), Runner(exported / "student.json")
    for _ in range(20):
        robot = measure(env.simulation.qpos[0], env.simulation.qvel[0])
        target = runner.step(robot, env.state.command[0].numpy(), lambda points: np.full(len(points), np.nan))
        env.step(policy.act(env.get_observations()))
        np.testing.assert_allclose(target, env.state.joint_target[0].numpy(), atol=1e-4, rtol=0)


@pytest.mark.slow
def test_a_reset_runner_is_a_new_one(exported: Path) -> None:
    runner = Runner(exported / "student.json")
    first = [runner.step(WALKING, AHEAD, flat) for _ in range(5)]
    runner.reset()
    again = [runner.step(WALKING, AHEAD, flat) for _ in range(5)]
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[4] - first[0]).max() > 1e-3


@pytest.mark.slow
def test_where_in_the_world_and_which_way_does_not_matter(exported: Path) -> None:
    turn, tilt = 2.0, 0.1
    there = replace(WALKING, base_quaternion=(cos(tilt / 2), sin(tilt / 2), 0.0, 0.0))
    away = replace(
        WALKING,
        base_position_w=(5.0, -3.0, STANDING_HEIGHT + 1.0),
        base_quaternion=np.outer((cos(turn / 2), sin(turn / 2)), (cos(tilt / 2), sin(tilt / 2))).ravel()[[0, 1, 3, 2]],
    )
    ahead = np.array([cos(turn), sin(turn)])
    here = Runner(exported / "student.json").step(there, AHEAD, lambda xy: 0.3 * xy[:, 0])
    moved = Runner(exported / "student.json").step(away, AHEAD, lambda xy: 1 + 0.3 * (xy - (5.0, -3.0)) @ ahead)
    np.testing.assert_allclose(here, moved, atol=1e-5)


@pytest.mark.slow
def test_gravity_comes_from_the_imu_where_there_is_one(exported: Path) -> None:
    lean = atan(0.2)
    tilted = replace(WALKING, base_quaternion=(cos(lean / 2), sin(lean / 2), 0.0, 0.0))
    imu = replace(tilted, gravity_b=9.81 * np.array([0.0, -sin(lean), -cos(lean)]))
    wrong = replace(tilted, gravity_b=(0.0, 0.0, -1.0))
    a, b, c = (Runner(exported / "student.json").step(m, AHEAD, flat) for m in (tilted, imu, wrong))
    np.testing.assert_allclose(a, b, atol=1e-6)
    assert np.abs(a - c).max() > 1e-4


@pytest.mark.slow
def test_heights_that_the_map_does_not_know_are_those_of_the_soles(exported: Path) -> None:
    level = replace(WALKING, joint_position=layout.DEFAULT_JOINT_POSITION)
    on_the_ground = Runner(exported / "student.json").step(level, AHEAD, flat)
    unknown = Runner(exported / "student.json").step(level, AHEAD, lambda xy: np.full(len(xy), np.nan))
    np.testing.assert_allclose(unknown, on_the_ground, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("measurement", "command", "query", "message"),
    [
        (replace(WALKING, joint_velocity=np.full(12, np.nan)), AHEAD, flat, "joint_velocity must be 12 finite"),
        (replace(WALKING, joint_position=np.zeros(11)), AHEAD, flat, "joint_position must be 12 finite"),
        (replace(WALKING, base_quaternion=(0.0, 0.0, 0.0, 0.0)), AHEAD, flat, "base_quaternion has no direction"),
        (WALKING, (0.5, 0.0), flat, "command must be 3 finite"),
        (WALKING, AHEAD, lambda points: 0.0, "height query"),
    ],
    ids=("nan", "short", "quaternion", "command", "heights"),
)
def test_refused_measurements_change_nothing(exported: Path, measurement, command, query, message) -> None:
    runner, other = Runner(exported / "student.json"), Runner(exported / "student.json")
    for each in (runner, other):
        each.step(WALKING, AHEAD, flat)
    with pytest.raises(ValueError, match=message):
        runner.step(measurement, command, query)
    np.testing.assert_array_equal(runner.step(WALKING, AHEAD, flat), other.step(WALKING, AHEAD, flat))


@pytest.mark.slow
def test_robot_stands_and_steps_in_plain_mujoco(exported: Path) -> None:
    runner = Runner(exported / "student.json")
    standing = drive(runner, STILL, 3.0)
    assert np.abs(standing.qpos[:2]).max() < 0.1
    runner.reset()
    drive(runner, AHEAD, 3.0)


@pytest.mark.slow
@pytest.mark.skipif(not PRETRAINED.is_file(), reason="there is no pretrained Student yet")
def test_pretrained_student_walks_as_commanded_in_plain_mujoco(tmp_path: Path) -> None:
    assert export.main(["--checkpoint", str(PRETRAINED), "--out", str(tmp_path)]) == 0
    runner = Runner(tmp_path / "student.json")
    ahead = drive(runner, (0.7, 0.0, 0.0), 5.0)
    assert np.linalg.norm(ahead.qpos[:2]) == pytest.approx(3.5, rel=0.25)
    runner.reset()
    left = drive(runner, (0.0, 0.4, 0.0), 5.0)
    assert left.qpos[1] > 1.4
    runner.reset()
    assert np.abs(drive(runner, STILL, 3.0).qpos[:2]).max() < 0.3
