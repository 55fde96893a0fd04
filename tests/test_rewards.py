"""Every reward term on states made by hand."""

from __future__ import annotations

from dataclasses import asdict, fields
from math import exp, pi

import pytest
import torch
from torch import Tensor
from worlds import state

from anymal_policy.layout import DEFAULT_JOINT_POSITION
from envs import rewards
from envs.config import EnvConfig
from envs.rewards import S7_LITERAL, TERMS, RewardWeights, term_names, weighted_terms
from envs.state import State

C = 0.5  # c_k, other than 1 to see who scales with it


def value(name: str, s: State) -> float:
    result = TERMS[name](s)
    assert result.shape == (1,)
    assert result.dtype == torch.float32
    return result.item()


def test_weights_name_every_term_in_the_papers_order() -> None:
    order = [
        "linear_tracking", "angular_tracking", "linear_velocity", "angular_velocity", "orthogonal_velocity",
        "base_motion", "foot_clearance", "leg_collision", "joint_motion", "knee_flexion", "target_smoothness",
        "torque", "slip", "stance", "power", "foot_lift", "swing_height",
    ]  # fmt: skip
    assert list(TERMS) == [field.name for field in fields(RewardWeights)] == order


def test_weights_are_those_of_s7_but_for_base_motion_and_collisions() -> None:
    paper = {
        "base_motion": 1.0, "foot_clearance": 0.003, "leg_collision": 0.1, "joint_motion": 0.001, "knee_flexion": 0.08,
        "target_smoothness": 0.003, "torque": 1e-6, "slip": 0.003,
    }  # fmt: skip
    for weights, change in ((S7_LITERAL, {}), (RewardWeights(), {"base_motion": 0.3, "leg_collision": 0.3})):
        assert {name: asdict(weights)[name] for name in paper} == paper | change
    literal = asdict(S7_LITERAL)
    assert [literal[name] for name in list(TERMS)[:5]] == [0, 0, 0.75, 0.75, 0.75]
    ours = asdict(RewardWeights())
    assert [ours[name] for name in list(TERMS)[:5]] == [1.5, 0.75, 0, 0, 0]
    own = ("stance", "power", "foot_lift", "swing_height")
    assert not any(literal[name] for name in own) and all(ours[name] for name in own)


def test_linear_tracking_is_one_on_target_and_falls_with_the_whole_horizontal_error() -> None:
    def tracking(velocity: tuple[float, float, float]) -> float:
        return value("linear_tracking", state(1, command=[0.5, -0.2, 3.0], linear_velocity_b=velocity))

    assert tracking((0.5, -0.2, 9.0)) == pytest.approx(1)
    assert tracking((0.8, -0.2, 0)) == pytest.approx(exp(-0.09 / 0.25))
    assert tracking((0.2, -0.2, 0)) == pytest.approx(exp(-0.09 / 0.25))
    assert tracking((0.5, 0.2, 0)) == pytest.approx(exp(-0.16 / 0.25))
    assert tracking((-0.5, 0.2, 0)) == pytest.approx(exp(-1.16 / 0.25))


def test_on_a_slope_linear_tracking_wants_the_command_over_the_ground_not_along_the_body() -> None:
    pitched = state(1, command=[0.5, 0, 0], linear_velocity_b=[0.5, 0, 0], linear_velocity_yaw=[0.4, 0, 0.3])
    assert value("linear_tracking", pitched) == pytest.approx(exp(-0.01 / 0.25))


def test_angular_tracking_minds_the_sign_of_the_yaw_rate() -> None:
    def tracking(rate: float) -> float:
        return value("angular_tracking", state(1, command=[9, 9, -0.5], angular_velocity_b=[9, 9, rate]))

    assert tracking(-0.5) == pytest.approx(1)
    assert [tracking(-0.9), tracking(-0.1)] == pytest.approx([exp(-0.16 / 0.25)] * 2)
    assert tracking(0.5) == pytest.approx(exp(-1 / 0.25))


