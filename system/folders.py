"""A folder in which one process works at a time."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from system.shell import quoted

LOCK = ".lock"
"""File that the process which works in a folder holds; the kernel lets go of it however the process ends."""


class FolderInUse(ValueError):
    """Another process works in the folder; the message is one sentence for the user."""


@contextmanager
def taken(folder: Path) -> Iterator[Path]:
    """Context in which this process alone works in `folder`, which is made, and is gone afterwards if it stays empty.

    Raises:
        FolderInUse: if another process works there.
        OSError: if it cannot be made or written.
    """
    descriptor = _lock(folder)
    try:
        yield folder
    finally:
        if _is_at(descriptor, folder / LOCK):  # else somebody has removed the folder and another works in a new one
            (folder / LOCK).unlink(missing_ok=True)
        os.close(descriptor)
        with suppress(OSError):  # it is not empty
            folder.rmdir()


def free_folder(wanted: Path) -> Path:
    """A new folder of this name, or of the first of wanted_2, wanted_3 ... that nobody has."""
    for number in count(1):
        folder = wanted if number == 1 else wanted.with_name(f"{wanted.name}_{number}")
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            return folder
    raise AssertionError


def _lock(folder: Path) -> int:
    """Descriptor of the folder's lock, held until it is closed; where a file system has no locks, it is not."""
    path = folder / LOCK
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its last user has just removed the empty folder
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode(errors="replace") or "another process"
            os.close(descriptor)
            raise FolderInUse(f"{quoted(folder)} is in use by {holder}: wait for it, or name another folder.") from None
        except OSError:
            return descriptor
        if _is_at(descriptor, path):
            with suppress(OSError):  # there is no room for the name
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"process {os.getpid()} of {platform.node()}".encode())
            return descriptor
        os.close(descriptor)  # its last user has just removed it


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether the open file is the one at this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False
