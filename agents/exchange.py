"""How the ranks of one machine exchange values and tensors: through sockets, and through memory that all of them see.

gloo moves everything by threads of its own, which may wait for a core where the next computation has begun: some 4 ms
for the Teacher's gradients, against 0.7 ms here (benchmarks/exchange.py).
"""

from __future__ import annotations

import math
import pickle
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from system.files import naming

Value = TypeVar("Value")

TIMEOUT = 600.0  # s of waiting for a message of a rank that hangs; one that dies is noticed at once
JOINING = 600.0  # s of waiting for a rank to join
GLANCE = 0.05
"""s between two looks whether it has come; looks are counted, not timed, since a process may be stopped for a while."""
MEETING = "meeting"  # name of the socket where the ranks come together
BACKLOG = 1024  # ranks that may knock at once
PAGE = 4096  # bytes, of which the room for a tensor is a multiple


class LostRank(Exception):
    """Another rank ended early."""

    def __init__(self) -> None:
        """Say what to look for."""
        super().__init__("another rank ended early or hangs; its own message says why.")


class Exchange:
    """A rank's place among those of its machine, all of which call the same methods in the same order."""

    def __init__(self, rank: int, ranks: int, connections: Sequence[Connection], folder: Path) -> None:
        """`connections` lead from the first rank to all others in their order, from those to the first.

        `folder` is where the first rank puts the files that become shared memory.
        """
        self.rank, self.ranks, self.connections, self.folder = rank, ranks, connections, folder
        self.memory, self.turn = torch.empty(2, ranks, 0, dtype=torch.uint8), 0

    def gather(self, value: Value) -> list[Value]:
        """The ranks' values in their order, on all ranks.

        Raises:
            LostRank: if another rank has ended, or sends nothing for `TIMEOUT`.
        """
        if self.rank:
            _send(self.connections[0], value)
            return _receive(self.connections[0])
        values = [value, *map(_receive, self.connections)]
        for connection in self.connections:
            _send(connection, values)
        return values

    def total(self, x: Tensor) -> Tensor:
        """Sum of a tensor over the ranks in their order, the same bits on each; raises as `gather` does."""
        if x.nbytes >= self.memory.shape[-1]:
            self._make_room(x.nbytes)
        # two turns, since a rank may begin the next sum while another one still reads this one
        self.turn = 1 - self.turn
        parts = self.memory[self.turn, :, : x.nbytes].view(x.dtype)
        parts[self.rank] = x.reshape(-1)
        self.gather(None)
        total = parts[0].clone()
        for part in parts[1:]:
            total += part
        return total.view(x.shape)

    def _make_room(self, nbytes: int) -> None:
        """Share memory for tensors of this size and more."""
        room = (1 + nbytes // PAGE) * PAGE
        path, size = self.folder / "memory", 2 * self.ranks * room
        if self.rank == 0:
            with naming(path):
                path.write_bytes(bytes(size))  # so that a full disk is noticed here
        self.gather(None)
        memory = torch.from_file(str(path), shared=True, size=size, dtype=torch.uint8)
        self.memory = memory.view(2, self.ranks, room)
        self.gather(None)
        if self.rank == 0:
            path.unlink()


def _send(connection: Connection, value: object) -> None:
    try:
        connection.send_bytes(pickle.dumps(value))
    except OSError as error:
        raise LostRank from error


def _receive(connection: Connection) -> Any:
    try:
        for _ in range(math.ceil(TIMEOUT / GLANCE)):
            if connection.poll(GLANCE):
                return pickle.loads(connection.recv_bytes())
    except (EOFError, OSError) as error:
        raise LostRank from error
    raise LostRank


@contextmanager
def joined(rank: int, ranks: int, folder: Path, coming: Callable[[], bool]) -> Iterator[Exchange]:
    """Context in which the ranks of this machine are joined, whatever the order in which they come to `folder`.

    Raises:
        LostRank: if one of them does not come within `JOINING`, or `coming` says that it never will.
        OSError: if the folder cannot be used; the first rank tells.
    """
    patience = _Patience(coming)
    with ExitStack() as stack:
        if rank == 0:
            with _door(folder / MEETING) as door:
                guests = [stack.enter_context(_guest(door, patience)) for _ in range(1, ranks)]
            numbered = {_receive(guest): guest for guest in guests}
            connections = [numbered[number] for number in sorted(numbered)]
        else:
            connections = [stack.enter_context(_host(folder / MEETING, patience))]
            _send(connections[0], rank)
        yield Exchange(rank, ranks, connections, folder)


class _Patience:
    """How long it makes sense to wait for somebody."""

    def __init__(self, coming: Callable[[], bool]) -> None:
        self.coming, self.glances = coming, math.ceil(JOINING / GLANCE)

    def wait(self) -> None:
        """Wait for a moment; a LostRank if there is no sense in it any more."""
        if not self.coming() or not self.glances:
            raise LostRank
        self.glances -= 1
        time.sleep(GLANCE)


def _door(meeting: Path) -> socket.socket:
    """Where the others come in."""
    door = socket.socket(socket.AF_UNIX)
    try:
        door.bind(str(meeting))
    except OSError as error:
        door.close()
        raise OSError(f"no socket can be made at {meeting} ({error}); set TMPDIR to another, short folder.") from error
    door.setblocking(False)
    door.listen(BACKLOG)
    return door


def _guest(door: socket.socket, patience: _Patience) -> Connection:
    while True:
        try:
            guest, _ = door.accept()
        except BlockingIOError:
            patience.wait()
            continue
        guest.setblocking(True)
        return Connection(guest.detach())


def _host(meeting: Path, patience: _Patience) -> Connection:
    while True:
        host = socket.socket(socket.AF_UNIX)
        try:
            host.connect(str(meeting))
        except OSError:
            host.close()
            patience.wait()
            continue
        return Connection(host.detach())
