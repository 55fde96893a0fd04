"""Compilation of the ground's inner loops to machine code, kept on disk for the exact sources that it was made from.

numba alone finds a function again by the file it is in, and would go on using what it had inlined from another file
after that has changed: heights and contacts would no longer agree.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

from numba import config, njit
from numba.core import sigutils
from numba.core.ccallback import CFunc

from envs.terrains.cache import cache_directory, do_without
from envs.terrains.code_cache import CodeCache

PACKAGES = ("terrains", "collider", "drives")
"""Packages of envs whose functions and constants end up in machine code."""

Function = TypeVar("Function", bound=Callable[..., Any])


def digest(root: Path, packages: Sequence[str] = PACKAGES) -> str:
    """A hash of all source code of these packages in `root`."""
    hashed = hashlib.sha256()
    for package in packages:
        for path in sorted((root / package).glob("*.py")):
            hashed.update(path.read_bytes())
    return hashed.hexdigest()[:24]


FOLDER = f"compiled-{digest(Path(__file__).parents[1])}"
"""Name of the cache's folder for the present sources."""


def compiled(function: Function, inline: Literal["never", "always"] = "never", kept_in: str = FOLDER) -> Function:
    """Compile a function at its first call, without Python or its lock and with C's rules for division by zero.

    What is not inlined here LLVM may still inline. `kept_in` is the cache's folder for the sources that it is made of.
    """
    dispatcher: Any = njit(nogil=True, error_model="numpy", inline=inline)(function)
    keep(dispatcher, function, kept_in)
    return cast(Function, dispatcher)


def c_function(function: Callable[..., Any], signature: Any, kept_in: str = FOLDER) -> CFunc:
    """Compile a function that C calls, at once, or find it again.

    It is kept for the values in its closure, which must be numbers, and for what else `kept_in` names.
    """
    callback = CFunc(function, sigutils.normalize_signature(signature), locals={}, options={})
    keep(callback, function, kept_in)
    callback.compile()
    return callback


def keep(user: Any, function: Callable[..., Any], kept_in: str) -> None:
    """Let numba's dispatcher or callback of a function look for its machine code in this folder of the cache."""
    chosen: str = config.CACHE_DIR  # pyright: ignore[reportAttributeAccessIssue]
    folder = Path(chosen or cache_directory()) / kept_in
    if writable(folder):
        config.CACHE_DIR = str(folder)  # pyright: ignore[reportAttributeAccessIssue]
        try:
            user._cache = CodeCache(function)
        finally:
            config.CACHE_DIR = chosen  # pyright: ignore[reportAttributeAccessIssue]


@cache
def writable(folder: Path) -> bool:
    """Whether machine code can be kept there; where not, every process compiles for itself."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError as error:
        do_without(error)
        return False


inlined = partial(compiled, inline="always")
"""Compile a function into each of its callers; where a call in an inner loop would cost more than the function."""
