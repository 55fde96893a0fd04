"""Processes that a machine's cores are worth, and where networks live; GPUs here are made up."""

from __future__ import annotations

import pytest
import torch

import train
import train_cores
from agents import distributed
from agents.config import PRESETS


@pytest.mark.parametrize(("cores", "processes"), [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16), (64, 16)])
def test_1024_robots_have_a_process_a_core_until_each_has_64(cores: int, processes: int) -> None:
    assert train_cores.best_processes(1024, cores) == processes


def test_two_cores_train_presets_in_two_processes_but_the_smallest_in_one() -> None:
    """On two cores runs of the presets keep their bits, which depend on the number of processes."""
    by_preset = {name: train_cores.best_processes(size.num_envs, 2) for name, size in PRESETS.items()}
    assert by_preset == {"smoke": 1, "laptop": 2, "full": 2}


def test_a_gpu_is_used_by_one_process_and_refused_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, "wanted", "auto")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    with pytest.raises(ValueError, match="take --device cpu"):
        distributed.choose("cuda", 1)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ValueError, match="--processes 1"):
        distributed.choose("cuda", 2)
    distributed.choose("cuda", 1)
    assert distributed.device() == "cuda:0"
    monkeypatch.setenv("LOCAL_RANK", "1")  # of another launch around this one, which is none
    assert distributed.device() == "cuda:0"
    distributed.choose("cpu", 1)
    assert distributed.device() == "cpu"


def test_train_py_refuses_a_gpu_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    if torch.cuda.is_available():
        pytest.skip("This machine has a GPU.")
    assert train.main(["--device", "cuda", "--processes", "1"]) == 2
    message = capsys.readouterr().err
    assert "--device cpu" in message and message.count("\n") == 1
