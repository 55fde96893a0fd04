"""What each rank does in tests/test_distributed.py, under torch.distributed.run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
from particles import seeded

import train
from agents import distributed
from agents.runner import TeacherRunner

TINY = (
    "--stage teacher --task anymal_rough --env.terrain.types boxes stairs_standard_up "
    "--num-envs 6 --threads 1 --precision fp32 "
    "--env.episode-seconds 0.1 --env.curriculum.update-steps 40 --env.curriculum.usable-command 0 "
    "--agent.num-steps-per-env 6 --agent.num-learning-epochs 2 --agent.num-mini-batches 2 --agent.warm-up-steps 4"
)
SETTINGS = TINY.split()


def trained(*argv: str) -> TeacherRunner:
    runner = train.build(train.parse(argv))
    runner.train()
    return runner


def knowledge(runner: TeacherRunner) -> dict:
    """What a rank holds after its training."""
    env = runner.env
    return {
        "algorithm": runner.alg.save(),
        "particles": env.placement.filter.state_dict(),  # type: ignore
        "samples": (runner.alg.samples, env.samples),  # type: ignore
        "env": env.state_dict(),  # type: ignore
    }


def resumed_equals_whole(folder: Path) -> None:
    """Train two iterations in one run and one resumed after the first; leave what every rank then holds."""
    settings = [*SETTINGS, "--num-envs", str(6 * distributed.size())]
    whole = trained(*settings, "--max-iterations", "2", "--run-dir", str(folder / "whole"))
    trained(*settings, "--max-iterations", "1", "--run-dir", str(folder / "parts"))
    parts = trained("--resume", str(folder / "parts"), "--max-iterations", "2")
    rank = distributed.rank()
    torch.save({"whole": knowledge(whole), "parts": knowledge(parts)}, folder / f"rank_{rank}.pt")


def neighbours_agree_with_gloo(_: Path) -> None:
    """The same sums and values with memory that the ranks share and without."""
    own = torch.randn(100_000, generator=seeded(distributed.rank()))
    assert distributed.neighbours is not None
    shared = distributed.total(own), distributed.gather(distributed.rank())
    distributed.neighbours = None
    assert torch.equal(shared[0], distributed.total(own))
    assert shared[1] == distributed.gather(distributed.rank()) == [0, 1]


def gradients_are_averaged(_: Path) -> None:
    """Those of parameters that have some, over both ranks."""
    layer = torch.nn.Linear(3, 2)
    layer.weight.grad = torch.full((2, 3), 1.0 + distributed.rank())
    distributed.average_gradients(layer.parameters())
    assert torch.equal(layer.weight.grad, torch.full((2, 3), 1.5)) and layer.bias.grad is None


def one_dies(folder: Path) -> None:
    """Train without end, but for rank 1, which is gone after the first iteration."""
    runner = train.build(train.parse([*SETTINGS, "--run-dir", str(folder / "run")]))
    if distributed.rank() == 1:
        runner._save_if_due = lambda _: os._exit(3)  # type: ignore
    runner.train()


def one_dies_without_neighbours(folder: Path) -> None:
    """The same of ranks that only gloo joins."""
    distributed.neighbours = None
    one_dies(folder)


if __name__ == "__main__":
    with distributed.connected():
        globals()[sys.argv[1]](Path(sys.argv[2]))
