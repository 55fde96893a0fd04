"""Two launchers of torch.distributed.run as two nodes of one training, here on one machine."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from ranks_worker import SETTINGS

import train
from agents.archive import content_hash, plain

pytestmark = pytest.mark.slow
ROOT = Path(train.__file__).parent


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


def nodes(*argv: object, count: int = 2) -> list[subprocess.Popen[str]]:
    """A launcher for each node, with one process each."""
    port, path = free_port(), os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    launcher = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={count}", "--nproc_per_node=1"]
    return [
        subprocess.Popen(
            [*launcher, f"--node_rank={node}", "--master_addr=127.0.0.1", f"--master_port={port}", *map(str, argv)],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for node in range(count)
    ]


def ended(launchers: list[subprocess.Popen[str]], seconds: float) -> list[str]:
    """What they wrote to stderr until they ended."""
    return [launcher.communicate(timeout=seconds)[1] for launcher in launchers]


def test_two_nodes_learn_what_two_processes_of_one_learn_and_their_resume_is_bit_exact(tmp_path: Path) -> None:
    held = {}
    for count, processes in ((2, 1), (1, 2)):
        folder = tmp_path / str(count)
        folder.mkdir()
        worker = (ROOT / "tests" / "ranks_worker.py", "resumed_equals_whole", folder)
        if count == 1:
            launcher = [
                sys.executable,
                "-m",
                "torch.distributed.run",
                f"--nproc_per_node={processes}",
                *map(str, worker),
            ]
            path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
            environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
            assert subprocess.run(launcher, cwd=ROOT, env=environment, timeout=600).returncode == 0
        else:
            launchers = nodes(*worker)
            errors = ended(launchers, 600)
            assert [launcher.returncode for launcher in launchers] == [0, 0], errors
        held[count] = [torch.load(folder / f"rank_{rank}.pt", weights_only=True) for rank in range(2)]
    for rank in range(2):
        ours = held[2][rank]
        assert content_hash(plain(ours["whole"])) == content_hash(plain(ours["parts"]))
        assert content_hash(plain(ours["whole"])) == content_hash(plain(held[1][rank]["whole"]))


def test_a_node_that_is_killed_ends_the_other_within_a_minute_and_the_run_can_go_on(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train_py = (ROOT / "train.py", *SETTINGS, "--num-envs", "12", "--max-iterations", "100000", "--run-dir", run)
    launchers = nodes(*train_py)
    deadline = time.monotonic() + 300
    while not (run / "curves.csv").is_file() and time.monotonic() < deadline:
        assert all(launcher.poll() is None for launcher in launchers)
        time.sleep(0.2)
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(launchers[1].pid)], capture_output=True, text=True
    ).stdout.split()
    for pid in (launchers[1].pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    assert "another rank ended early" in ended(launchers[:1], 60)[0]
    ended(launchers[1:], 10)
    again = nodes(ROOT / "train.py", "--resume", run, "--max-iterations", "3")
    errors = ended(again, 300)
    assert [launcher.returncode for launcher in again] == [0, 0], errors
