"""Two ranks train one policy: they agree on everything learned, and resume bit-exactly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from particles import logistic, seeded
from ranks_worker import SETTINGS, knowledge, trained
from torch import Tensor

import train
from agents import distributed
from agents.archive import CheckpointError, content_hash, plain
from agents.checkpoint import read_resume
from agents.interrupt import StopRequest
from anymal_policy.normalizer import Normalizer
from envs.curriculum import CurriculumConfig, ParticleFilter
from envs.ranks import Ranks
from training import cores as training_cores
from training import plan

ROOT = Path(train.__file__).parent
LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
Result = TypeVar("Result")


def launch(*argv: object) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.Popen(
        [*LAUNCH, *map(str, argv)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def in_threads(work: Callable[[Ranks], Result], count: int = 2) -> list[Result]:
    """The results of `count` ranks that run `work` as threads of this process."""
    barrier, offered = threading.Barrier(count, timeout=20), [torch.empty(0)] * count
    results: list[Any] = [None] * count

    def rank(own: int) -> None:
        def total(x: Tensor) -> Tensor:
            offered[own] = x
            barrier.wait()
            result = sum(offered[1:], start=offered[0])
            barrier.wait()
            return result

        results[own] = work(Ranks(own, count, total))

    threads = [threading.Thread(target=rank, args=(own,)) for own in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


@pytest.fixture(scope="module")
def two_ranks(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict]]:
    """Run directory of two ranks, and what each holds after two iterations, resumed and not."""
    folder = tmp_path_factory.mktemp("ranks")
    process = launch(ROOT / "tests" / "ranks_worker.py", "resumed_equals_whole", folder)
    output, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    assert output.count("Training a Teacher") == 3  # only the first rank prints
    return folder, [torch.load(folder / f"rank_{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.slow
def test_ranks_agree_on_networks_normaliser_optimiser_and_particles(two_ranks: tuple[Path, list[dict]]) -> None:
    first, second = (rank["whole"] for rank in two_ranks[1])
    for name in ("algorithm", "samples"):
        assert content_hash(plain(first[name])) == content_hash(plain(second[name]))
    for name in ("cells", "visited"):
        assert torch.equal(first["particles"][name], second["particles"][name])


@pytest.mark.slow
def test_ranks_walk_robots_of_their_own_and_count_all(two_ranks: tuple[Path, list[dict]], tmp_path: Path) -> None:
    first, second = (rank["whole"] for rank in two_ranks[1])
    assert not torch.equal(first["env"]["observations"]["proprio"], second["env"]["observations"]["proprio"])
    alone = knowledge(trained(*SETTINGS, "--max-iterations", "2", "--run-dir", str(tmp_path / "alone")))
    assert first["samples"] == (2 * 2 * 6 * 6, 2 * 6 * (4 + 2 * 6)) == tuple(2 * n for n in alone["samples"])
    for name, weight in alone["algorithm"]["actor_state_dict"].items():
        if "count" in name:
            assert first["algorithm"]["actor_state_dict"][name] == 2 * weight
        elif "weight" in name or "mean" in name:
            assert not torch.equal(first["algorithm"]["actor_state_dict"][name], weight)


@pytest.mark.slow
def test_resume_of_several_ranks_is_bit_exact(two_ranks: tuple[Path, list[dict]]) -> None:
    for rank in two_ranks[1]:
        assert content_hash(plain(rank["whole"])) == content_hash(plain(rank["parts"]))


@pytest.mark.slow
def test_another_number_of_ranks_is_refused(two_ranks: tuple[Path, list[dict]], capsys: Any) -> None:
    whole = str(two_ranks[0] / "whole")
    assert train.main(["--resume", whole, "--processes", "1"]) == 2
    message = capsys.readouterr().err
    assert "--processes cannot change" in message and message.count("\n") == 1
    with pytest.raises(CheckpointError, match="ran in 2 processes, not 1"):
        train.build(train.parse(["--resume", whole]))


@pytest.mark.slow
def test_train_py_starts_its_ranks_itself_and_again_to_go_on(tmp_path: Path) -> None:
    run = ["--processes", "2", "--run-dir", str(tmp_path / "run"), "--max-iterations", "2"]
    assert train.main([*SETTINGS, *run]) == 0
    first = read_resume(tmp_path / "run")
    assert (first["ranks"], first["env"]["num_envs"], first["samples"]) == (2, 3, 2 * 6 * 6)
    assert not distributed.launched() and distributed.size() == 1
    assert train.main(["--resume", str(tmp_path / "run"), "--max-iterations", "3"]) == 0
    last = read_resume(tmp_path / "run")
    assert (last["ranks"], last["env"]["num_envs"], last["iteration"]) == (2, 3, 3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["--processes", "4"], "--num-envs 6 cannot be shared out over 4 processes: give a multiple of 4."),
        (["--processes", "6"], "1 robots x 6 steps are too few"),
        (["--processes", "0"], "--processes must be at least 1, not 0."),
    ],
)
def test_what_ranks_cannot_do_is_said_once(flags: list[str], reason: str, tmp_path: Path) -> None:
    command = [sys.executable, "train.py", *SETTINGS, *flags, "--agent.num-mini-batches", "7"]
    result = subprocess.run(
        [*command, "--run-dir", str(tmp_path / "run")], cwd=ROOT, capture_output=True, text=True, timeout=240
    )
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert reason in result.stderr


@pytest.mark.slow
def test_a_folder_in_which_ranks_cannot_meet_is_said_once(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 100)
    place.mkdir()
    command = [sys.executable, "train.py", *SETTINGS, "--processes", "2", "--run-dir", str(tmp_path / "run")]
    environment = {**os.environ, "TMPDIR": str(place)}
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, env=environment)
    assert (result.returncode, result.stderr.count("\n")) == (2, 1), result.stderr
    assert "set TMPDIR" in result.stderr


@pytest.mark.slow
def test_terminated_ranks_save_once_and_exit(tmp_path: Path) -> None:
    process = launch("train.py", *SETTINGS, "--max-iterations", "100000", "--run-dir", tmp_path / "run")
    deadline = time.monotonic() + 240
    while not (tmp_path / "run" / "curves.csv").is_file() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)  # torch.distributed.run passes it on
    output, errors = process.communicate(timeout=120)
    assert output.count("Stopped after") == 1, errors
    assert "torch.distributed.run --nproc_per_node=2 train.py" in output
    assert "another rank" not in errors
    record = read_resume(tmp_path / "run")
    assert record["iteration"] > 0 and record["ranks"] == 2 and len(record["other_ranks"]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("work", ["neighbours_agree_with_gloo", "gradients_are_averaged"])
def test_what_two_ranks_hold_afterwards(work: str, tmp_path: Path) -> None:
    process = launch(ROOT / "tests" / "ranks_worker.py", work, tmp_path)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors


@pytest.mark.slow
@pytest.mark.parametrize("work", ["one_dies", "one_dies_without_neighbours"])
def test_a_rank_that_dies_ends_the_others_with_one_sentence(work: str, tmp_path: Path) -> None:
    process = launch(ROOT / "tests" / "ranks_worker.py", work, tmp_path)
    _, errors = process.communicate(timeout=240)  # far less than exchange.TIMEOUT
    assert process.returncode != 0
    assert "another rank ended early" in errors


def test_normaliser_of_two_ranks_is_that_of_all_samples() -> None:
    generator = seeded()
    samples = 5 + 3 * torch.randn(3, 40, 7, generator=generator)
    samples[:, 30:] += 4  # the ranks see different distributions

    def learn(ranks: Ranks) -> Normalizer:
        normalizer = Normalizer(7, until=1000)
        for batch in samples:
            normalizer.update(batch[30:] if ranks.own else batch[:30], ranks.total)
        return normalizer

    first, second = in_threads(learn)
    assert content_hash(first.state_dict()) == content_hash(second.state_dict())
    everything = samples.flatten(0, 1).double()
    torch.testing.assert_close(first.mean.double(), everything.mean(0), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(first.var.double(), everything.var(0, correction=0), rtol=1e-6, atol=1e-6)
    assert first.count == 120


def test_particles_of_two_ranks_are_those_of_one_that_counted_the_outcomes_of_both() -> None:
    """Oracle: a filter alone, with the first rank's random numbers and everybody's trajectories."""
    numbers = torch.randint(0, 20, (6, 2, 50), generator=seeded(5))  # update, rank, trajectory
    crossed = torch.rand(6, 2, 50, generator=seeded(6)) < logistic(8.0)(numbers.reshape(-1, 1)).reshape(6, 2, 50)

    def learn(ranks: Ranks) -> list[Tensor]:
        generator = seeded(ranks.own)
        filter_ = ParticleFilter(["stairs"], [(20,)], CurriculumConfig(), generator, ranks)
        held = [filter_.cells]
        for update in range(6):
            seen = numbers[update] if ranks.count == 1 else numbers[update, ranks.own]
            label = crossed[update] if ranks.count == 1 else crossed[update, ranks.own]
            filter_.record(torch.zeros(seen.numel(), dtype=torch.long), seen.flatten(), label.flatten())
            filter_.update(generator)
            held.append(filter_.cells)
        return held

    alone = learn(Ranks())
    for rank in in_threads(learn):
        assert all(torch.equal(own, expected) for own, expected in zip(rank, alone, strict=True))
    assert not torch.equal(alone[0], alone[-1])


def test_one_rank_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    values = {"a": 0.1, "b": 3.0}
    assert (distributed.rank(), distributed.size(), distributed.own_seed(7), distributed.device()) == (0, 1, 7, "cpu")
    assert distributed.mean(values) == values and distributed.gather("x") == ["x"]
    assert distributed.any_rank(True) and not distributed.any_rank(False)


def test_ranks_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "usable_cores", lambda: 6)
    monkeypatch.setattr(training_cores, "usable_cores", lambda: 6)

    def chosen(*argv: str) -> tuple[int, int]:
        args = train.parse(argv)
        return args.processes, args.env.threads

    assert chosen("--num-envs", "512") == (2, 3)  # four would leave two cores idle
    assert chosen("--num-envs", "3072") == (6, 1)
    assert chosen("--num-envs", "4096") == (2, 3)  # six could not share them equally
    assert chosen("--num-envs", "100") == (1, 6)
    assert chosen("--num-envs", "512", "--processes", "3") == (3, 2)
    assert chosen("--num-envs", "512", "--threads", "4") == (1, 4)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    assert chosen("--num-envs", "512") == (3, 2)


@pytest.mark.parametrize(("gpus", "device"), [(0, "cpu"), (1, "cpu"), (2, "cuda:1"), (8, "cuda:1")])
def test_ranks_learn_on_gpus_where_each_has_its_own(gpus: int, device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TORCHELASTIC_RUN_ID": "x", "LOCAL_WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "wanted", "auto")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    assert distributed.device() == device
    monkeypatch.setenv(distributed.MEETING, "x")
    assert distributed.device() == "cpu"  # train.py on its own stays there


def test_launched_ranks_do_not_abort_when_the_launcher_repeats_a_signal() -> None:
    with StopRequest(abort=False) as stop:
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
    assert stop.requested
