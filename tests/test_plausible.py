"""What the robot's runner refuses when it is asked to check: wrong units, orders, signs and frames."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from anymal_policy import layout
from anymal_policy.runtime import Measurement, Runner

STANDING = Measurement(
    joint_position=layout.DEFAULT_JOINT_POSITION,
    joint_velocity=np.zeros(12),
    base_position_w=(0.0, 0.0, 0.55),
    base_quaternion=(1.0, 0.0, 0.0, 0.0),
    linear_velocity_b=np.zeros(3),
    angular_velocity_b=np.zeros(3),
)
AHEAD = (0.5, 0.0, 0.0)
SIDEWAYS = (0.7071, 0.7071, 0.0, 0.0)


def flat(points: NDArray) -> NDArray:
    return np.zeros(len(points))


WRONG = {
    "gravity that points up": (replace(STANDING, gravity_b=(0, 0, 1)), "gravity_b and base_quaternion are 180 degrees"),
    "gravity of another attitude": (replace(STANDING, gravity_b=(0.5, 0, -0.8)), "gravity_b and base_quaternion"),
    "x, y, z, w": (replace(STANDING, base_quaternion=(0.0, 0.0, 0.841, 0.54)), "w, x, y, z"),
    "no attitude": (replace(STANDING, base_quaternion=(2.0, 0.0, 0.0, 0.0)), "a length of 2 instead of 1"),
    "lying": (replace(STANDING, base_quaternion=SIDEWAYS), "tilts the robot by 90 degrees"),
    "degrees": (replace(STANDING, joint_position=np.degrees(layout.DEFAULT_JOINT_POSITION)), "rad beyond its range"),
    "another order": (
        replace(STANDING, joint_position=np.roll(layout.DEFAULT_JOINT_POSITION, 1)),
        "rad beyond its range",
    ),
    "degrees per second": (replace(STANDING, joint_velocity=np.full(12, 57.3)), "joint_velocity of 57.3"),
    "too fast": (replace(STANDING, linear_velocity_b=(8.0, 0, 0)), "linear_velocity_b of 8 is more than 5 m/s"),
    "too fast a turn": (replace(STANDING, angular_velocity_b=(0, 0, 90.0)), "angular_velocity_b of 90"),
    "another frame": (replace(STANDING, base_position_w=(0.0, 0.0, 4.0)), "m below the soles"),
    "under the map": (replace(STANDING, base_position_w=(0.0, 0.0, -4.0)), "m above the soles"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_no_anymal_measures_is_refused_and_changes_nothing(exported: Path, what: str) -> None:
    measurement, reason = WRONG[what]
    runner = Runner(exported / "student.json", check=True)
    runner.step(STANDING, AHEAD, flat)
    memory = {name: value.copy() for name, value in runner.memory.items()}
    with pytest.raises(ValueError, match=reason):
        runner.step(measurement, AHEAD, flat)
    assert all(np.array_equal(memory[name], value) for name, value in runner.memory.items())
    Runner(exported / "student.json", check=False).step(measurement, AHEAD, flat)


def test_a_command_beyond_all_speeds_is_refused(exported: Path) -> None:
    with pytest.raises(ValueError, match="command of 50"):
        Runner(exported / "student.json").step(STANDING, (50.0, 0, 0), flat)


def test_by_default_the_first_second_of_each_episode_is_checked(exported: Path) -> None:
    runner, wrong = Runner(exported / "student.json"), WRONG["gravity that points up"][0]
    for _ in range(2):
        for _ in range(50):
            with pytest.raises(ValueError, match="gravity_b"):
                runner.step(wrong, AHEAD, flat)
            runner.step(STANDING, AHEAD, flat)
        runner.step(wrong, AHEAD, flat)
        runner.reset()


def test_what_a_robot_on_stairs_measures_is_no_contradiction(exported: Path) -> None:
    """Pitched by 30 degrees, fast, on ground that ends in a cliff, with unknown heights."""

    def cliff(points: NDArray) -> NDArray:
        return np.where(points[:, 0] > 0.3, -3.0, np.where(points[:, 1] > 0.5, np.nan, 0.0))

    pitched = (0.9659, 0.0, -0.2588, 0.0)
    stairs = replace(
        STANDING, base_quaternion=pitched, linear_velocity_b=(2.0, 0.5, 0.5), joint_velocity=np.full(12, 9.0)
    )
    Runner(exported / "student.json", check=True).step(stairs, AHEAD, cliff)


MIXED_UP = {
    "LF LH RF RH": layout.DEFAULT_JOINT_POSITION.reshape(4, 3)[[0, 2, 1, 3]].ravel(),
    "signs": -layout.DEFAULT_JOINT_POSITION,
    "relative to a stance": np.zeros(12),
}


@pytest.mark.parametrize("what", MIXED_UP)
def test_joints_that_are_no_stance_are_refused_at_the_start_alone(exported: Path, what: str) -> None:
    runner, mixed = Runner(exported / "student.json", check=True), replace(STANDING, joint_position=MIXED_UP[what])
    with pytest.raises(ValueError, match="order of legs and joints, signs"):
        runner.step(mixed, AHEAD, flat)
    for _ in range(50):
        runner.step(STANDING, AHEAD, flat)
    runner.step(mixed, AHEAD, flat)


def walk(runner: Runner, quaternion: tuple[float, ...], velocity_b: tuple[float, ...], along: float) -> None:
    """A second at 0.5 m/s, in the world in the direction `along`, rad."""
    for step in range(50):
        there = 0.5 * layout.POLICY_DT * step
        position = (there * np.cos(along), there * np.sin(along), 0.55)
        moving = {"base_quaternion": quaternion, "linear_velocity_b": velocity_b, "base_position_w": position}
        runner.step(replace(STANDING, **moving), AHEAD, flat)


LEFT = (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5))
"""Turned to +y."""


def test_a_base_that_moves_as_its_velocity_says_is_no_contradiction(exported: Path) -> None:
    runner = Runner(exported / "student.json", check=True)
    for quaternion, along in (((1.0, 0, 0, 0), 0.0), (LEFT, np.pi / 2)):
        walk(runner, quaternion, (0.5, 0, 0), along)
        runner.reset()


def test_a_robot_may_fill_the_same_array_anew_in_each_step(exported: Path) -> None:
    runner, position = Runner(exported / "student.json"), np.array([0.0, 0.0, 0.55])
    for step in range(50):
        position[0] = 0.7 * layout.POLICY_DT * step
        runner.step(replace(STANDING, linear_velocity_b=(0.7, 0, 0), base_position_w=position), AHEAD, flat)


@pytest.mark.parametrize(
    ("quaternion", "velocity", "along"),
    [
        ((0.0, 0.0, 0.0, 1.0), (0.5, 0, 0), 0.0),
        (LEFT, (0.0, 0.5, 0.0), np.pi / 2),
        ((1.0, 0, 0, 0), (-0.5, 0, 0), 0.0),
    ],
    ids=["x, y, z, w at yaw 0", "velocity in the world", "the other way"],
)
def test_a_base_that_is_not_where_its_velocity_leads_is_refused(
    exported: Path, quaternion: tuple[float, ...], velocity: tuple[float, ...], along: float
) -> None:
    runner = Runner(exported / "student.json")
    with pytest.raises(ValueError, match="from where linear_velocity_b, turned by base_quaternion, has led"):
        walk(runner, quaternion, velocity, along)
    assert 5 < runner.steps < 30


def turn_and_swing(runner: Runner, angular: float, joints: float) -> None:
    """A second in which the base turns left at 1 rad/s and the LF knee swings by 0.5 rad, and speeds that are these
    times as large are measured."""
    for step in range(50):
        now, knee = layout.POLICY_DT * step, np.arange(12) == 2
        moving = {
            "base_quaternion": (np.cos(now / 2), 0.0, 0.0, np.sin(now / 2)),
            "angular_velocity_b": (0.0, 0.0, angular),
            "joint_position": layout.DEFAULT_JOINT_POSITION + 0.5 * np.sin(2 * np.pi * now) * knee,
            "joint_velocity": joints * np.pi * np.cos(2 * np.pi * now) * knee,
        }
        runner.step(replace(STANDING, **moving), AHEAD, flat)


def test_turns_and_swings_as_their_speeds_say_are_no_contradiction(exported: Path) -> None:
    turn_and_swing(Runner(exported / "student.json"), 1.0, 1.0)


@pytest.mark.parametrize(
    ("angular", "joints", "reason"),
    [
        (-1.0, 1.0, "base_quaternion is .* degrees from where angular_velocity_b has led"),
        (57.3 / 5, 1.0, "from where angular_velocity_b has led"),
        (1.0, -1.0, "joint_position of LF_KFE is not where joint_velocity has led"),
    ],
    ids=["a gyroscope of the other sign", "of another unit", "joints' speeds of the other sign"],
)
def test_speeds_that_lead_elsewhere_are_refused(exported: Path, angular: float, joints: float, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        turn_and_swing(Runner(exported / "student.json"), angular, joints)


def test_targets_that_are_no_numbers_are_not_given(exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = Runner(exported / "student.json")
    runner.step(STANDING, AHEAD, flat)
    memory, run = dict(runner.memory), runner.session.run

    class Gone:
        @staticmethod
        def run(names: list[str], inputs: dict[str, NDArray]) -> list[NDArray]:
            return [values * np.nan for values in run(names, inputs)]

    runner.session = Gone()
    with pytest.raises(ValueError, match="not finite"):
        runner.step(STANDING, AHEAD, flat)
    assert runner.memory == memory


@pytest.mark.parametrize("number", [1e39, -1e300, np.inf, np.nan])
def test_what_float32_cannot_hold_is_refused(exported: Path, number: float) -> None:
    position = np.array(layout.DEFAULT_JOINT_POSITION, np.float64)
    position[3] = number
    with pytest.raises(ValueError, match="12 finite numbers"):
        Runner(exported / "student.json", check=False).step(replace(STANDING, joint_position=position), AHEAD, flat)
