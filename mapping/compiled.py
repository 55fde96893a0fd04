"""Compilation to machine code that needs neither Python nor its lock, kept for the exact sources of this package.

numba alone finds a function again by its own file, and would go on using what it had inlined from another one after
that has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

Function = TypeVar("Function", bound=Callable[..., Any])


def digest() -> str:
    """A hash of all source code of this package."""
    hashed = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        hashed.update(path.read_bytes())
    return hashed.hexdigest()


STAMP = digest()


class PackageCache(FunctionCache):
    """What numba keeps of one function, as long as no file of this package changes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """Where numba keeps it by itself; a RuntimeError if nothing can be written there."""
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, STAMP)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The function for this signature, or None: what is damaged is compiled anew."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # pickle, llvmlite and numba raise a dozen types on what others have written
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the function for this signature if that is possible."""
        try:
            super().save_overload(sig, data)
        except OSError:
            return


def compiled(function: Function) -> Function:
    """Compile a function at its first call, with C's rules for division by zero."""
    dispatcher: Any = njit(nogil=True, error_model="numpy")(function)
    with suppress(RuntimeError):  # nowhere to keep it: every process compiles for itself
        dispatcher._cache = PackageCache(function)
    return cast(Function, dispatcher)
