"""numba's cache of machine code, made anew where it is damaged, and done without where it cannot be written."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Any

from numba.core.caching import FunctionCache, IndexDataCacheFile

from envs.terrains.cache import do_without
from system.files import whole

HASH = 32  # bytes


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
