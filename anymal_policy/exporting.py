"""Writes the deployed Student as an ONNX network, and holds the file against the module."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import normalize

from anymal_policy import layout
from anymal_policy.deployed import HIDDEN, Deployed, DeployedStudent, Measured

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
"""What this needs beside torch."""
NOTHING: Mapping[str, str] = {}


@torch.no_grad()
def write_onnx(module: DeployedStudent, path: Path, metadata: Mapping[str, str] = NOTHING) -> None:
    """Write the module as an ONNX network for any number n of robots, without traces of this computer."""
    measured = example(module, 2, torch.Generator().manual_seed(0))
    memory, n = module.start(measured), torch.export.Dim("n")
    shapes = {
        "measured": {name: {0: n} for name in measured},
        "memory": {name: {1 if name == HIDDEN else 0: n} for name in memory},
    }
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # else it names every package that it does not need
    with warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            module,
            kwargs={"measured": measured, "memory": memory},
            dynamo=True,
            verbose=False,
            input_names=[*measured, *memory],
            output_names=output_names(memory),
            dynamic_shapes=shapes,
        )
    assert program is not None
    for node in program.model.graph:
        node.metadata_props.clear()
    program.model.metadata_props.update(metadata)
    program.save(path)


def output_names(memory: Iterable[str]) -> list[str]:
    """Names of the network's outputs: what a step gives, then the memory for the next one."""
    return [*Deployed._fields[:-1], *(f"next_{name}" for name in memory)]


def example(module: DeployedStudent, count: int, generator: torch.Generator) -> Measured:
    """Random measurements of robots that are about to fall, and of maps with holes and abysses."""

    def about(size: int, scale: float, middle: float | Tensor = 0.0) -> Tensor:
        return middle + scale * torch.randn(count, size, generator=generator)

    heights = about(layout.size(layout.EXTERO), 0.1)
    heights[:, ::20], heights[:, 1::20], heights[:, 2::20] = torch.nan, 3.0, -torch.inf
    known = {
        "command": about(3, 0.5),
        "gravity_b": normalize(about(3, 0.2, torch.tensor([0.0, 0.0, -1.0])), dim=-1),
        "linear_velocity_b": about(3, 0.3),
        "angular_velocity_b": about(3, 0.5),
        "joint_position": about(12, 0.2, torch.from_numpy(layout.DEFAULT_JOINT_POSITION).float()),
        "joint_velocity": about(12, 2.0),
        "heights": heights,
    }
    return {name: known[name] if name in known else about(term.size, 1.0) for name, term in module.measured.items()}


@torch.no_grad()
def difference(module: DeployedStudent, path: Path, steps: int = 50) -> float:
    """Largest difference in rad between the joint targets of module and file, over steps of 1 and of 3 robots."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator, largest = torch.Generator().manual_seed(1), 0.0
    for count in (1, 3):
        measured = example(module, count, generator)
        memory = module.start(measured)
        state = {name: value.numpy() for name, value in memory.items()}
        for _ in range(steps):
            ours = module(measured, memory)
            inputs = {name: value.numpy() for name, value in measured.items()}
            theirs = dict(zip(output_names(memory), session.run(None, {**inputs, **state}), strict=True))
            gap = ours.joint_target - torch.from_numpy(theirs["joint_target"])
            largest = max(largest, float(gap.abs().nan_to_num(torch.inf).max()))
            memory, state = ours.memory, {name: theirs[f"next_{name}"] for name in state}
            measured = example(module, count, generator)
    return largest
