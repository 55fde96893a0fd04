"""Fits the drive model `anydrive` to a published actuator network, and says how well it does on what it has not seen.

`python -m tools.fit_drive --network FILE` walks the shipped Teacher with that network in its joints, adds a bench's
steps, chirps and noise, fits a small LSTM to the torques and tests it on walks of the shipped Student. Some ten minutes
on two cores; the same seed gives the same numbers.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy.typing import NDArray
from torch import Tensor, nn

from envs.drives import ANYDRIVE, DriveConfig
from envs.drives.network import DriveNetwork, load
from evaluation.agents import TEACHER, load_agent
from system import stopping
from system.console import say
from system.files import whole
from tools.drive_recordings import WALKS, bench, walking

STUDENT = "pretrained/student.pt"
WINDOW = 200
"""Updates of a sequence: a second."""
SETTLE = 40
"""Updates at the start of a sequence that are not counted where the drive's memory was not zero before."""


STEP_WEIGHT = 2.0
"""How much more than walks a step of the bench counts."""
FRESH, FRESH_TORQUE = 6, 150.0
"""Updates after a step from an empty memory, and the N m at which their relative errors count as others' absolute."""
STEPS, MOMENTS = (0.2, 0.8, 1.5), (0, 1, 2, 3, 5, 11)
"""rad, sizes of the steps that the report shows, and the updates after them."""


@dataclass(frozen=True)
class Arguments:
    """What to fit, to what, and how long."""

    network: str
    """Actuator network that is the truth: .npz or TorchScript."""
    out: Path = ANYDRIVE
    """File for the numbers."""
    hidden: int = 8
    """Cells of the one LSTM layer."""
    bench: int = 6000
    """Sequences of the bench."""
    robots: int = 12
    """Robots on each ground."""
    seconds: float = 6.0
    """s that they walk."""
    iterations: int = 5000
    """Steps of Adam."""
    batch: int = 256
    """Sequences in a step."""
    learning_rate: float = 1e-2
    """Of Adam, falling to a hundredth along a cosine."""
    seed: int = 0
    """Of recordings, weights and batches."""


class Drive(nn.Module):
    """An actuator network in torch: (batch, time, 2) position error and velocity -> torque (batch, time) in N m."""

    def __init__(self, layers: int, hidden: int, input_scale: tuple[float, float], torque_scale: float) -> None:
        """Random weights; scales in 1/rad, s/rad and N m."""
        super().__init__()
        self.lstm = nn.LSTM(2, hidden, layers, batch_first=True)
        self.linear = nn.Linear(hidden, 1)
        self.in_scale = nn.Buffer(torch.tensor(input_scale))
        self.out_scale = nn.Buffer(torch.tensor([torque_scale]))

    def forward(self, x: Tensor) -> Tensor:
        """From a memory of zero."""
        return self.out_scale * self.linear(self.lstm(x * self.in_scale)[0]).squeeze(-1)


def in_torch(network: DriveNetwork) -> Drive:
    """The same network in torch."""
    layers, hidden = network.sizes
    drive = Drive(layers, hidden, tuple(network.input_scale.tolist()), network.torque_scale)
    state = {"linear.weight": network.readout[None], "linear.bias": np.array([network.readout_bias])}
    for number, layer in enumerate(network.layers):
        state[f"lstm.weight_ih_l{number}"], state[f"lstm.weight_hh_l{number}"] = layer.input_weight, layer.memory_weight
        state[f"lstm.bias_ih_l{number}"], state[f"lstm.bias_hh_l{number}"] = layer.bias, np.zeros_like(layer.bias)
    drive.load_state_dict({name: torch.from_numpy(value).float() for name, value in state.items()}, strict=False)
    return drive


@torch.no_grad()
def answers(truth: Drive, sequences: list[NDArray[np.float32]]) -> list[Tensor]:
    """Of each sequence (time, 2), what the drive sees and the true torque, (time, 3)."""
    inputs = [torch.from_numpy(sequence) for sequence in sequences]
    return [torch.cat([x, truth(x[None])[0][:, None]], -1) for x in inputs]


