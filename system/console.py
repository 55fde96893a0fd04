"""Lines for the user where somebody can read them: a terminal that is gone, or a full disk behind it, is no error."""

from __future__ import annotations

import os
import sys
from contextlib import suppress


def say(text: str) -> None:
    """A line on stderr."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def flush() -> None:
    """Write what is still to be written; what nobody takes is dropped, since Python would complain of it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(text: str) -> None:
    """A line on stdout."""
    with suppress(OSError):
        print(text, flush=True)
