"""Terminations of Miki et al. (Methods): body contact, large tilt. The actuator clamps the torque (decision 6)."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians

from torch import Tensor

from envs.own import OfState, named
from envs.state import State

MAX_TILT = radians(60.0)
"""rad between the base's z axis and the vertical at which the robot counts as fallen."""


def base_contact(s: State) -> Tensor:
    """The base touches the ground, (n,) bool."""
    return s.base_contact > 0


def tilt(s: State) -> Tensor:
    """The base leans by more than `MAX_TILT`, (n,) bool."""
    return s.gravity_b[:, 2] > -cos(MAX_TILT)


TERMS = {"base_contact": base_contact, "tilt": tilt}
"""Name -> function; any of them ends the episode as a fall."""


def terms(own: Sequence[str] = ()) -> dict[str, OfState]:
    """All of them, and those that an own task names."""
    return {**TERMS, **named("terminations", own)}
