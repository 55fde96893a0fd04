"""Measurements that contradict each other or cannot be an ANYmal's: mostly another unit, order, sign or frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anymal_policy import layout
from anymal_policy.kinematics import rotation_matrix

FASTEST = 5.0
"""m/s of the base: more than twice what any ANYmal runs."""
FASTEST_TURN = 12.0
"""rad/s of the base, faster than it turns in a fall."""
FASTEST_JOINT = 20.0
"""rad/s: the drives reach 7.5 without load; an encoder's noise may add something."""
BEYOND = 0.3
"""rad, by which a joint may seem to be beyond its range."""
STEEPEST = math.radians(75)
"""Tilt of a robot that can still walk."""
DISAGREEMENT = math.radians(20)
"""Between gravity and quaternion."""
HIGHEST = 1.5
"""m, distance of the soles from the nearest height of the map around them."""
LEAST_BENT = 0.1
"""rad of a knee at the start of an episode, to the side to which it bends by default."""
ASTRAY, ASTRAY_SHARE = 0.2, 0.5
"""m, and a share of the way, by which the base may be elsewhere than its velocity has led."""
TURNED_ASTRAY, JOINTS_ASTRAY = 0.3, 0.5
"""rad, the same for the base's attitude and for a joint, beside that share; training's noise makes a joint's 0.4."""
LONGER = 0.05
"""Share by which a quaternion's length may differ from 1."""
FASTEST_COMMAND = 5.0
"""m/s and rad/s."""


def refuse_implausible(values: Mapping[str, NDArray[np.float64]], rotation: NDArray[np.float64]) -> None:
    """Raise a ValueError for what no ANYmal measures; `rotation` (3, 3) turns base into world."""
    for name, most, unit in (
        ("linear_velocity_b", FASTEST, "m/s"),
        ("angular_velocity_b", FASTEST_TURN, "rad/s"),
        ("joint_velocity", FASTEST_JOINT, "rad/s"),
        ("command", FASTEST_COMMAND, "m/s and rad/s"),
    ):
        if (largest := float(np.abs(values[name]).max())) > most:
            raise ValueError(
                f"{name} of {largest:.3g} is more than {most:g} {unit}, which no ANYmal has: see its unit."
            )
    beyond = np.maximum(layout.JOINT_LOWER - values["joint_position"], values["joint_position"] - layout.JOINT_UPPER)
    if beyond.max() > BEYOND:
        joint = layout.JOINTS[int(beyond.argmax())]
        raise ValueError(
            f"joint_position has {joint} {beyond.max():.3g} rad beyond its range: see its unit, signs and order."
        )
    if abs((length := float(np.linalg.norm(values["base_quaternion"]))) - 1) > LONGER:
        raise ValueError(f"base_quaternion has a length of {length:.3g} instead of 1: it is no attitude.")
    down = -rotation[2]
    if (tilt := angle(-down[2])) > STEEPEST:
        raise ValueError(
            f"base_quaternion tilts the robot by {math.degrees(tilt):.0f} degrees, from where it cannot walk: "
            "its order is w, x, y, z, from base to world."
        )
    if (off := angle(down @ values["gravity_b"])) > DISAGREEMENT:
        raise ValueError(
            f"gravity_b and base_quaternion are {math.degrees(off):.0f} degrees apart: gravity points down, "
            "(0, 0, -1) for a robot that stands level; the quaternion is w, x, y, z, from base to world."
        )
    heights = values["heights"][np.isfinite(values["heights"])]
    if len(heights) and abs(away := float(heights[np.abs(heights).argmin()])) > HIGHEST:
        raise ValueError(
            f"The ground is {abs(away):.3g} m {'above' if away > 0 else 'below'} the soles: "
            "base_position_w must be in the elevation map's frame."
        )


def refuse_no_stance(joint_position: NDArray[np.float64]) -> None:
    """Raise a ValueError for joints in which no ANYmal stands at the start of an episode."""
    for place, joint in enumerate(layout.JOINTS):
        bent = joint_position[place] * math.copysign(1.0, layout.DEFAULT_JOINT_POSITION[place])
        if joint.endswith("KFE") and bent < LEAST_BENT:
            raise ValueError(
                f"joint_position has {joint} at {joint_position[place]:.2g} rad where it stands at about "
                f"{layout.DEFAULT_JOINT_POSITION[place]:g}: see the order of legs and joints, signs, and that angles "
                "are not relative to a stance."
            )


