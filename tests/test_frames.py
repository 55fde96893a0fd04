"""Rotations against MuJoCo's and against what one sees on the robot."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from envs import frames

X, Y, Z = torch.eye(3)
UPRIGHT = torch.tensor([1.0, 0.0, 0.0, 0.0])


def random_quaternions(count: int, seed: int = 0) -> Tensor:
    q = torch.randn(count, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return q / q.norm(dim=-1, keepdim=True)


def heading_of(quaternions: Tensor) -> Tensor:
    """Where the base's x axis points in the world."""
    forward = frames.rotate(quaternions, X.to(quaternions).expand(len(quaternions), 3))
    return torch.atan2(forward[:, 1], forward[:, 0])


def test_base_to_world_rotation_agrees_with_mujoco() -> None:
    quaternions, vectors = random_quaternions(50), torch.randn(50, 3, dtype=torch.float64)
    expected, result = np.zeros((50, 3)), frames.rotate(quaternions, vectors)
    for i in range(50):
        mujoco.mju_rotVecQuat(expected[i], vectors[i].numpy(), quaternions[i].numpy())
    np.testing.assert_allclose(result.numpy(), expected, atol=1e-12)


def test_world_to_base_rotation_undoes_base_to_world() -> None:
    quaternions, vectors = random_quaternions(50), torch.randn(50, 3, dtype=torch.float64)
    assert_close(frames.rotate_inverse(quaternions, frames.rotate(quaternions, vectors)), vectors)


def test_a_robot_turned_left_has_the_worlds_x_axis_on_its_right() -> None:
    turned = frames.yaw_quaternion(torch.tensor(torch.pi / 2))
    assert_close(frames.rotate(turned, X), Y, atol=1e-6, rtol=0)
    assert_close(frames.rotate_inverse(turned, X), -Y, atol=1e-6, rtol=0)


def test_rotations_broadcast_over_leading_axes() -> None:
    quaternions = random_quaternions(6).reshape(3, 2, 4)
    vectors = torch.randn(3, 2, 3, dtype=torch.float64)
    assert_close(frames.rotate(quaternions, vectors)[2, 1], frames.rotate(quaternions[2, 1], vectors[2, 1]))
    assert_close(
        frames.rotate_inverse(quaternions, vectors)[1, 0], frames.rotate_inverse(quaternions[1, 0], vectors[1, 0])
    )


def test_product_turns_by_the_right_factor_first_and_agrees_with_mujoco() -> None:
    a, b = random_quaternions(50, seed=1), random_quaternions(50, seed=2)
    product, expected = frames.multiply(a, b), np.zeros((50, 4))
    for i in range(50):
        mujoco.mju_mulQuat(expected[i], a[i].numpy(), b[i].numpy())
    np.testing.assert_allclose(product.numpy(), expected, atol=1e-12)
    vectors = torch.randn(50, 3, dtype=torch.float64)
    assert_close(frames.rotate(product, vectors), frames.rotate(a, frames.rotate(b, vectors)))


def test_yaw_of_a_heading_is_that_heading_counter_clockwise() -> None:
    angle = torch.linspace(-3.1, 3.1, 21)
    assert_close(heading_of(frames.yaw_quaternion(angle)), angle, atol=1e-5, rtol=0)
    assert frames.rotate(frames.yaw_quaternion(torch.tensor(0.3)), X)[1] > 0


def test_positive_roll_lifts_the_left_side_and_positive_pitch_lowers_the_nose() -> None:
    zero, lean = torch.tensor(0.0), torch.tensor(0.2)
    rolled, pitched = frames.roll_pitch_quaternion(lean, zero), frames.roll_pitch_quaternion(zero, lean)
    assert frames.rotate(rolled, Y)[2] > 0.19
    assert frames.rotate(pitched, X)[2] < -0.19


def test_leaning_does_not_change_the_heading() -> None:
    lean = torch.rand(50, 2, generator=torch.Generator().manual_seed(0)) - 0.5
    heading = torch.linspace(-3, 3, 50)
    leaning = frames.roll_pitch_quaternion(lean[:, 0], lean[:, 1])
    assert_close(heading_of(frames.multiply(frames.yaw_quaternion(heading), leaning)), heading, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("angle", "wrapped"), [(0.0, 0.0), (4.0, 4.0 - 2 * np.pi), (-4.0, 2 * np.pi - 4.0), (7.0, 7.0 - 2 * np.pi)]
)
def test_wrapped_angles_lie_within_half_a_turn(angle: float, wrapped: float) -> None:
    assert frames.wrap_angle(torch.tensor(angle)).item() == pytest.approx(wrapped, abs=1e-6)
