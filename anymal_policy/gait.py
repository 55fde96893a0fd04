"""Gait prior of Miki et al. S5: a phase per leg, a foot trajectory over the phase, and the leg's inverse kinematics.

All functions are batched, branch-free torch operations. A phase in [0, pi) is swing, in [pi, 2 pi) stance.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from anymal_policy.layout import DEFAULT_JOINT_POSITION, JOINT_LOWER, JOINT_UPPER, POLICY_DT

TROT = torch.tensor([2 * math.pi - 1e-3, math.pi, math.pi, 2 * math.pi - 1e-3])
"""Phases of the trot at rest, (4,) rad: every foot down, LF and RH about to swing."""


@dataclass(frozen=True)
class GaitConfig:
    """Numbers of the gait prior."""

    base_frequency: float = 1.25
    """Frequency of every leg at zero phase action, Hz."""
    apex: float = 0.2
    """Height of the foot over its stance position in mid-swing, m (Miki et al. S5)."""
    phase_scale: float = 0.5
    """Change of a leg's frequency per unit of phase action, Hz."""
    residual_scale: float = 0.3
    """Change of a joint target per unit of joint residual, rad."""
    dt: float = POLICY_DT
    """Time between two policy steps, s."""
    stand_speed: float = 0.3
    """Horizontal base speed under which a robot without command stands, m/s."""
    stand_command: float = 0.05
    """Length of the command (m/s, m/s, rad/s) under which it counts as zero."""


def foot_lift(phase: Tensor, apex: float = GaitConfig.apex) -> Tensor:
    """Height of each foot over its stance position, (..., 4) m, for phases in [0, 2 pi) (both cubics of S5 in one)."""
    rise = torch.clamp(1 - torch.abs(phase * (2 / math.pi) - 1), min=0)
    return apex * rise * rise * (3 - 2 * rise)


def start_phase(count: int, generator: torch.Generator) -> Tensor:
    """Phases of a trot at a random moment, (count, 4) rad: one uniform shift per robot (Lee et al. S2)."""
    shift = 2 * math.pi * torch.rand(count, 1, generator=generator, device=generator.device)
    return _wrap(TROT.to(shift) + shift)


def standing(command: Tensor, linear_velocity_b: Tensor, cfg: GaitConfig) -> Tensor:
    """Robots that shall stand still, (n,) bool: no command (n, 3), and slow in the base's xy plane (n, 3)."""
    commanded = torch.linalg.vector_norm(command, dim=-1) >= cfg.stand_command
    moving = torch.linalg.vector_norm(linear_velocity_b[..., :2], dim=-1) >= cfg.stand_speed
    return ~(commanded | moving)


def advance(phase: Tensor, phase_action: Tensor, standing: Tensor, cfg: GaitConfig) -> Tensor:
    """Phases one policy step later, (n, 4) rad in [0, 2 pi).

    A walking leg runs at the base frequency plus its scaled action. A standing leg that swings goes on at the base
    frequency until it lands; on the ground it waits at its phase of the trot.
    """
    standing = standing.unsqueeze(-1)
    frequency = cfg.base_frequency + torch.where(standing, 0, cfg.phase_scale * phase_action)
    moved = _wrap(phase + 2 * math.pi * cfg.dt * frequency)
    return torch.where(standing & (phase >= math.pi), TROT.to(phase), moved)


def _wrap(phase: Tensor) -> Tensor:
    """The same phase in [0, 2 pi)."""
    wrapped = torch.remainder(phase, 2 * math.pi)
    return torch.where(wrapped < 2 * math.pi, wrapped, 0)  # float32 rounds the remainder of -1e-9 to 2 pi


# Geometry of the ANYmal C, m, for the left front leg; x is mirrored for the hind legs and y for the right ones.
_FRONT = torch.tensor([1.0, 1.0, -1.0, -1.0], dtype=torch.float64)
_LEFT = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
_HAA = torch.stack([0.2999 * _FRONT, 0.104 * _LEFT, torch.zeros(4, dtype=torch.float64)], dim=-1)
_HFE_X = 0.0599  # from the HAA to the plane of the HFE and KFE axes
_LATERAL = 0.08381 + 0.1003 + 0.01305  # from the HAA axis to the plane in which the foot swings
_THIGH = 0.285
_FOOT_X, _FOOT_Z = 0.08795, 0.31547  # foot centre ahead of and below the KFE
_SHANK = math.hypot(_FOOT_X, _FOOT_Z)
_SHANK_ANGLE = math.atan2(_FOOT_X, _FOOT_Z)
SHORTEST_REACH, _LONGEST = 0.1, math.hypot(_FOOT_X, _THIGH + _FOOT_Z)  # HFE to foot; longest at KFE = 0
_HAA_LOWER, _HAA_UPPER = float(JOINT_LOWER[0]), float(JOINT_UPPER[0])


