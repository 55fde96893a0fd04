"""When a robot counts as fallen."""

from __future__ import annotations

import math

import pytest
import torch
from worlds import state

from envs import terminations
from envs.frames import roll_pitch_quaternion, rotate_inverse


def test_only_a_base_on_the_ground_ends_the_episode() -> None:
    s = state(2, base_contact=[1.0, 0.0], thigh_contact=1.0, shank_contact=1.0, foot_contact=1.0)
    assert terminations.base_contact(s).tolist() == [True, False]


@pytest.mark.parametrize(
    ("roll", "pitch", "fallen"),
    [(0, 0, False), (59, 0, False), (61, 0, True), (-61, 0, True), (0, 59, False), (0, -61, True), (180, 0, True)],
)
def test_a_robot_has_fallen_when_it_leans_by_more_than_sixty_degrees(roll: float, pitch: float, fallen: bool) -> None:
    lean = roll_pitch_quaternion(torch.tensor(math.radians(roll)), torch.tensor(math.radians(pitch)))
    s = state(1, gravity_b=rotate_inverse(lean, torch.tensor([0.0, 0.0, -1.0])))
    assert terminations.tilt(s).tolist() == [fallen]


def test_the_table_names_every_termination() -> None:
    assert list(terminations.TERMS.items()) == [
        ("base_contact", terminations.base_contact),
        ("tilt", terminations.tilt),
    ]
