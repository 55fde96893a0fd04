"""MuJoCo's shared library behind the Python bindings."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from pathlib import Path

import mujoco


def library() -> ctypes.CDLL:
    """MuJoCo's shared library, which Python's bindings have loaded."""
    folder = Path(mujoco.__file__).parent
    files = [path for pattern in ("libmujoco.so*", "libmujoco*.dylib", "mujoco.dll") for path in folder.glob(pattern)]
    return ctypes.CDLL(str(files[0]))


@cache
def stop_timers() -> None:
    """Let MuJoCo read no clock: the bindings give it one, for timers that nobody here looks at, at 6 % of a step.

    Where the library hides it, the timers run on.
    """
    with suppress(OSError, ValueError, IndexError):
        ctypes.c_void_p.in_dll(library(), "mjcb_time").value = None
