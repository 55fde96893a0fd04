"""Lines for the user where somebody can read them: a terminal that is gone, or a full disk behind it, is no error.

Only what is printed as a result and written nowhere else must arrive (`show`).
"""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress


def say(text: str, end: str = "\n") -> None:
    """A line on stderr, if there is one (`2>&-`)."""
    with suppress(OSError):
        print(text, end=end, file=sys.stderr or io.StringIO(), flush=True)


def show(result: str) -> None:
    """A result on stdout; a reader who has seen enough of it is no error. Raises an OSError if it cannot be written."""
    try:
        print(result, flush=True)
    except BrokenPipeError:
        pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, "stdout") from error


def flush() -> None:
    """Write what is still to be written; what nobody takes is dropped, since Python would complain of it at its end."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def tell(text: str) -> None:
    """A line on stdout."""
    with suppress(OSError):
        print(text, flush=True)
