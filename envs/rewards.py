"""Rewards of Miki et al. S7: one function per term, one table of weights in the paper's order.

Every term maps the batched state to (n,) float32. The weighted sum is multiplied by the policy step (decision 3), so
weights read as reward per second. Terms that the paper scales with c_k do so themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import partial
from math import pi

import torch
from torch import Tensor

from anymal_policy.gait import foot_lift as foot_lift_profile
from anymal_policy.layout import DEFAULT_JOINT_POSITION, RINGS
from envs.own import OfState, named
from envs.state import State

TRACKING_VARIANCE = 0.25
"""(m/s)^2 and (rad/s)^2: squared error at which a tracking score has fallen to 1/e."""
KNEE_THRESHOLD = 1.9
"""rad of flexion beyond which the knee is penalised (the paper's q_th, not stated there)."""
DEFAULT_POSITION = torch.from_numpy(DEFAULT_JOINT_POSITION).float()
"""(12,) rad, what `stance` measures from."""
CLEARANCE = 0.2
"""m above every terrain sample beyond which lifting a swing foot is penalised (S7)."""
LIFT = 0.12
"""m above the ground: a foot shall be lifted so far in mid-swing (decision 66), and beyond it at a price (65)."""
CAUTIOUS_LIFT = 0.22
"""m, the same where a Teacher walks with caution: over the risers that a robot shall climb unseen (decision 72)."""
NEAR = sum(points for points, radius in RINGS if radius <= 0.16)
"""Terrain samples of a foot within 0.16 m, the first of all."""
UNDER = RINGS[0][0]
"""Terrain samples of a foot within 0.08 m."""


@dataclass(frozen=True)
class RewardWeights:
    """Weight of each term, 1/s; the defaults are S7 with the tracking terms of decision 2 and a lighter r_b."""

    linear_tracking: float = 1.5
    """exp(-|v_des - v|^2 / linear_variance): takes the place of r_lv + r_lvo, each 0.75 in S7."""
    angular_tracking: float = 0.75
    """exp(-(w_des - w_z)^2 / 0.25): takes the place of r_av."""
    linear_velocity: float = 0.0
    """r_lv as printed in S7 (0.75 there)."""
    angular_velocity: float = 0.0
    """r_av as printed in S7 (0.75 there)."""
    orthogonal_velocity: float = 0.0
    """r_lvo as printed in S7 (0.75 there)."""
    base_motion: float = 0.3
    """r_b: vertical velocity, roll and pitch rate of the base (S7: 1; decision 43)."""
    foot_clearance: float = 0.003
    """r_fc: swing feet lifted more than 0.2 m over all terrain samples around them."""
    leg_collision: float = 0.3
    """r_co: a thigh or shank touches the ground (S7: 0.1; decision 65)."""
    joint_motion: float = 0.001
    """r_j: joint velocity and its change over a step."""
    knee_flexion: float = 0.08
    """r_jc: knee bent beyond its threshold."""
    target_smoothness: float = 0.003
    """r_s: first and second difference of the joint targets."""
    torque: float = 1e-6
    """r_tau: squared joint torque."""
    slip: float = 0.003
    """r_slip: velocity of feet in contact."""
    stance: float = 0.1
    """Not in S7: joints away from their default position while the robot stands (decision 42)."""
    power: float = 2e-4
    """Not in S7: mechanical power of all joints (decision 65)."""
    foot_lift: float = 3.0
    """Not in S7: feet lifted more than 0.12 m over all terrain samples around them (decision 65), with caution 0.22."""
    swing_height: float = 5.0
    """Not in S7: swing feet below 0.12 m over the ground near them, with caution 0.22 m over that under them, times the
    gait prior's profile (decisions 66, 72)."""

    def __post_init__(self) -> None:
        """Refuse rewards that are always 0."""
        if not any(vars(self).values()):
            raise ValueError("Give at least one reward a weight other than 0 (--env.rewards).")


S7_LITERAL = RewardWeights(
    linear_tracking=0.0,
    angular_tracking=0.0,
    linear_velocity=0.75,
    angular_velocity=0.75,
    orthogonal_velocity=0.75,
    base_motion=1.0,
    leg_collision=0.1,
    stance=0.0,
    power=0.0,
    foot_lift=0.0,
    swing_height=0.0,
)
"""The tracking terms as printed in S7 (decision 2 says what is wrong with them), all else as there."""


def linear_tracking(s: State, variance: float = TRACKING_VARIANCE) -> Tensor:
    """How well the horizontal velocity follows the command, 0..1 (decision 45); `variance` in (m/s)^2."""
    return torch.exp(-(s.command[:, :2] - s.linear_velocity_yaw[:, :2]).square().sum(-1) / variance)


def angular_tracking(s: State) -> Tensor:
    """How well the yaw rate follows the command, 0..1."""
    return torch.exp(-(s.command[:, 2] - s.angular_velocity_b[:, 2]).square() / TRACKING_VARIANCE)


def linear_velocity(s: State) -> Tensor:
    """S7 r_lv as printed: projects on the command itself instead of on its direction."""
    command, velocity = s.command[:, :2], s.linear_velocity_b[:, :2]
    projection, speed = (command * velocity).sum(-1), command.norm(dim=-1)
    moving = torch.where(projection > speed, 1.0, torch.exp(-(projection - speed).square()))
    return torch.where(speed == 0, torch.exp(-velocity.square().sum(-1)), moving)


def angular_velocity(s: State) -> Tensor:
    """S7 r_av as printed."""
    command, rate = s.command[:, 2], s.angular_velocity_b[:, 2]
    turning = torch.where(command * rate > command, 1.0, torch.exp(-(command * rate - command).square()))
    return torch.where(command == 0, torch.exp(-rate.square()), turning)


def orthogonal_velocity(s: State) -> Tensor:
    """S7 r_lvo as printed: velocity beside the command, which is taken as a direction although it is none."""
    command, velocity = s.command[:, :2], s.linear_velocity_b[:, :2]
    beside = velocity - (command * velocity).sum(-1, keepdim=True) * command
    return torch.exp(-3.0 * beside.square().sum(-1))


def base_motion(s: State) -> Tensor:
    """S7 r_b, times c_k (decision 4): vertical velocity squared, roll and pitch rates, of the base."""
    roll_rate, pitch_rate = s.angular_velocity_b[:, 0].abs(), s.angular_velocity_b[:, 1].abs()
    return -s.randomization_factor * (1.25 * s.linear_velocity_b[:, 2].square() + 0.4 * roll_rate + 0.4 * pitch_rate)


def foot_clearance(s: State) -> Tensor:
    """S7 r_fc: -1 for each swing foot more than 0.2 m above every terrain sample around it."""
    too_high = s.height_samples.amax(-1) < -CLEARANCE
    return -(too_high & (s.phase < pi)).float().sum(-1)


def leg_collision(s: State) -> Tensor:
    """S7 r_co: -c_k if any thigh or shank touches the ground."""
    return -s.randomization_factor * torch.cat([s.thigh_contact, s.shank_contact], -1).amax(-1)


def joint_motion(s: State) -> Tensor:
    """S7 r_j with the acceleration read as the change of velocity over a policy step (decision 5)."""
    change = s.joint_velocity - s.joint_velocity_history[:, 0]
    return -s.randomization_factor * (0.01 * s.joint_velocity.square() + change.square()).sum(-1)


def knee_flexion(s: State) -> Tensor:
    """S7 r_jc: squared excess of knee flexion over its threshold, all four knees."""
    return -(s.joint_position[:, 2::3].abs() - KNEE_THRESHOLD).clamp(min=0).square().sum(-1)


def target_smoothness(s: State) -> Tensor:
    """S7 r_s: squared first and second differences of the joint targets."""
    one, two = s.joint_target_history[:, 0], s.joint_target_history[:, 1]
    first, second = s.joint_target - one, s.joint_target - 2 * one + two
    return -s.randomization_factor * (first.square() + second.square()).sum(-1)


def torque(s: State) -> Tensor:
    """S7 r_tau: squared joint torques."""
    return -s.randomization_factor * s.joint_torque.square().sum(-1)


def slip(s: State) -> Tensor:
    """S7 r_slip: squared velocity of feet that touch the ground."""
    return -s.randomization_factor * (s.foot_velocity_w.square().sum(-1) * s.foot_contact).sum(-1)


def stance(s: State) -> Tensor:
    """Squared deviation of the joints from their default position, rad^2, of robots that stand."""
    deviation = s.joint_position - DEFAULT_POSITION
    return -deviation.square().sum(-1) * (s.base_frequency == 0)


def power(s: State) -> Tensor:
    """Mechanical power of the joints, -c_k times the sum of its magnitudes in W, as the cost of transport counts it."""
    return -s.randomization_factor * (s.joint_torque * s.joint_velocity).abs().sum(-1)


def foot_lift(s: State) -> Tensor:
    """Height of the feet's soles, m, beyond LIFT, or CAUTIOUS_LIFT, over the highest terrain sample around each, summed
    over the feet."""
    limit = torch.where(s.caution > 0, CAUTIOUS_LIFT, LIFT).unsqueeze(-1)
    return -(-s.height_samples.amax(-1) - limit).clamp(min=0).sum(-1)


def swing_height(s: State) -> Tensor:
    """How far, m, the soles are below the gait prior's swing with LIFT as its apex, over the highest terrain near each,
    and with caution below one with CAUTIOUS_LIFT, over the ground under each.

    Each foot counts by how far its swing has risen, 0..1. A robot that cannot see a riser gets over it if its feet are
    lifted anyway.
    """
    rise = foot_lift_profile(s.phase, 1.0)
    near, under = (-s.height_samples[..., :points].amax(-1) for points in (NEAR, UNDER))
    unseen = (CAUTIOUS_LIFT * rise - under) * s.caution.unsqueeze(-1)
    missing = torch.maximum(LIFT * rise - near, unseen).clamp(min=0)
    return -(rise * missing).sum(-1) * (s.base_frequency > 0)


TERMS: dict[str, OfState] = {item.name: globals()[item.name] for item in fields(RewardWeights)}
"""Name -> function, in the paper's order: of every weight the function of its name."""


NO_OWN: Mapping[str, float] = {}


def term_names(weights: RewardWeights, own: Mapping[str, float] = NO_OWN) -> list[str]:
    """Names of the terms whose weight is not 0, in the paper's order, then those of an own task."""
    return [name for name, weight in {**vars(weights), **own}.items() if weight]


def weighted_terms(
    s: State,
    weights: RewardWeights,
    dt: float,
    linear_variance: float = TRACKING_VARIANCE,
    own: Mapping[str, float] = NO_OWN,
) -> Tensor:
    """Reward of this step, (k, n): a row for each of `term_names`; `own` are weights of an own task's terms."""
    terms = {**TERMS, "linear_tracking": partial(linear_tracking, variance=linear_variance), **named("rewards", own)}
    weight_of, names = {**vars(weights), **own}, term_names(weights, own)
    scale = torch.tensor([weight_of[name] * dt for name in names])
    return torch.stack([terms[name](s) for name in names]) * scale.unsqueeze(-1)
