"""Where the feet are, in numpy: the torch-free half of `anymal_policy.gait`'s kinematics, for one robot."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
