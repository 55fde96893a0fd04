"""Gait prior: phases, foot trajectory and joint targets."""

from __future__ import annotations

import math

import pytest
import torch

from anymal_policy import gait
from anymal_policy.gait import NOMINAL_FOOT_B, TROT, GaitConfig, leg_fk
from anymal_policy.layout import DEFAULT_JOINT_POSITION, JOINT_LOWER, JOINT_UPPER
from envs import gait as environment_gait

CFG = GaitConfig()
STAND, WALK = torch.ones(1, dtype=torch.bool), torch.zeros(1, dtype=torch.bool)


@pytest.mark.parametrize(
    ("phase", "lift"),
    [
        (0.0, 0.0),
        (math.pi / 4, 0.1),
        (math.pi / 2, 0.2),
        (3 * math.pi / 4, 0.1),
        (math.pi, 0.0),
        (1.5 * math.pi, 0.0),
        (2 * math.pi, 0.0),
    ],
)
def test_foot_is_at_its_apex_in_mid_swing_and_down_in_stance(phase: float, lift: float) -> None:
    torch.testing.assert_close(gait.foot_lift(torch.tensor([phase])), torch.tensor([lift]), atol=1e-6, rtol=0)


def test_foot_lift_is_the_two_cubics_of_the_paper() -> None:
    phase = torch.linspace(0, 2 * math.pi, 1001, dtype=torch.float64)
    up, down = 2 * phase / math.pi, 2 * phase / math.pi - 1
    cubics = torch.where(phase <= math.pi / 2, -2 * up**3 + 3 * up**2, 2 * down**3 - 3 * down**2 + 1)
    torch.testing.assert_close(gait.foot_lift(phase), 0.2 * torch.where(phase <= math.pi, cubics, 0))


@pytest.mark.parametrize("phase", [0, math.pi / 2, math.pi, 2 * math.pi])
def test_foot_position_and_velocity_are_continuous(phase: float) -> None:
    moments = torch.tensor([phase - 1e-3, phase, phase + 1e-3], dtype=torch.float64) % (2 * math.pi)
    assert gait.foot_lift(moments).diff().abs().max() < 1e-6


def test_a_robot_without_command_and_speed_stands() -> None:
    command = torch.tensor([[0, 0, 0], [0, 0, 0.04], [0, 0, -0.06], [0.06, 0, 0], [0, 0, 0], [0, 0, 0]])
    velocity = torch.tensor([[0, 0, 0], [0.2, 0.2, 5], [0, 0, 0], [0, 0, 0], [0.22, -0.22, 0], [0, 0, 3.0]])
    assert gait.standing(command, velocity, CFG).tolist() == [True, True, False, False, False, True]


def test_walking_phase_runs_at_the_base_frequency_plus_scaled_action() -> None:
    action = torch.tensor([[0.0, 1.0, -2.0, 0.5]])
    step = gait.advance(torch.full((1, 4), 3.5), action, WALK, CFG) - 3.5
    torch.testing.assert_close(step, 2 * math.pi * 0.02 * torch.tensor([[1.25, 1.75, 0.25, 1.5]]), atol=1e-6, rtol=0)


def test_a_stride_takes_the_period_of_the_base_frequency() -> None:
    phase = start = TROT.unsqueeze(0)
    for _ in range(40):
        phase = gait.advance(phase, torch.zeros(1, 4), WALK, CFG)
    torch.testing.assert_close(phase, start, atol=1e-4, rtol=0)


def test_walking_is_a_trot() -> None:
    phase, lifts = TROT.unsqueeze(0), []
    for _ in range(40):
        phase = gait.advance(phase, torch.zeros(1, 4), WALK, CFG)
        lifts.append(gait.foot_lift(phase))
    lift = torch.cat(lifts)
    torch.testing.assert_close(lift[:, [0, 1]], lift[:, [3, 2]], atol=1e-6, rtol=0)
    assert (lift[0, [0, 3]] > 0).all() and (lift[0, [1, 2]] == 0).all()
    assert (lift.minimum(lift[:, [1, 0, 3, 2]]) < 1e-5).all()
    assert (lift.amax(dim=0) > 0.19).all()


def test_start_phases_are_a_trot_at_a_random_moment() -> None:
    phase = gait.start_phase(1000, torch.Generator().manual_seed(0))
    offset = torch.remainder(phase - phase[:, :1], 2 * math.pi)
    torch.testing.assert_close(offset[:, [1, 2]], torch.full((1000, 2), math.pi), atol=2e-3, rtol=0)
    torch.testing.assert_close(offset[:, 3], torch.zeros(1000))
    assert phase.min() >= 0 and phase.max() < 2 * math.pi
    torch.testing.assert_close(phase[:, 0].mean(), torch.tensor(math.pi), atol=0.2, rtol=0)