def leg_chain() -> Tensor:
    """Links from base to HAA, HFE, KFE and foot centre of each leg, (4, 4, 3) m in the base frame at zero angles."""
    zero = torch.zeros_like(_FRONT)
    hip = torch.stack([_FRONT * _HFE_X, _LEFT * _LATERAL, zero], dim=-1)
    knee = torch.stack([zero, zero, zero - _THIGH], dim=-1)
    foot = torch.stack([_FRONT * _FOOT_X, zero, zero - _FOOT_Z], dim=-1)
    return torch.stack([_HAA, hip, knee, foot], dim=1)


def leg_fk(q: Tensor) -> Tensor:
    """Foot centres in the base frame, (..., 4, 3) m, of joint angles (..., 12) rad."""
    haa, hfe, kfe = rearrange(q, "... (leg joint) -> joint ... leg", leg=4)
    front, left = _FRONT.to(q), _LEFT.to(q)
    shank = hfe + kfe - front * _SHANK_ANGLE
    x = front * _HFE_X - _THIGH * torch.sin(hfe) - _SHANK * torch.sin(shank)
    y, z = left * _LATERAL, -_THIGH * torch.cos(hfe) - _SHANK * torch.cos(shank)  # in the leg's plane
    sin, cos = torch.sin(haa), torch.cos(haa)
    return torch.stack([x, y * cos - z * sin, y * sin + z * cos], dim=-1) + _HAA.to(q)


def leg_ik(foot_b: Tensor) -> Tensor:
    """Joint angles (..., 12) rad that bring the foot centres to foot_b (..., 4, 3) m in the base frame.

    Front knees bend backward (KFE <= 0), hind knees forward. A target outside the workspace (HAA within its limits,
    foot below the hip, 0.1 m from the HFE up to the length at KFE = 0) is replaced by one on its border.
    """
    front, left = _FRONT.to(foot_b), _LEFT.to(foot_b)
    x, y, z = (foot_b - _HAA.to(foot_b)).unbind(-1)
    abduction, depth = _abduct(y * left, z)
    flexion, knee = _bend(x * front - _HFE_X, depth)
    return rearrange([left * abduction, front * flexion, front * knee], "joint ... leg -> ... (leg joint)")


def _abduct(y: Tensor, z: Tensor) -> tuple[Tensor, Tensor]:
    """HAA angle in rad of the left leg, and how far the foot is below the HFE in the leg's plane in m."""
    depth = torch.sqrt(torch.clamp(y * y + z * z - _LATERAL**2, min=0))
    angle = torch.atan2(z, y) + torch.atan2(depth, torch.full_like(depth, _LATERAL))
    angle = torch.where(angle > math.pi, angle - 2 * math.pi, angle)  # a foot too far inward stays inward
    angle = torch.clamp(angle, _HAA_LOWER, _HAA_UPPER)
    depth = y * torch.sin(angle) - z * torch.cos(angle)
    return angle, torch.clamp(depth, min=1e-6)


def _bend(x: Tensor, depth: Tensor) -> tuple[Tensor, Tensor]:
    """HFE and KFE angles in rad of the front leg whose foot is x m ahead of and depth m below the HFE."""
    reach = torch.clamp(torch.sqrt(x * x + depth * depth), SHORTEST_REACH, _LONGEST)
    cos = (reach * reach - _THIGH**2 - _SHANK**2) / (2 * _THIGH * _SHANK)
    bend = torch.acos(cos)  # between thigh and the line from knee to foot
    hfe = torch.atan2(_SHANK * torch.sin(bend), _THIGH + _SHANK * cos) - torch.atan2(x, depth)
    return hfe, _SHANK_ANGLE - bend


NOMINAL_FOOT_B = leg_fk(torch.from_numpy(DEFAULT_JOINT_POSITION)).float()
"""Foot centres of the nominal stance in the base frame, (4, 3) m."""

_UP = torch.tensor([0.0, 0.0, 1.0])
_LOWER, _UPPER = torch.from_numpy(JOINT_LOWER), torch.from_numpy(JOINT_UPPER)


def joint_targets(phase: Tensor, joint_residual: Tensor, cfg: GaitConfig) -> Tensor:
    """Joint targets (n, 12) rad: IK of the nominal foot lifted along the base's z, plus the scaled residual (S5)."""
    foot_b = NOMINAL_FOOT_B.to(phase) + foot_lift(phase, cfg.apex).unsqueeze(-1) * _UP.to(phase)
    targets = leg_ik(foot_b) + cfg.residual_scale * joint_residual
    return torch.clamp(targets, _LOWER.to(phase), _UPPER.to(phase))
