"""What an actuator that is ours says of itself in its dynamics parameters, where the physics step finds it at once."""

from __future__ import annotations

MARK = 20190116.0
"""The first parameter of an actuator that is ours."""
MARKED, SIZES, LAST, NUMERIC, POSITION_GAIN, VELOCITY_GAIN, LAG = range(7)
"""Places of the mark, of its network's sizes, of the last of the robot's actuators, of the numeric with the network's
numbers, of the factors on position error and velocity, and of the time constant in s of the lag beside the network."""
PARAMETERS = 10
"""Dynamics parameters of an actuator (mjNDYN)."""


def size_code(sizes: tuple[int, int]) -> float:
    """One number for a network's layers and cells."""
    return float(1000 * sizes[0] + sizes[1])
