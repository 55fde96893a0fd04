"""An array of n robots on the host, float64 as MuJoCo has it, and its float32 twin on a Warp device."""

from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray


@wp.kernel(enable_backward=False)
def scatter(env_ids: wp.array[int], values: wp.array2d[float], to: wp.array2d[float]):
    """Write the numbers of the m-th robot given into its row."""
    i, k = wp.tid()
    to[env_ids[i], k] = values[i, k]


@wp.kernel(enable_backward=False)
def count(steps: wp.array[float]):
    """Count a physics step of each robot."""
    robot = wp.tid()
    steps[robot] = steps[robot] + 1.0


class Mirror:
    """Numbers of n robots here and there; nothing moves by itself."""

    def __init__(self, host: NDArray[np.float64], device_array: Any) -> None:
        """`host` (n, ...) and Warp's array of the same numbers."""
        self.host = host
        self.width = host[0].size
        device, shape = device_array.device, (len(host), self.width)
        if device_array.size * wp.types.type_size(device_array.dtype) != host.size:
            raise ValueError(f"The device has {device_array.shape} for {host.shape} on the host.")
        self.owner = device_array
        self.twin = wp.array(ptr=device_array.ptr, dtype=float, shape=shape, device=device, copy=False)
        self.staged = wp.zeros(shape, dtype=float, device="cpu", pinned=device.is_cuda)
        self.numbers = self.staged.numpy()

    def send(self) -> None:
        """Copy all robots' numbers to the device."""
        if self.width:
            self.numbers[:] = self.host.reshape(self.numbers.shape)
            wp.copy(self.twin, self.staged)

    def send_some(self, env_ids: NDArray[np.int64]) -> None:
        """Copy these robots' numbers to the device."""
        if not (self.width and len(env_ids)):
            return
        device = self.twin.device
        values = self.host[env_ids].reshape(len(env_ids), self.width).astype(np.float32)
        wp.launch(
            scatter,
            dim=values.shape,
            inputs=[wp.array(env_ids.astype(np.int32), dtype=int, device=device), wp.array(values, device=device)],
            outputs=[self.twin],
            device=device,
        )

    def fetch(self, env_ids: NDArray[np.int64] | slice = slice(None)) -> None:
        """Copy these robots' numbers from the device."""
        if self.width:
            wp.copy(self.staged, self.twin)
            wp.synchronize_device(self.twin.device)
            self.host[env_ids] = self.numbers.reshape(self.host.shape)[env_ids]
