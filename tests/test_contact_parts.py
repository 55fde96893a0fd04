"""Which part of a robot touches the ground is told of that part, and of no other."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from worlds import UPRIGHT, pose, put, simulation

from envs.frames import roll_pitch_quaternion
from envs.simulation import Simulation

FOLDED = torch.tensor([0.0, math.pi, 0.0] * 4)  # all legs stretched upwards


@pytest.fixture(scope="module")
def many() -> Simulation:
    """As many robots as `first_contact` tries heights."""
    return simulation(100)


def first_contact(sim: Simulation, quaternion: Tensor, joints: Tensor) -> dict[str, list[float]]:
    """Contacts of a robot that is lowered onto level ground, when the first of its parts touches it."""
    count = sim.batch.nsim
    put(sim, pose(torch.linspace(0.65, 0.05, count), quaternion, joints, count))
    state = sim.read()
    flags = {
        "foot": state.foot_contact,
        "thigh": state.thigh_contact,
        "shank": state.shank_contact,
        "base": state.base_contact.unsqueeze(-1),
    }
    touching = torch.cat(list(flags.values()), dim=-1).any(-1)
    row = int(touching.float().argmax())
    assert touching[row]
    return {name: flag[row].tolist() for name, flag in flags.items() if flag[row].any()}


def stretched_upwards_but(leg: int, angles: tuple[float, float, float]) -> Tensor:
    joints = FOLDED.clone().reshape(4, 3)
    joints[leg] = torch.tensor(angles)
    return joints.reshape(12)


def test_a_belly_landing_touches_with_the_base_alone(many: Simulation) -> None:
    assert first_contact(many, UPRIGHT, FOLDED) == {"base": [1.0]}


@pytest.mark.parametrize("leg", range(4))
def test_a_kneeling_leg_touches_with_its_own_shank(many: Simulation, leg: int) -> None:
    knee = math.pi / 2 if leg >= 2 else -math.pi / 2
    expected = [float(leg == i) for i in range(4)]
    assert first_contact(many, UPRIGHT, stretched_upwards_but(leg, (0.0, 0.0, knee))) == {"shank": expected}


@pytest.mark.parametrize("leg", range(4))
def test_a_knee_tilted_inwards_touches_with_its_own_thigh(many: Simulation, leg: int) -> None:
    knee = math.pi / 2 if leg >= 2 else -math.pi / 2
    left = leg % 2 == 0
    quaternion = roll_pitch_quaternion(torch.tensor(0.5 if left else -0.5), torch.tensor(0.0))
    expected = [float(leg == i) for i in range(4)]
    assert first_contact(many, quaternion, stretched_upwards_but(leg, (0.0, 0.0, knee))) == {"thigh": expected}


@pytest.mark.parametrize("leg", range(4))
def test_a_hanging_leg_touches_with_its_own_foot(many: Simulation, leg: int) -> None:
    expected = [float(leg == i) for i in range(4)]
    assert first_contact(many, UPRIGHT, stretched_upwards_but(leg, (0.0, 0.0, 0.0))) == {"foot": expected}
