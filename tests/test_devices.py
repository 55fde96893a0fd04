"""Processes that a machine's cores are worth, and where networks live; GPUs here are made up."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import train
from agents import distributed
from agents.config import PRESETS
from envs.tasks import DEFAULT, TASKS
from training import cores as training_cores
from training import plan


@pytest.mark.parametrize(("cores", "processes"), [(1, 1), (2, 2), (4, 4), (8, 8), (16, 16), (64, 16)])
def test_1024_robots_have_a_process_a_core_until_each_has_64(cores: int, processes: int) -> None:
    assert training_cores.best_processes(1024, cores) == processes


def test_two_cores_train_presets_in_two_processes_but_the_smallest_in_one() -> None:
    """On two cores runs of the presets keep their bits, which depend on the number of processes."""
    by_preset = {name: training_cores.best_processes(size.num_envs, 2) for name, size in PRESETS.items()}
    assert by_preset == {"smoke": 1, "laptop": 2, "full": 2}


@pytest.mark.parametrize(
    ("flags", "processes"),
    [
        ("", 4),
        ("--device cuda", 1),
        ("--env.engine warp", 1),
        ("--env.engine=warp --device cpu", 1),
        ("--env.engine warp --processes 2", 2),
    ],
)
def test_only_who_asks_for_the_gpu_trains_in_one_process(
    flags: str, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Robots walk on the cores, in as many processes as there, unless they walk or learn on the GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for module in (plan, training_cores):
        monkeypatch.setattr(module, "usable_cores", lambda: 4)
    args = train.parse(["--num-envs", "1024", *flags.split()])
    assert (args.processes, args.env.threads) == (processes, 4 // processes)


def test_a_run_of_an_engine_that_a_task_names_has_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, DEFAULT, replace(TASKS[DEFAULT], engine="warp"))
    monkeypatch.setattr(training_cores, "usable_cores", lambda: 4)
    assert train.parse(["--num-envs", "1024"]).processes == 1


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