def test_standing_parks_legs_on_the_ground_at_once_and_ignores_the_action() -> None:
    phase = torch.tensor([[math.pi, 4.0, 5.0, 6.2]])
    torch.testing.assert_close(gait.advance(phase, torch.full((1, 4), 3.0), STAND, CFG), TROT.unsqueeze(0))


def test_standing_legs_in_swing_land_without_a_jump_and_stay() -> None:
    phase = torch.tensor([[0.1, 1.5, 3.0, 3.14]])
    for _ in range(25):
        moved = gait.advance(phase, torch.full((1, 4), -9.0), STAND, CFG)
        swinging = moved < math.pi
        assert ((moved - phase)[swinging] - 0.05 * math.pi).abs().sum() < 1e-5
        assert (gait.foot_lift(moved) - gait.foot_lift(phase)).abs().max() < 0.031
        phase = moved
    torch.testing.assert_close(phase, TROT.unsqueeze(0))
    torch.testing.assert_close(gait.foot_lift(phase), torch.zeros(1, 4))


def test_robots_stand_and_walk_independently() -> None:
    phase, action, standing = torch.full((2, 4), 5.0), torch.zeros(2, 4), torch.tensor([True, False])
    moved = gait.advance(phase, action, standing, CFG)
    torch.testing.assert_close(moved, torch.stack([TROT, torch.full((4,), 5.0 + 0.05 * math.pi)]))


def test_phase_stays_wrapped_under_any_action() -> None:
    generator = torch.Generator().manual_seed(0)
    phase = gait.start_phase(2048, generator)
    for scale in (1e-8, 1.0, 30.0, 1e4):
        action = scale * torch.randn(2048, 4, generator=generator)
        phase = gait.advance(phase, action, torch.rand(2048, generator=generator) < 0.3, CFG)
        assert (phase >= 0).all() and (phase.double() < 2 * math.pi).all()
    backward = torch.full((1, 4), -2.5 - 1e-6)
    assert (gait.advance(torch.zeros(1, 4), backward, WALK, CFG).double() < 2 * math.pi).all()


def test_stance_without_residual_is_the_default_position() -> None:
    targets = gait.joint_targets(TROT.unsqueeze(0), torch.zeros(1, 12), CFG)
    torch.testing.assert_close(targets[0], torch.tensor(DEFAULT_JOINT_POSITION).float(), atol=1e-6, rtol=0)


def test_swing_lifts_the_foot_straight_up_in_the_base_frame() -> None:
    phase = torch.tensor([[math.pi / 2, math.pi, math.pi / 4, 0]])
    lifted = leg_fk(gait.joint_targets(phase, torch.zeros(1, 12), CFG))[0] - NOMINAL_FOOT_B
    expected = torch.tensor([[0, 0, 0.2], [0, 0, 0], [0, 0, 0.1], [0, 0, 0]])
    torch.testing.assert_close(lifted, expected, atol=1e-5, rtol=0)


def test_residual_adds_scaled_angles_in_joint_order() -> None:
    residual = torch.linspace(-1, 1, 12).unsqueeze(0)
    targets = gait.joint_targets(TROT.unsqueeze(0), residual, CFG)
    expected = torch.tensor(DEFAULT_JOINT_POSITION).float() + 0.3 * residual[0]
    torch.testing.assert_close(targets[0], expected, atol=1e-6, rtol=0)


def test_targets_stay_within_the_joint_limits() -> None:
    for residual, limit in ((-100.0, JOINT_LOWER), (100.0, JOINT_UPPER)):
        targets = gait.joint_targets(TROT.unsqueeze(0), torch.full((1, 12), residual), CFG)
        torch.testing.assert_close(targets[0], torch.tensor(limit).float())


@pytest.mark.parametrize("apex", [0.2, 0.0, 0.4])
def test_the_environments_gait_is_the_policys(apex: float) -> None:
    cfg, generator = GaitConfig(apex=apex), torch.Generator().manual_seed(0)
    phase = 2 * math.pi * torch.rand(500, 4, generator=generator)
    phase[0], phase[1], phase[2] = TROT, math.pi, 0.0
    action = 3 * torch.randn(500, 16, generator=generator)
    standing = torch.rand(500, generator=generator) < 0.3
    moved = gait.advance(phase, action[:, :4], standing, cfg)
    apart = (moved - environment_gait.advance(phase, action[:, :4], standing, cfg)).abs()
    assert torch.minimum(apart, 2 * math.pi - apart).max() < 1e-6
    targets = environment_gait.joint_targets(moved, action[:, 4:], cfg)
    torch.testing.assert_close(targets, gait.joint_targets(moved, action[:, 4:], cfg), atol=3e-6, rtol=0)


def test_the_environments_phases_stay_below_a_whole_turn() -> None:
    moved = environment_gait.advance(torch.zeros(1, 4), torch.zeros(1, 4), WALK, GaitConfig(base_frequency=-1e-9))
    assert moved.tolist() == [[0.0] * 4]
