"""Actuator networks in files: read as data, and refused in one sentence if they are anything else."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from drive_worlds import ActuatorNetwork, numbers, scripted
from torch import Tensor, nn

from envs.drives import DriveConfig
from envs.drives.network import load


class Clamped(ActuatorNetwork):
    """The same weights, but another graph."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        seen, state = self.lstm((x * self.in_scale).permute(1, 0, 2), state)
        return torch.tanh(self.out_scale * self.linear(seen[-1]).squeeze(1)), state


class Halved(ActuatorNetwork):
    """Half the torque of its numbers."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        seen, state = self.lstm((x * self.in_scale).permute(1, 0, 2), state)
        return 0.5 * self.out_scale * self.linear(seen[-1]).squeeze(1), state


class Unscaled(ActuatorNetwork):
    """Sees radians as they are."""

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        seen, state = self.lstm((x * 1.0).permute(1, 0, 2), state)
        return self.out_scale * self.linear(seen[-1]).squeeze(1), state


class Stateless(nn.Module):
    """A network without memory."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x)


def test_both_forms_of_a_file_hold_the_same_network(tmp_path: Path) -> None:
    network = ActuatorNetwork()
    one, other = load(scripted(network, tmp_path)), load(numbers(network, tmp_path))
    assert one.sizes == other.sizes == (2, 8)
    assert np.array_equal(one.packed(), other.packed())
    assert one.torque_scale == 60.0


def test_reading_torchscript_runs_nothing_of_it(tmp_path: Path) -> None:
    """A file whose pickle would write a file if it were opened as one."""

    class Evil:
        def __reduce__(self) -> tuple:
            return (Path.touch, (tmp_path / "owned",))

    path = tmp_path / "evil.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("evil/data.pkl", pickle.dumps(Evil(), protocol=2))
    with pytest.raises(ValueError, match="without running its code: it holds a"):
        load(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Clamped(), "another graph than LSTM and linear readout: it calls tanh"),
        (Stateless(), "not made of one lstm"),
        (Halved(), "does not scale its inputs by in_scale"),
        (Unscaled(), "does not scale its inputs by in_scale"),
    ],
)
def test_other_graphs_are_refused(network: nn.Module, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message):
        load(scripted(network, tmp_path))


def test_what_is_no_network_is_refused_by_its_name(tmp_path: Path) -> None:
    text = tmp_path / "network.pt"
    text.write_text("nothing")
    for path, message in ((text, "no TorchScript file"), (tmp_path / "none.npz", "There is no actuator network")):
        with pytest.raises(ValueError, match=message) as refusal:
            load(path)
        assert str(path) in str(refusal.value)


@pytest.mark.parametrize("change", ["missing", "surplus", "shape", "nan"])
def test_numbers_that_do_not_fit_are_refused(change: str, tmp_path: Path) -> None:
    with np.load(numbers(ActuatorNetwork(), tmp_path)) as file:
        tensors = dict(file)
    if change == "missing":
        del tensors["linear_bias"]
    elif change == "surplus":
        tensors["lstm_weight_hr_l0"] = np.zeros((1, 8))
    elif change == "shape":
        tensors["lstm_weight_hh_l1"] = np.zeros((32, 7))
    else:
        tensors["linear_weight"] = np.full((1, 8), np.nan)
    path = tmp_path / "changed.npz"
    np.savez(path, allow_pickle=False, **tensors)
    with pytest.raises(ValueError, match="not finite" if change == "nan" else "no actuator network of the form"):
        load(path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "network"}, "belong together"),
        ({"network": "x.pt"}, "belong together"),
        ({"lag": -0.1}, "at least 0"),
        ({"model": "pd", "lag": 0.01}, "not for --env.drive.model pd"),
    ],
)
def test_drives_that_make_no_sense_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DriveConfig(**settings)
