"""What ranks of one machine exchange without gloo; here they are threads of one process."""

from __future__ import annotations

import pickle
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Pipe
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from particles import seeded
from torch import Tensor

from agents import exchange
from agents.exchange import Exchange, LostRank, joined

Result = TypeVar("Result")


def in_ranks(folder: Path, count: int, work: Callable[[Exchange], Result]) -> list[Result]:
    """The results of `count` ranks that all do this work."""
    pipes = [Pipe() for _ in range(1, count)]
    ends = [[ours for ours, _ in pipes], *([theirs] for _, theirs in pipes)]
    ranks = [Exchange(rank, count, own, folder) for rank, own in enumerate(ends)]
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, ranks, timeout=60))


@pytest.mark.parametrize("count", [2, 3])
def test_values_of_all_ranks_come_in_their_order(tmp_path: Path, count: int) -> None:
    for values in in_ranks(tmp_path, count, lambda own: own.gather({"rank": own.rank})):
        assert values == [{"rank": rank} for rank in range(count)]


@pytest.mark.parametrize("count", [2, 3, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int32])
def test_sums_are_those_of_one_rank_that_adds_all_in_order(tmp_path: Path, count: int, dtype: torch.dtype) -> None:
    shares = [(1000 * torch.randn(300, 5, generator=seeded(k))).to(dtype) for k in range(count)]
    own = [share.clone() for share in shares]
    for total in in_ranks(tmp_path, count, lambda rank: rank.total(own[rank.rank])):
        assert (total.dtype, total.shape) == (dtype, (300, 5))
        assert torch.equal(total, sum(shares[1:], start=shares[0]))
    assert all(map(torch.equal, own, shares))


def test_many_sums_in_a_row_of_any_size_do_not_mix(tmp_path: Path) -> None:
    sizes = [0, *torch.randint(0, 20_000, (300,), generator=seeded()).tolist()]

    def sums(rank: Exchange) -> list[Tensor]:
        return [rank.total(torch.full((size,), step + 1000.0 * rank.rank)) for step, size in enumerate(sizes)]

    for totals in in_ranks(tmp_path, 2, sums):
        for step, (size, total) in enumerate(zip(sizes, totals, strict=True)):
            assert total.shape == (size,) and (total == 2 * step + 1000).all()


def test_a_sum_is_not_changed_by_those_after_it(tmp_path: Path) -> None:
    def first(rank: Exchange) -> Tensor:
        total = rank.total(torch.ones(4))
        for _ in range(3):
            rank.total(torch.zeros(4))
        return total

    assert all((total == 2).all() for total in in_ranks(tmp_path, 2, first))


@pytest.mark.parametrize("leaves", [0, 1])
def test_a_rank_that_ends_is_missed_at_once(tmp_path: Path, leaves: int) -> None:
    def work(rank: Exchange) -> bool:
        rank.gather(None)
        if rank.rank == leaves:
            rank.connections[0].close()
            return True
        with pytest.raises(LostRank, match="another rank ended early"):
            rank.total(torch.zeros(1))
        return True

    assert all(in_ranks(tmp_path, 2, work))


def test_a_rank_that_hangs_is_missed_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "TIMEOUT", 0.1)
    with pytest.raises(LostRank):
        Exchange(0, 2, [Pipe()[0]], tmp_path).gather(None)


def test_ranks_that_were_stopped_together_for_longer_than_they_wait_go_on() -> None:
    """Ctrl-Z, and `fg` an hour later: the clock has run on, and the other rank's message comes after the next look."""

    class Stopped:
        looks = 0

        def poll(self, seconds: float) -> bool:
            self.looks += 1
            return self.looks == 3 or seconds > exchange.TIMEOUT / 10

        def recv_bytes(self) -> bytes:
            assert self.looks == 3
            return pickle.dumps("here")

    assert exchange._receive(Stopped()) == "here"  # type: ignore


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The test's folder by a name that is short enough for a socket's, of which macOS allows 103 bytes."""
    monkeypatch.chdir(tmp_path)
    return Path()


def always() -> bool:
    return True


def test_ranks_meet_whatever_the_order_in_which_they_come(place: Path) -> None:
    def work(own: int) -> list[int]:
        with joined(own, 4, place, always) as rank:
            return rank.gather(own)

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, (3, 2, 1, 0), timeout=60)) == [[0, 1, 2, 3]] * 4


@pytest.mark.parametrize("own", [0, 1])
def test_a_rank_that_does_not_come_is_missed(place: Path, own: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "JOINING", 0.1)
    with pytest.raises(LostRank), joined(own, 2, place, always):
        pass


@pytest.mark.parametrize("own", [0, 1])
def test_a_rank_that_never_will_come_is_missed_at_once(place: Path, own: int) -> None:
    with pytest.raises(LostRank), joined(own, 2, place, lambda: False):
        pass


def test_a_rank_that_ends_while_it_joins_is_missed(place: Path) -> None:
    def guest() -> None:
        with socket.socket(socket.AF_UNIX) as own:
            while own.connect_ex(str(place / "meeting")):
                time.sleep(0.01)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(guest)
        with pytest.raises(LostRank), joined(0, 2, place, always):
            pass


def test_only_memory_that_is_used_is_kept(tmp_path: Path) -> None:
    in_ranks(tmp_path, 2, lambda rank: [rank.total(torch.zeros(size)) for size in (10, 10_000)])
    assert not list(tmp_path.iterdir())


def test_a_folder_whose_name_is_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    place = tmp_path / ("x" * 100)
    place.mkdir()
    with pytest.raises(OSError, match="set TMPDIR to another, short folder"), joined(0, 2, place, always):
        pass