def by_name(s: State, weights: RewardWeights, dt: float = 1.0, **settings: float) -> dict[str, Tensor]:
    """The weighted terms with their names."""
    return dict(zip(term_names(weights), weighted_terms(s, weights, dt, **settings), strict=True))


def literal_share(s: State) -> float:
    """Share of the largest tracking reward of the literal S7."""
    terms = by_name(s, S7_LITERAL)
    return sum(terms[name].item() for name in list(TERMS)[2:5]) / 2.25


def test_literal_s7_pays_93_percent_for_standing_still() -> None:
    assert literal_share(state(1, command=[0.5, 0, 0])) == pytest.approx(0.926, abs=1e-3)
    ours = by_name(state(1, command=[0.5, 0, 0]), RewardWeights())
    assert ours["linear_tracking"].item() == pytest.approx(1.5 * exp(-1), rel=1e-5)


def test_literal_s7_takes_the_command_for_a_direction() -> None:
    assert value("linear_velocity", state(1, command=[0.5, 0, 0], linear_velocity_b=[0.5, 0, 0])) == pytest.approx(
        exp(-0.0625)
    )
    assert value("linear_velocity", state(1, command=[0.5, 0, 0], linear_velocity_b=[1.01, 0, 0])) == 1
    assert value("linear_velocity", state(1, command=[0.5, 0, 0], linear_velocity_b=[-0.5, 0, 0])) == pytest.approx(
        exp(-0.5625)
    )


def test_literal_s7_does_not_mind_overspeed() -> None:
    assert literal_share(state(1, command=[1, 0, 0], linear_velocity_b=[3, 0, 0])) == pytest.approx(1)
    assert value("linear_tracking", state(1, command=[1, 0, 0], linear_velocity_b=[3, 0, 0])) < 1e-6


def test_literal_s7_pays_in_full_for_not_turning_right() -> None:
    assert value("angular_velocity", state(1, command=[0, 0, -1])) == 1
    assert value("angular_velocity", state(1, command=[0, 0, 1])) == pytest.approx(exp(-1))
    assert value("angular_velocity", state(1, command=[0, 0, 1], angular_velocity_b=[0, 0, 1.1])) == 1


def test_literal_s7_without_command_wants_no_motion() -> None:
    s = state(1, linear_velocity_b=[0.6, 0.8, 5.0], angular_velocity_b=[5, 5, 0.5])
    assert value("linear_velocity", s) == pytest.approx(exp(-1))
    assert value("angular_velocity", s) == pytest.approx(exp(-0.25))
    assert value("orthogonal_velocity", s) == pytest.approx(exp(-3))


def test_literal_s7_punishes_velocity_beside_the_command() -> None:
    sideways = state(1, command=[1, 0, 0], linear_velocity_b=[0.7, 0.5, 0])
    assert value("orthogonal_velocity", sideways) == pytest.approx(exp(-0.75))
    half = state(1, command=[0.5, 0, 0], linear_velocity_b=[0.4, 0, 0])
    assert value("orthogonal_velocity", half) == pytest.approx(exp(-3 * 0.3**2))


def test_base_motion_costs_heaving_rolling_and_pitching_but_not_yaw_or_travel() -> None:
    s = state(1, C, linear_velocity_b=[3, 4, -0.2], angular_velocity_b=[-0.3, 0.5, 9])
    assert value("base_motion", s) == pytest.approx(-C * (1.25 * 0.04 + 0.4 * 0.3 + 0.4 * 0.5))


def test_power_is_the_magnitude_of_each_joints_torque_times_its_velocity() -> None:
    torque, velocity = torch.zeros(1, 12), torch.zeros(1, 12)
    torque[0, :3], velocity[0, :3] = torch.tensor([10.0, -20.0, 30.0]), torch.tensor([2.0, 1.0, 0.0])
    assert value("power", state(1, C, joint_torque=torque, joint_velocity=velocity)) == pytest.approx(-C * 40)


