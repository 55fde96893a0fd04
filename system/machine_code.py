"""Compilation to machine code that needs neither Python nor its lock, kept on disk for the exact sources it is made of.

numba alone finds a function again by the file it is in, and would go on using what it had inlined from another file
after that has changed. What is damaged on the disk is made anew; where nothing can be kept, every process compiles for
itself. Needs numba alone.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Literal, TypeVar, cast

from numba import config, njit
from numba.core import sigutils
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.ccallback import CFunc

from system.caching import cache_directory, do_without
from system.files import whole

HASH = 32  # bytes

Function = TypeVar("Function", bound=Callable[..., Any])


def digest(sources: Iterable[Path]) -> str:
    """A hash of source files, and of this one, which says how they are compiled."""
    hashed = sha256(Path(__file__).read_bytes())
    for path in sources:
        hashed.update(path.read_bytes())
    return hashed.hexdigest()[:24]


def compiled(function: Function, kept_in: str, inline: Literal["never", "always"] = "never") -> Function:
    """Compile a function at its first call, with C's rules for division by zero.

    What is not inlined here LLVM may still inline. `kept_in` is the cache's folder for the sources that it is made of.
    """
    dispatcher: Any = njit(nogil=True, error_model="numpy", inline=inline)(function)
    keep(dispatcher, function, kept_in)
    return cast(Function, dispatcher)


def c_function(function: Callable[..., Any], signature: Any, kept_in: str) -> CFunc:
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
        except RuntimeError as error:  # numba cannot write there any more
            do_without(OSError(f"{folder} cannot be written: {error}"))
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


class CodeCache(FunctionCache):
    """What numba keeps of one function; any trouble with it means that the function is compiled."""

    def __init__(self, function: Callable[..., Any]) -> None:
        """In the folder that numba's configuration names at this moment."""
        super().__init__(function)
        self._cache_file = HashedFiles(
            self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp()
        )

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The function for this signature, or None."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # pickle, llvmlite and numba raise a dozen types on what others have written
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep the function for this signature."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            do_without(error)


class HashedFiles(IndexDataCacheFile):
    """Index and machine code of one function, each behind a hash of its content: damaged code would be executed."""

    def _dump(self, obj: Any) -> bytes:
        content = super()._dump(obj)
        return sha256(content).digest() + content

    def _load_index(self) -> dict[Any, str]:
        try:
            with open(self._index_path, "rb") as file:
                version, hashed = pickle.load(file), file.read()
            stamp, overloads = pickle.loads(_intact(hashed))
        except Exception:
            return {}
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def save(self, key: Any, data: Any) -> None:
        """Keep the machine code of one signature in a file of its own.

        numba numbers these files by an index that another process may just be writing anew: its numbers would name the
        code of the other's signature.
        """
        overloads = self._load_index()
        name = overloads[key] = self._data_name(sha256(repr(key).encode()).hexdigest()[:24])
        self._save_data(name, data)
        self._save_index(overloads)

    def _data_name(self, number: str) -> str:
        return f"{self._index_name.removesuffix('.nbi')}.{number}.nbc"

    def _load_data(self, name: str) -> Any:
        return pickle.loads(_intact(Path(self._data_path(name)).read_bytes()))

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[IO[bytes]]:
        with whole(Path(filepath)) as part, part.open("wb") as file:
            yield file


def _intact(hashed: bytes) -> bytes:
    """The content behind its hash; a ValueError if they do not belong together."""
    content = hashed[HASH:]
    if sha256(content).digest() != hashed[:HASH]:
        raise ValueError("damaged")
    return content
