"""Measurements that contradict each other or cannot be an ANYmal's: mostly another unit, order, sign or frame."""

from __future__ import annotations

import math
from collections.abc import Mapping

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


def angle(cosine: float) -> float:
    """rad from 0 to pi."""
    return math.acos(min(1.0, max(-1.0, float(cosine))))