def test_foot_lift_is_free_up_to_its_limit_above_the_highest_sample() -> None:
    heights = torch.full((1, 4, 52), -0.25)
    heights[0, 1, 7] = -0.08  # higher ground beside the second foot: no more than it needs
    assert value("foot_lift", state(1, C, height_samples=heights)) == pytest.approx(-3 * 0.13)
    assert value("foot_lift", state(1, height_samples=0.25)) == 0


def test_swing_height_wants_feet_in_mid_swing_above_the_ground_near_them() -> None:
    walking = {"base_frequency": 1.25, "phase": [pi / 2, pi / 4, 3 * pi / 2, 0.0]}  # half up: 0.06 m, and by half
    low = value("swing_height", state(1, C, height_samples=-0.02, **walking))
    assert low == pytest.approx(-(0.10 + 0.5 * 0.04))
    assert value("swing_height", state(1, height_samples=-0.12, **walking)) == 0
    heights = torch.full((1, 4, 52), -0.12)
    heights[0, :2, 14:], heights[0, 2] = 0.3, 0.3  # risers beyond 0.16 m of swing feet, and beside a standing one
    assert value("swing_height", state(1, height_samples=heights, **walking)) == 0
    heights[0, 0, 13] = 0.05
    assert value("swing_height", state(1, height_samples=heights, **walking)) == pytest.approx(-0.17)


def test_swing_height_leaves_standing_robots_alone() -> None:
    assert value("swing_height", state(1, height_samples=0.0, phase=pi / 2)) == 0


def test_foot_clearance_counts_swing_feet_far_above_every_sample() -> None:
    heights = torch.full((1, 4, 52), -0.25)
    heights[0, 1, 7] = -0.19  # one sample is near: the second foot is not too high
    s = state(1, C, height_samples=heights, phase=[0.1, 0.1, pi - 0.1, pi + 0.1])
    assert value("foot_clearance", s) == -2
    assert value("foot_clearance", state(1, height_samples=0.25, phase=0.1)) == 0


@pytest.mark.parametrize(("part", "legs"), [("thigh_contact", 1), ("shank_contact", 1), ("shank_contact", 4)])
def test_leg_collision_costs_once_however_many_touch(part: str, legs: int) -> None:
    flags = [1.0] * legs + [0.0] * (4 - legs)
    assert value("leg_collision", state(1, C, **{part: flags})) == -C
    assert value("leg_collision", state(1, C, foot_contact=1.0, base_contact=1.0)) == 0


def test_joint_motion_costs_velocity_and_its_change_over_a_step() -> None:
    velocity, before = torch.zeros(12), torch.zeros(2, 12)
    velocity[3], before[0, 3], before[1, 3] = 2.0, -1.0, 50.0
    s = state(1, C, joint_velocity=velocity, joint_velocity_history=before)
    assert value("joint_motion", s) == pytest.approx(-C * (0.01 * 4 + 9))


def test_knee_flexion_costs_what_is_bent_beyond_the_threshold_either_way() -> None:
    joints = torch.zeros(12)
    joints[[2, 5, 8, 11]] = torch.tensor([-2.1, -1.8, 2.2, 0.5])
    joints[[0, 1, 3, 4]] = 3.0
    assert value("knee_flexion", state(1, C, joint_position=joints)) == pytest.approx(-(0.2**2 + 0.3**2), rel=1e-4)


def test_target_smoothness_costs_first_and_second_differences() -> None:
    target, history = torch.zeros(12), torch.zeros(2, 12)
    target[5], history[0, 5], history[1, 5] = 1.0, 0.7, 0.6
    s = state(1, C, joint_target=target, joint_target_history=history)
    assert value("target_smoothness", s) == pytest.approx(-C * (0.3**2 + 0.2**2), rel=1e-4)
    steady = state(1, C, joint_target=3.0, joint_target_history=torch.tensor([[2.0] * 12, [1.0] * 12]))
    assert value("target_smoothness", steady) == pytest.approx(-C * 12)


