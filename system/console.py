"""Lines for the user where somebody can read them: a terminal that is gone, or a full disk behind it, is no error."""

from __future__ import annotations

import sys
from contextlib import suppress


def say(text: str) -> None:
    """A line on stderr."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def tell(text: str) -> None:
    """A line on stdout."""
    with suppress(OSError):
        print(text, flush=True)