def windows(sequences: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Windows (count, WINDOW, 3) of sequences from an empty memory on, and the weights of their updates."""
    parts, weights = [], []
    for sequence in sequences:
        for begin in range(0, len(sequence) - WINDOW + 1, WINDOW - SETTLE):
            parts.append(sequence[begin : begin + WINDOW])
            weights.append(torch.arange(WINDOW) >= (SETTLE if begin else 0))
    return torch.stack(parts), torch.stack(weights).float()


def training_data(truth: Drive, walks: list[NDArray[np.float32]], count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Windows and weights of walks and of `count` sequences of the bench."""
    walked, weights = windows(answers(truth, walks))
    benched, bench_weights = windows(answers(truth, list(bench(count, WINDOW, seed))))
    steps = torch.arange(count) % 3 == 0
    bench_weights[steps] *= STEP_WEIGHT
    fresh = steps & benched[:, 0, :2].any(-1)
    bench_weights[fresh, :FRESH] *= (FRESH_TORQUE / (benched[fresh, :FRESH, 2].abs() + 3.0)).square()
    return torch.cat([walked, benched]), torch.cat([weights, bench_weights])


def fit(drive: Drive, data: Tensor, weights: Tensor, arguments: Arguments) -> None:
    """Adam on the mean squared error of the torque."""
    generator = torch.Generator().manual_seed(arguments.seed)
    optimizer = torch.optim.Adam(drive.parameters(), arguments.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimizer, arguments.iterations, arguments.learning_rate / 100
    )
    for iteration in range(arguments.iterations):
        rows = torch.randint(len(data), (arguments.batch,), generator=generator)
        error = (drive(data[rows, :, :2]) - data[rows, :, 2]) / 10.0
        loss = (weights[rows] * error.square()).sum() / weights[rows].sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(drive.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if iteration % 500 == 0:
            print(f"{iteration}: {10 * loss.item() ** 0.5:.2f} N m", file=sys.stderr)


@torch.no_grad()
def root_mean_square(drive: Drive, sequences: list[Tensor]) -> tuple[float, float]:
    """Of the error and of the torque, N m, over whole sequences."""
    errors = torch.cat([drive(sequence[None, :, :2])[0] - sequence[:, 2] for sequence in sequences])
    torques = torch.cat([sequence[:, 2] for sequence in sequences])
    return errors.square().mean().sqrt().item(), torques.square().mean().sqrt().item()


@torch.no_grad()
def step_table(truth: Drive, drive: Drive) -> str:
    """Torques after a step of the error, true and fitted, with an empty memory and after a second at rest."""
    lines = []
    for rest in (0, WINDOW):
        for size in STEPS:
            x = torch.zeros(1, rest + WINDOW, 2)
            x[:, rest:, 0] = size
            true, fitted = (net(x)[0, rest:][list(MOMENTS)].tolist() for net in (truth, drive))
            pairs = ", ".join(f"{a:.1f} / {b:.1f}" for a, b in zip(true, fitted, strict=True))
            lines.append(f"step {size:g} rad {'at rest' if rest else 'from empty memory'}: {pairs}")
    return "\n".join(lines)


def save(drive: Drive, path: Path) -> None:
    """Write the numbers by the names of torch.nn.LSTM."""
    tensors = {name.replace(".", "_"): tensor.numpy() for name, tensor in drive.state_dict().items()}
    with whole(path) as part, part.open("wb") as file:
        np.savez(file, allow_pickle=False, **tensors)


def recordings(agent: str, arguments: Arguments, seed: int) -> dict[str, list[NDArray[np.float32]]]:
    """What the drives see on each ground, with the true network in the joints."""
    true_drive = DriveConfig("network", arguments.network)
    seen = {}
    for number, walk in enumerate(WALKS):
        recorder = walking(
            load_agent(agent), walk, true_drive, arguments.robots, arguments.seconds, 100 * seed + number
        )
        parameters = " ".join(f"{name} {value:g}" for name, value in walk.parameters.items())
        seen[f"{walk.family} {parameters} {walk.command}"] = recorder.sequences()
    return seen


@stopping.stoppable
def main(arguments: Arguments) -> int:
    """Record, fit, test, save; exit code 2 without a network."""
    try:
        truth = in_torch(load(Path(arguments.network)))
    except ValueError as error:
        say(f"tools.fit_drive: {error}")
        return 2
    walks = [
        x for seen in recordings(TEACHER, arguments, arguments.seed + 1).values() for x in seen if len(x) >= WINDOW
    ]
    data, weights = training_data(truth, walks, arguments.bench, arguments.seed)
    torch.manual_seed(arguments.seed)
    drive = Drive(1, arguments.hidden, tuple(truth.in_scale.flatten().tolist()), truth.out_scale.item())
    fit(drive, data, weights, arguments)
    save(drive, arguments.out)
    unseen = {name: answers(truth, seen) for name, seen in recordings(STUDENT, arguments, arguments.seed + 2).items()}
    unseen["bench"] = answers(truth, list(bench(arguments.bench // 10, WINDOW, arguments.seed + 1)))
    for name, sequences in unseen.items():
        error, torque = root_mean_square(drive, sequences)
        print(f"{name}: error {error:.2f} of {torque:.1f} N m RMS")
    print(step_table(truth, drive))
    return 0


if __name__ == "__main__":
    sys.exit(main(tyro.cli(Arguments, description=__doc__)))
