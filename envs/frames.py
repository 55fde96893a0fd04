"""Frames and rotations, once for the whole package.

World frame `_w`: z up. Base frame `_b`: x forward, y left, z up, at the base origin. Yaw frame `_y`: the world frame
turned about z by the base's yaw. Quaternions are (w, x, y, z) and turn base vectors into world vectors.
"""

from __future__ import annotations

import torch
from torch import Tensor


def rotate(quaternion: Tensor, vector: Tensor) -> Tensor:
    """Base vector (..., 3) -> world vector (..., 3) by the unit quaternion (..., 4)."""
    w, u = quaternion[..., :1], quaternion[..., 1:]
    t = 2.0 * torch.linalg.cross(u, vector)
    return vector + w * t + torch.linalg.cross(u, t)


def rotate_inverse(quaternion: Tensor, vector: Tensor) -> Tensor:
    """World vector (..., 3) -> base vector (..., 3) by the unit quaternion (..., 4)."""
    w, u = quaternion[..., :1], quaternion[..., 1:]
    t = 2.0 * torch.linalg.cross(u, vector)
    return vector - w * t + torch.linalg.cross(u, t)


def yaw_quaternion(angle: Tensor) -> Tensor:
    """Quaternion (..., 4) of a turn about the vertical by `angle` (...,) in rad."""
    zero = torch.zeros_like(angle)
    return torch.stack([torch.cos(angle / 2), zero, zero, torch.sin(angle / 2)], dim=-1)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Hamilton product of quaternions (..., 4): first turn by b, then by a."""
    aw, au, bw, bu = a[..., :1], a[..., 1:], b[..., :1], b[..., 1:]
    return torch.cat(
        [aw * bw - (au * bu).sum(-1, keepdim=True), aw * bu + bw * au + torch.linalg.cross(au, bu)], dim=-1
    )


def roll_pitch_quaternion(roll: Tensor, pitch: Tensor) -> Tensor:
    """Quaternion (..., 4) of a pitch about y after a roll about x, angles (...,) in rad."""
    zero = torch.zeros_like(roll)
    about_x = torch.stack([torch.cos(roll / 2), torch.sin(roll / 2), zero, zero], dim=-1)
    about_y = torch.stack([torch.cos(pitch / 2), zero, torch.sin(pitch / 2), zero], dim=-1)
    return multiply(about_y, about_x)


def wrap_angle(angle: Tensor) -> Tensor:
    """The same angle in [-pi, pi), rad."""
    return torch.remainder(angle + torch.pi, 2 * torch.pi) - torch.pi
