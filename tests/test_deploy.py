"""docs/deploy.md: its loop walks a robot in plain MuJoCo, stops when told to, and lets go when it must."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pytest
from documents import sections

from anymal_policy import contract, layout
from anymal_policy.kinematics import rotation_matrix
from anymal_policy.runtime import Measurement
from envs.drives import equip
from envs.robot import STANDING_HEIGHT, robot_spec
from evaluation.exported import drive_of

POLICY = Path(__file__).parents[1] / "pretrained" / "student.onnx"


class Robot:
    """A robot on a plane in plain MuJoCo, in the place of a real one."""

    def __init__(self, steps: int) -> None:
        """Told to stop after so many policy steps."""
        spec = robot_spec(visual=False)
        equip(spec, drive_of(POLICY.name, contract.read(POLICY.with_suffix(".json"))["drive"]))
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[50, 50, 1])
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        self.joints = [self.model.actuator(name).id for name in layout.JOINTS]
        self.left, self.damped, self.said = steps, False, []
        self.spoil: Callable[[Measurement], Measurement] = lambda measured: measured

    def stand(self, joints: list[float]) -> None:
        self.data.qpos[:3], self.data.qpos[7:] = (0, 0, STANDING_HEIGHT), joints

    def stop_requested(self) -> bool:
        self.left -= 1
        return self.left < 0

    def measure(self) -> Measurement:
        qpos, qvel = self.data.qpos, self.data.qvel
        rotation = rotation_matrix(qpos[3:7])
        return self.spoil(
            Measurement(
                joint_position=qpos[7:].copy(),
                joint_velocity=qvel[6:].copy(),
                base_position_w=qpos[:3].copy(),
                base_quaternion=qpos[3:7].copy(),
                linear_velocity_b=qvel[:3] @ rotation,
                angular_velocity_b=qvel[3:6].copy(),
                gravity_b=-rotation[2],
            )
        )

    def command(self) -> tuple[float, float, float]:
        return 0.7, 0.0, 0.0

    def map_height(self, points: np.ndarray) -> np.ndarray:
        return np.zeros(len(points))

    def track(self, target: np.ndarray) -> None:
        self.data.ctrl[self.joints] = target
        mujoco.mj_step(self.model, self.data, nstep=round(0.02 / self.model.opt.timestep))

    def damp(self) -> None:
        self.damped = True

    def log(self, error: Exception) -> None:
        self.said.append(str(error))


@pytest.fixture
def walk(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The loop of the page, on a clock that does not wait."""
    code, names = sections("deploy.md")["The loop"].files["loop.py"], {}
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 30
    exec(compile(code, "loop.py", "exec"), names)  # noqa: S102
    monkeypatch.setattr(names["time"], "sleep", lambda seconds: None)
    return names["walk"]


def test_the_loop_walks_as_commanded_until_it_is_told_to_stop(walk: Callable[..., int]) -> None:
    robot = Robot(150)
    assert walk(robot, POLICY) == 150 and robot.damped and not robot.said
    assert 1.4 < robot.data.qpos[0] < 2.6  # 3 s at 0.7 m/s
    assert rotation_matrix(robot.data.qpos[3:7])[2, 2] > 0.9


def test_the_loop_lets_go_of_a_robot_that_falls(walk: Callable[..., int]) -> None:
    robot = Robot(150)
    tilted = np.array([np.cos(np.pi / 6), 0.0, np.sin(np.pi / 6), 0.0])
    robot.spoil = lambda m: replace(m, base_quaternion=tilted, gravity_b=None) if robot.left < 140 else m
    assert walk(robot, POLICY) == 10 and robot.damped


def test_the_loop_lets_go_of_a_robot_whose_sensors_fail(walk: Callable[..., int]) -> None:
    def gone(_: Measurement) -> Measurement:
        raise ConnectionError

    robot = Robot(150)
    robot.spoil = gone
    with pytest.raises(ConnectionError):
        walk(robot, POLICY)
    assert robot.damped


def test_the_loop_bears_one_bad_measurement_but_not_two(walk: Callable[..., int]) -> None:
    def spoiled(*steps: int) -> Any:
        robot = Robot(20)
        bad = {19 - step for step in steps}
        robot.spoil = lambda m: replace(m, joint_velocity=np.full(12, np.nan)) if robot.left in bad else m
        return walk(robot, POLICY), len(robot.said)

    assert spoiled(5) == (20, 1)
    assert spoiled(5, 6) == (6, 2)