class Poses(NamedTuple):
    """Pose of the base and joint angles."""

    position_w: NDArray[np.float64]
    """(3,) m."""
    rotation: NDArray[np.float64]
    """(3, 3), base to world."""
    joints: NDArray[np.float64]
    """(12,) rad."""


class Speeds(NamedTuple):
    """Velocities of base and joints."""

    linear_w: NDArray[np.float64]
    """(3,) m/s."""
    angular_b: NDArray[np.float64]
    """(3,) rad/s."""
    joints: NDArray[np.float64]
    """(12,) rad/s."""


@dataclass(frozen=True)
class Course:
    """Dead reckoning: the pose at the start of an episode, and the pose integrated from measured velocities since."""

    start: Poses
    led: Poses
    speeds: Speeds
    """As measured last."""


def follow(course: Course | None, values: Mapping[str, NDArray[np.float64]], rotation: NDArray[np.float64]) -> Course:
    """Dead reckoning one policy step further, by these measurements; `course` is None where an episode begins."""
    speeds = Speeds(rotation @ values["linear_velocity_b"], values["angular_velocity_b"], values["joint_velocity"])
    if course is None:
        start = Poses(values["base_position_w"].copy(), rotation, values["joint_position"].copy())
        return Course(start, start, speeds)
    mean = Speeds(*((old + new) / 2 for old, new in zip(course.speeds, speeds, strict=True)))
    led, dt = course.led, layout.POLICY_DT
    turned = led.rotation @ rotation_by(dt * mean.angular_b)
    there = Poses(led.position_w + dt * mean.linear_w, turned, led.joints + dt * mean.joints)
    return Course(course.start, there, Speeds(*(each.copy() for each in speeds)))


def refuse_astray(course: Course, position_w: NDArray[np.float64], rotation: NDArray, joints: NDArray) -> None:
    """Raise a ValueError if base or joints are not where dead reckoning has led them."""
    moved, led = position_w - course.start.position_w, course.led.position_w - course.start.position_w
    if (apart := np.linalg.norm(moved - led)) > ASTRAY + ASTRAY_SHARE * max(np.linalg.norm(moved), np.linalg.norm(led)):
        raise ValueError(
            f"base_position_w is {apart:.2g} m from where linear_velocity_b, turned by base_quaternion, has led: "
            "the velocity is in the base frame, the quaternion w, x, y, z, from base to world."
        )
    way = max(between(course.start.rotation, each) for each in (rotation, course.led.rotation))
    if (apart := between(course.led.rotation, rotation)) > TURNED_ASTRAY + ASTRAY_SHARE * way:
        raise ValueError(
            f"base_quaternion is {math.degrees(apart):.0f} degrees from where angular_velocity_b has led: "
            "see its unit and signs, and that it is in the base frame."
        )
    moved, led = joints - course.start.joints, course.led.joints - course.start.joints
    beyond = np.abs(moved - led) - ASTRAY_SHARE * np.maximum(np.abs(moved), np.abs(led))
    if beyond.max() > JOINTS_ASTRAY:
        joint = layout.JOINTS[int(beyond.argmax())]
        raise ValueError(f"joint_position of {joint} is not where joint_velocity has led: see unit, signs and order.")


def rotation_by(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation (3, 3) about a vector (3,) by its length in rad, which is less than pi."""
    half = float(np.linalg.norm(vector)) / 2
    return rotation_matrix(np.array([math.cos(half), *(np.sinc(half / np.pi) / 2 * vector)]))


def between(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """rad of the rotation that leads from one attitude (3, 3) to another."""
    return angle((np.trace(one.T @ other) - 1) / 2)


def angle(cosine: float) -> float:
    """rad from 0 to pi."""
    return math.acos(min(1.0, max(-1.0, float(cosine))))
