"""Actuator networks: LSTM layers from a joint's position error and velocity to its torque, as numbers.

torque = torque_scale * readout(LSTM(input_scale * (target - position, velocity))), per joint, once every 5 ms; the
memory is zero at the start (Hwangbo et al. 2019; legged_gym and Isaac Lab simulate the ANYmal C with such a network).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

PERIOD = 0.005
"""s between two updates of a network, whatever the physics step is (legged_gym: 200 Hz)."""
INPUTS = 2
"""Position error and velocity."""
GATES = 4
"""Input, forget, candidate and output, in torch's order."""
NAME_IT = "with --drive.network, in train.py --env.drive.network"
"""How somebody names the file that is meant."""
LARGEST = 32
"""Cells of a layer, and layers, that make sense in a physics step."""


@dataclass(frozen=True)
class Layer:
    """One LSTM layer; gates i, f, g, o of `hidden` rows each, as in torch.nn.LSTM."""

    input_weight: NDArray[np.float64]
    """(4 hidden, inputs)."""
    memory_weight: NDArray[np.float64]
    """(4 hidden, hidden)."""
    bias: NDArray[np.float64]
    """(4 hidden,), the sum of torch's two."""


@dataclass(frozen=True)
class DriveNetwork:
    """An actuator network."""

    layers: tuple[Layer, ...]
    """From the inputs on."""
    readout: NDArray[np.float64]
    """(hidden,) weights of the torque."""
    readout_bias: float
    """Added to it."""
    input_scale: NDArray[np.float64]
    """(2,) per rad and per rad/s."""
    torque_scale: float
    """N m."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Number of layers and cells in each."""
        return len(self.layers), len(self.readout)

    @property
    def memory_size(self) -> int:
        """Numbers that the network keeps per joint: output and cell of each cell of each layer."""
        return 2 * len(self.layers) * len(self.readout)

    @property
    def digest(self) -> str:
        """SHA-256 of its sizes and numbers, the same in whatever form and file they are."""
        return hashlib.sha256(np.array(self.sizes, "<i8").tobytes() + self.packed().astype("<f4").tobytes()).hexdigest()

    def packed(self) -> NDArray[np.float32]:
        """All its numbers in the order in which the compiled cell reads them.

        Rows of bias, input and memory weights, for gates i, f, o, g; sigmoid gates are halved (`cell.tanh`), scales are
        part of the first layer and of the readout.
        """
        parts, scale = [], self.input_scale
        for layer in self.layers:
            rows = np.concatenate([layer.bias[:, None], layer.input_weight * scale, layer.memory_weight], axis=1)
            i, f, g, o = np.split(rows, GATES)
            parts.append(np.concatenate([0.5 * i, 0.5 * f, 0.5 * o, g]).ravel())
            scale = np.ones(len(self.readout))
        parts += [self.torque_scale * self.readout, [self.torque_scale * self.readout_bias]]
        return np.concatenate(parts).astype(np.float32)


def from_tensors(tensors: Mapping[str, NDArray], source: str) -> DriveNetwork:
    """The network with these tensors, by the names that legged_gym's file gives them; a ValueError for any other."""
    refusal = ValueError(
        f"{source} is no actuator network of the form LSTM, linear readout, in_scale (2) and out_scale (1): "
        "choose another file, or --env.drive.model anydrive."
    )
    values = {name.replace(".", "_"): np.asarray(value, np.float64) for name, value in tensors.items()}
    try:
        readout = values.pop("linear_weight").reshape(-1)
        bias, scale = float(values.pop("linear_bias").item()), values.pop("in_scale").reshape(-1)
        torque_scale = float(values.pop("out_scale").item())
        layers, hidden, inputs = [], len(readout), INPUTS
        while f"lstm_weight_ih_l{len(layers)}" in values:
            names = [f"lstm_{kind}_l{len(layers)}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
            to_inputs, to_memory, one, other = (values.pop(name) for name in names)
            shapes = (GATES * hidden, inputs), (GATES * hidden, hidden), (GATES * hidden,)
            if (to_inputs.shape, to_memory.shape, one.shape) != shapes or other.shape != one.shape:
                raise refusal
            layers.append(Layer(to_inputs, to_memory, one + other))
            inputs = hidden
    except (KeyError, ValueError) as error:
        raise refusal from error
    if values or not layers or scale.shape != (INPUTS,) or max(hidden, 2 * len(layers)) > LARGEST:
        raise refusal
    network = DriveNetwork(tuple(layers), readout, bias, scale, torque_scale)
    if not np.isfinite(network.packed()).all():
        raise ValueError(f"{source} has numbers that are not finite: choose another file.")
    return network


def load(path: Path, name_it: str = NAME_IT) -> DriveNetwork:
    """The network in a file: .npz with torch's names, or TorchScript; a ValueError says what is wrong with it.

    `name_it` says how somebody names another file.
    """
    if not path.is_file():
        raise ValueError(f"There is no actuator network {path}: name a file {name_it}.")
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                return from_tensors(dict(file), str(path))
        from envs.drives.torchscript import tensors_of

        return from_tensors(tensors_of(path), str(path))
    except (OSError, EOFError, KeyError) as error:
        raise ValueError(f"{path} cannot be read as an actuator network: {error}.") from error
