"""`anymal_policy.gait` for many robots at every step: the same phases and joint targets, leg by leg in machine code."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anymal_policy.gait import NOMINAL_FOOT_B, SHORTEST_REACH, TROT, GaitConfig, leg_chain
from anymal_policy.layout import JOINT_LOWER, JOINT_UPPER
from envs.terrains.compiled import compiled

LIMITS = np.stack([JOINT_LOWER, JOINT_UPPER])
CHAIN, FOOT, REST = leg_chain().numpy(), NOMINAL_FOOT_B.double().numpy(), TROT.numpy()
TURN = 2.0 * math.pi


@compiled
def _advance(
    phase: NDArray, offset: NDArray, standing: NDArray, rest: NDArray, frequency: float, dt: float, out: NDArray
) -> None:
    for i in range(len(phase)):
        for leg in range(4):
            if standing[i] and phase[i, leg] >= math.pi:
                out[i, leg] = rest[leg]
                continue
            moved = phase[i, leg] + TURN * dt * (frequency + (0.0 if standing[i] else offset[i, leg]))
            out[i, leg] = moved - TURN * math.floor(moved / TURN)
            if out[i, leg] >= TURN:  # float32 rounds what is just below 2 pi to more than that
                out[i, leg] = 0.0


def advance(phase: Tensor, phase_action: Tensor, standing: Tensor, cfg: GaitConfig) -> Tensor:
    """Phases (n, 4) rad one policy step later, as `anymal_policy.gait.advance`."""
    out, offset = np.empty(phase.shape, np.float32), (cfg.phase_scale * phase_action).numpy()
    _advance(phase.numpy(), offset, standing.numpy(), REST, cfg.base_frequency, cfg.dt, out)
    return torch.from_numpy(out)


@compiled
def _angles(
    x: float, y: float, z: float, links: NDArray, shortest: float, limits: NDArray
) -> tuple[float, float, float]:
    """HAA, HFE and KFE in rad of the left front leg whose foot is at (x, y, z) m from its HAA, as `gait.leg_ik`."""
    lateral, thigh, foot_x, foot_z = abs(links[1, 1]), -links[2, 2], abs(links[3, 0]), -links[3, 2]
    shank, shank_angle = math.hypot(foot_x, foot_z), math.atan2(foot_x, foot_z)
    haa = math.atan2(z, y) + math.atan2(math.sqrt(max(y * y + z * z - lateral * lateral, 0.0)), lateral)
    if haa > math.pi:  # a foot too far inward stays inward
        haa -= TURN
    haa = min(max(haa, limits[0]), limits[1])
    depth = max(y * math.sin(haa) - z * math.cos(haa), 1e-6)
    ahead = x - abs(links[1, 0])
    reach = min(max(math.hypot(ahead, depth), shortest), math.hypot(foot_x, thigh + foot_z))
    cos = min(max((reach * reach - thigh * thigh - shank * shank) / (2.0 * thigh * shank), -1.0), 1.0)
    bend = math.acos(cos)
    hfe = math.atan2(shank * math.sin(bend), thigh + shank * cos) - math.atan2(ahead, depth)
    return haa, hfe, shank_angle - bend


@compiled
def _leg(lift: float, foot: NDArray, links: NDArray, shortest: float, limits: NDArray) -> tuple[float, float, float]:
    """Joint angles in rad of a leg whose `foot` (3,) m in the base frame is lifted; HAA within `limits` (2,) rad."""
    front, left = math.copysign(1.0, links[0, 0]), math.copysign(1.0, links[0, 1])
    x, y, z = front * (foot[0] - links[0, 0]), left * (foot[1] - links[0, 1]), foot[2] + lift - links[0, 2]
    haa, hfe, kfe = _angles(x, y, z, links, shortest, limits)
    return left * haa, front * hfe, front * kfe


@compiled
def _targets(
    phase: NDArray, residual: NDArray, foot: NDArray, chain: NDArray, apex: float, shortest: float, limits: NDArray,
    out: NDArray,
) -> None:  # fmt: skip
    for leg in range(4):
        down = _leg(0.0, foot[leg], chain[leg], shortest, limits[:, 0])
        for i in range(len(phase)):
            rise = max(1.0 - abs(phase[i, leg] * (2.0 / math.pi) - 1.0), 0.0)
            angles = down
            if rise > 0:
                lift = apex * rise * rise * (3.0 - 2.0 * rise)
                angles = _leg(lift, foot[leg], chain[leg], shortest, limits[:, 0])
            for k in range(3):
                joint = 3 * leg + k
                out[i, joint] = min(max(angles[k] + residual[i, joint], limits[0, joint]), limits[1, joint])


def joint_targets(phase: Tensor, joint_residual: Tensor, cfg: GaitConfig) -> Tensor:
    """Joint targets (n, 12) rad, as `anymal_policy.gait.joint_targets`."""
    out, residual = np.empty(joint_residual.shape, np.float32), (cfg.residual_scale * joint_residual).numpy()
    _targets(phase.numpy(), residual, FOOT, CHAIN, cfg.apex, SHORTEST_REACH, LIMITS, out)
    return torch.from_numpy(out)
