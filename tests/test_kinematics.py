"""Leg kinematics of the gait prior, against MuJoCo, the URDF's figures and themselves."""

from __future__ import annotations

import math
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor

from anymal_policy import gait
from anymal_policy.gait import NOMINAL_FOOT_B, leg_fk, leg_ik
from anymal_policy.layout import JOINT_LOWER, JOINT_UPPER, LEGS

ROBOT = Path(__file__).parents[1] / "envs" / "assets" / "anymal_c.xml"
MIRRORED = torch.tensor([[1, 1, 1], [-1, 1, 1], [1, -1, -1], [-1, -1, -1]]).flatten()


def reachable_angles(count: int, seed: int = 0) -> Tensor:
    """Joint angles (count, 12) in the knee convention whose feet hang well below the hips."""
    lower, upper = torch.tensor([-0.7, -0.6, -2.0]), torch.tensor([0.48, 0.9, -0.02])
    angles = lower + (upper - lower) * torch.rand(40 * count, 3, generator=torch.Generator().manual_seed(seed))
    hip, knee = angles[:, 1], angles[:, 1] + angles[:, 2] - math.atan2(0.08795, 0.31547)
    angles = angles[0.285 * torch.cos(hip) + 0.3275 * torch.cos(knee) > 0.05]
    return angles[: 4 * count].reshape(count, 12) * MIRRORED


def test_feet_are_where_the_urdf_puts_them_at_zero_angles() -> None:
    signs = torch.tensor([[1, 1, -1], [1, -1, -1], [-1, 1, -1], [-1, -1, -1]])
    feet = signs * torch.tensor([0.44775, 0.30116, 0.60047])
    torch.testing.assert_close(leg_fk(torch.zeros(12)), feet, atol=1e-6, rtol=0)


def test_joint_axes_turn_the_legs_the_right_way() -> None:
    rest = leg_fk(torch.zeros(3, 12))
    moved = leg_fk(0.1 * torch.eye(3).repeat(1, 4))
    assert (moved[0, :, 1] > rest[0, :, 1]).all()  # HAA about +x takes feet to the left
    assert (moved[1:, :, 0] < rest[1:, :, 0]).all()  # HFE and KFE about +y take feet backward


def test_forward_kinematics_agree_with_mujoco() -> None:
    model = mujoco.MjModel.from_xml_path(str(ROBOT))
    data = mujoco.MjData(model)
    sites = [model.site(f"{leg}_foot").id for leg in LEGS]
    for q in reachable_angles(50):
        data.qpos[:7], data.qpos[7:] = (0, 0, 0, 1, 0, 0, 0), q.numpy()
        mujoco.mj_kinematics(model, data)
        np.testing.assert_allclose(leg_fk(q.double()).numpy(), data.site_xpos[sites], atol=1e-9)


def test_inverse_kinematics_undo_forward_kinematics() -> None:
    q = reachable_angles(5000)
    torch.testing.assert_close(leg_ik(leg_fk(q)), q, atol=1e-5, rtol=0)


def test_inverse_kinematics_are_exact_in_double_precision() -> None:
    q = reachable_angles(1000).double()
    torch.testing.assert_close(leg_ik(leg_fk(q)), q, atol=1e-11, rtol=0)


@pytest.mark.parametrize("scale", [0.0, 1e-20, 0.05, 0.3, 1.0, 10.0, 1e6, 1.1e38])
def test_any_target_gives_angles_of_the_workspace(scale: float) -> None:
    target = scale * torch.randn(2000, 4, 3, generator=torch.Generator().manual_seed(0)).clamp(-3, 3)
    for feet in (target, target + NOMINAL_FOOT_B, target + gait._HAA.float()):
        q = leg_ik(feet)
        legs = (q * MIRRORED).reshape(-1, 4, 3)
        assert q.isfinite().all()
        assert (q[:, ::3] >= torch.tensor(JOINT_LOWER[::3]).float()).all()
        assert (q[:, ::3] <= torch.tensor(JOINT_UPPER[::3]).float()).all()
        assert (legs[..., 2] <= 1e-5).all() and (legs[..., 2] > -2.6).all()
        reached = leg_fk(q)
        torch.testing.assert_close(leg_fk(leg_ik(reached)), reached, atol=1e-4, rtol=0)


def test_a_target_out_of_reach_stretches_the_leg_towards_it() -> None:
    hip = leg_fk(torch.tensor([0.0, 0, 0] * 4)) - torch.tensor([0, 0, -0.60047])
    hip[:, 0] -= torch.tensor([1, 1, -1, -1]) * 0.08795
    direction = torch.tensor([0.6, 0.0, -0.8])
    reached = leg_fk(leg_ik(hip + 3 * direction)) - hip
    torch.testing.assert_close(reached, math.hypot(0.08795, 0.60047) * direction.expand(4, 3), atol=1e-5, rtol=0)


def test_a_target_beyond_the_hip_limit_stops_at_it() -> None:
    feet = torch.stack([NOMINAL_FOOT_B + torch.tensor([0, y, 0.1]) for y in (-1.0, 1.0)])
    haa = leg_ik(feet)[:, ::3]
    torch.testing.assert_close(haa[0], torch.tensor(JOINT_LOWER[::3]).float())
    torch.testing.assert_close(haa[1], torch.tensor(JOINT_UPPER[::3]).float())


def test_a_foot_too_far_inward_goes_to_the_inner_hip_limit_above_and_below_the_hip() -> None:
    inward = torch.tensor([-1.0, 1.0, -1.0, 1.0])
    for z in (-0.01, 0.01):
        feet = torch.stack([torch.tensor([0.36, 0.36, -0.36, -0.36]), inward, torch.full((4,), z)], dim=-1)
        haa = leg_ik(feet)[::3]
        torch.testing.assert_close(haa, torch.tensor([-0.72, 0.72, -0.72, 0.72]))
