"""Actuator networks made for tests, in the form of legged_gym's, and robots that hang in the air on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from worlds import plane_tile, pose, put

from envs.drives import DriveConfig
from envs.simulation import Simulation
from envs.terrains import Surface, build_map


class ActuatorNetwork(nn.Module):
    """As legged_gym publishes it: forward((n, 1, 2), (h, c)) -> torque (n,), (h, c)."""

    def __init__(self, hidden: int = 8, layers: int = 2, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.lstm, self.linear = nn.LSTM(2, hidden, layers), nn.Linear(hidden, 1)
        self.register_buffer("in_scale", torch.tensor([[[2.0, 0.25]]]))
        self.register_buffer("out_scale", torch.tensor([60.0]))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        seen, state = self.lstm((x * self.in_scale).permute(1, 0, 2), state)
        return self.out_scale * self.linear(seen[-1]).squeeze(1), state

    def empty(self, count: int) -> tuple[Tensor, Tensor]:
        zeros = torch.zeros(self.lstm.num_layers, count, self.lstm.hidden_size)
        return zeros, zeros.clone()


def scripted(network: nn.Module, folder: Path, name: str = "network.pt") -> Path:
    """The network as a TorchScript file."""
    torch.jit.script(network).save(str(folder / name))
    return folder / name


def numbers(network: ActuatorNetwork, folder: Path) -> Path:
    """The network's numbers as .npz."""
    tensors = {name.replace(".", "_"): tensor.numpy() for name, tensor in network.state_dict().items()}
    np.savez(folder / "network.npz", allow_pickle=False, **tensors)
    return folder / "network.npz"


def hanging(drive: DriveConfig, count: int = 1, threads: int = 1, decimation: int = 4) -> Simulation:
    """Robots that fall from far above the ground, so that nothing but their drives moves their joints."""
    sim = Simulation(Surface(build_map([plane_tile()])), count, threads, decimation, drive=drive)
    put(sim, pose(500.0, count=count))
    return sim


def inputs(sim: Simulation) -> Tensor:
    """What the drives see at the next physics step, (n, 12, 2): position error in rad, velocity in rad/s."""
    error = sim.control[:, sim.actuators] - sim.qpos[:, 7:]
    return torch.from_numpy(np.stack([error, sim.qvel[:, 6:]], -1)).float()
