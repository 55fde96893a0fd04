"""A disk that is full while a test wants it to be: nothing can be added to any file, and the name is never said."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FULL = Path("/dev/full")
"""A device on which there is no room."""
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason=f"this system has no {FULL}")


@contextmanager
def full_disk(room: int = 0) -> Iterator[None]:
    """Context in which files take `room` more bytes together, then none."""
    left, write = [room], os.write

    def write_some(descriptor: int, content: Any) -> int:
        count = min(left[0], len(content))
        if not count:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left[0] -= count
        return write(descriptor, bytes(content)[:count])

    def sync(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("system.files.os.write", write_some)
        patch.setattr("system.files.os.fsync", sync)
        yield