def test_torque_costs_its_square() -> None:
    torques = torch.zeros(12)
    torques[[0, 7]] = torch.tensor([-10.0, 20.0])
    assert value("torque", state(1, C, joint_torque=torques)) == pytest.approx(-C * 500)


def test_slip_costs_the_velocity_of_feet_on_the_ground_only() -> None:
    velocity = torch.zeros(4, 3)
    velocity[1], velocity[2] = torch.tensor([0.3, -0.4, 0.1]), torch.tensor([5.0, 5, 5])
    s = state(1, C, foot_velocity_w=velocity, foot_contact=[1, 1, 0, 1])
    assert value("slip", s) == pytest.approx(-C * 0.26, rel=1e-5)


def test_stance_costs_crouching_of_standing_robots_only() -> None:
    crouched = torch.from_numpy(DEFAULT_JOINT_POSITION).float()
    crouched[[1, 2]] += torch.tensor([0.5, -1.0])
    assert value("stance", state(1, C, joint_position=crouched)) == pytest.approx(-1.25, rel=1e-5)
    assert value("stance", state(1, C, joint_position=crouched, base_frequency=[1.25])) == 0


SCALED = {"base_motion", "leg_collision", "joint_motion", "target_smoothness", "torque", "slip", "power"}


def test_exactly_the_papers_terms_and_the_base_motion_come_in_with_c_k() -> None:
    generator = torch.Generator().manual_seed(0)

    def shaken(factor: float, walks: bool) -> State:
        generator.manual_seed(0)
        s = state(1, factor)
        for name, quantity in vars(s).items():
            if isinstance(quantity, torch.Tensor) and name not in ("base_quaternion", "gravity_b"):
                quantity.copy_(torch.randn(quantity.shape, generator=generator).abs())
        s.height_samples[:] = -0.5
        s.height_samples[:, 0] = 0.0
        s.phase[:] = 1.0
        s.joint_position[:] = 2.5
        s.base_frequency[:] = float(walks)
        return s

    for name, term in TERMS.items():
        expected = 0.5 if name in SCALED else 1.0
        half, full = (term(shaken(factor, walks=name != "stance")) for factor in (0.5, 1.0))
        assert (half / full).item() == pytest.approx(expected), name


def test_the_weighted_terms_are_per_second_and_leave_out_what_has_no_weight() -> None:
    s = state(2, command=[[0.5, 0, 0], [0, 0, 0]], linear_velocity_b=[0.5, 0, 0.4])
    terms = by_name(s, RewardWeights(slip=0.0), dt=0.02)
    assert list(terms) == [name for name in TERMS if name not in ("slip", *list(TERMS)[2:5])]
    assert terms["linear_tracking"].tolist() == pytest.approx([1.5 * 0.02, 1.5 * 0.02 * exp(-1)])
    assert terms["base_motion"].tolist() == pytest.approx([-0.3 * 0.02 * 1.25 * 0.16] * 2)


def test_linear_variance_narrows_the_reward_and_nothing_else() -> None:
    s = state(1, command=[0.5, 0, 0.4], linear_velocity_b=[0.2, 0, 0])
    wide, narrow = by_name(s, RewardWeights()), by_name(s, RewardWeights(), linear_variance=0.1)
    assert narrow.pop("linear_tracking").item() == pytest.approx(1.5 * exp(-0.09 / 0.1))
    assert wide.pop("linear_tracking").item() == pytest.approx(1.5 * exp(-0.09 / 0.25))
    assert narrow == wide


def test_a_linear_variance_that_is_no_variance_is_refused() -> None:
    with pytest.raises(ValueError, match="linear-variance must be above 0"):
        EnvConfig(linear_variance=0.0)


def test_every_term_is_documented_by_its_weight() -> None:
    assert all(TERMS[name] is getattr(rewards, name) and TERMS[name].__doc__ for name in TERMS)
