"""Where feet and legs are, in numpy: the torch-free half of `anymal_policy.gait`'s kinematics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THIGH, SHANK = 0.065, 0.06
"""m, radii: the drives at the ends of a thigh, and the knee (URDF)."""
INWARD = np.array([-0.07, 0.07, -0.07, 0.07])
"""m along y, by which the thighs LF, RF, LH, RH are nearer to the middle of the robot than their feet (URDF)."""


def foot_positions(joint_position: NDArray, chain: NDArray) -> NDArray[np.float64]:
    """Foot centres (4, 3) m in the base frame of joint angles (12,) rad; `chain` (4, 4, 3) m is `gait.leg_chain`.

    A turn by q about y multiplies z + ix by exp(iq), one about x does so with y + iz.
    """
    x, y, z = chain.T  # each (link, leg)
    haa, hfe, kfe = joint_position.reshape(4, 3).T
    links = z + 1j * x
    swing = links[1] + links[2] * np.exp(1j * hfe) + links[3] * np.exp(1j * (hfe + kfe))
    sideways = (y[1] + y[2] + y[3] + 1j * swing.real) * np.exp(1j * haa)
    return np.array([x[0] + swing.imag, y[0] + sideways.real, z[0] + sideways.imag]).T


def leg_capsules(joint_position: NDArray, chain: NDArray) -> NDArray[np.float64]:
    """Thighs and shanks of joint angles (..., 12) rad as (..., 8, 7) m in the base frame: both ends and radius of each.

    With them a robot filters itself out of its point clouds (`mapping.outside`); `chain` as above.
    """
    first, hip, thigh, shank = np.moveaxis(np.asarray(chain, np.float64), 1, 0)  # each (leg, xyz)
    haa, hfe, kfe = np.moveaxis(joint_position.reshape(*joint_position.shape[:-1], 4, 3), -1, 0)
    hips = np.broadcast_to(hip, (*haa.shape, 3))
    knees = hips + turned(thigh, hfe, 2, 0)
    feet = knees + turned(shank, hfe + kfe, 2, 0)
    inward = np.array([0.0, 1.0, 0.0]) * INWARD[:, None]
    ends = np.stack([hips + inward, knees + inward, knees, feet])
    thigh_from, thigh_to, shank_from, shank_to = turned(ends, haa, 1, 2) + first
    parts = np.concatenate([thigh_from, shank_from], -2), np.concatenate([thigh_to, shank_to], -2)
    radius = np.broadcast_to(np.repeat([THIGH, SHANK], 4)[:, None], (*parts[0].shape[:-1], 1))
    return np.concatenate([*parts, radius], axis=-1)


def turned(vectors: NDArray, angle: NDArray, first: int, second: int) -> NDArray[np.float64]:
    """Vectors (..., 3) turned by `angle` (...) rad from their axis `first` to their axis `second`."""
    c, s = np.cos(angle), np.sin(angle)
    out = np.array(np.broadcast_to(vectors, (*np.broadcast_shapes(vectors.shape[:-1], angle.shape), 3)), np.float64)
    one, other = vectors[..., first], vectors[..., second]
    out[..., first], out[..., second] = c * one - s * other, s * one + c * other
    return out


def rotation_matrix(quaternion: NDArray) -> NDArray[np.float64]:
    """Rotation (3, 3) from base to world of a unit quaternion (4,) w, x, y, z."""
    w, x, y, z = quaternion.tolist()
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
