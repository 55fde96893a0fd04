"""Measurements that contradict each other or cannot be an ANYmal's: mostly another unit, order, sign or frame."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anymal_policy import layout

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


@dataclass(frozen=True)
class Course:
    """Where the base of a robot began its episode, and where its velocities have led it since; (3,) each, world."""

    start: NDArray[np.float64]
    """m."""
    led: NDArray[np.float64]
    """m from there."""
    velocity: NDArray[np.float64]
    """m/s, as measured last."""


def follow(course: Course | None, values: Mapping[str, NDArray[np.float64]], rotation: NDArray[np.float64]) -> Course:
    """The course up to these measurements, one policy step after the last; None for an episode that begins."""
    velocity = rotation @ values["linear_velocity_b"]
    if course is None:
        return Course(values["base_position_w"].copy(), np.zeros(3), velocity)
    return Course(course.start, course.led + layout.POLICY_DT * (course.velocity + velocity) / 2, velocity)


def refuse_astray(course: Course, position_w: NDArray[np.float64]) -> None:
    """Raise a ValueError if the base is elsewhere than its velocities, turned by its quaternions, have led it."""
    moved, led = position_w - course.start, course.led
    apart, way = np.linalg.norm(moved - led), max(np.linalg.norm(moved), np.linalg.norm(led))
    if apart > ASTRAY + ASTRAY_SHARE * way:
        raise ValueError(
            f"base_position_w is {apart:.2g} m from where linear_velocity_b, turned by base_quaternion, has led: "
            "the velocity is in the base frame, the quaternion w, x, y, z, from base to world."
        )


def angle(cosine: float) -> float:
    """rad from 0 to pi."""
    return math.acos(min(1.0, max(-1.0, float(cosine))))
