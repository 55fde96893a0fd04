"""Files that are written whole or not at all, and what is said of those that cannot be."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Protocol
from uuid import uuid4

from system.console import say
from system.shell import quoted

PART = re.compile(r"\..+\.[0-9a-f]{12}(\.\w+)?")
"""Names of files that `whole` is writing."""
_unfinished: set[Path] = set()
_reserved: set[Path] = set()


@contextmanager
def free_file(wanted: Path) -> Iterator[Path]:
    """Context in which this path, or the first of name_2, name_3 ... that nothing has, is nobody else's; an empty file
    stands there, and is gone afterwards if it stays empty."""
    names = (wanted if number == 1 else wanted.with_stem(f"{wanted.stem}_{number}") for number in count(1))
    for path in names:
        with suppress(FileExistsError), naming(path):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
            break
    _reserved.add(path)
    try:
        yield path
    finally:
        _forget_empty(path)
        _reserved.discard(path)


def forget_unfinished() -> None:
    """Remove what the contexts of this module are writing, for a process that ends without coming back there."""
    for part in tuple(_unfinished):
        with suppress(OSError):
            shutil.rmtree(part) if part.is_dir() else part.unlink(missing_ok=True)
    for path in tuple(_reserved):
        _forget_empty(path)


def _forget_empty(path: Path) -> None:
    with suppress(OSError):
        if path.stat().st_size == 0:
            path.unlink()


def forget_parts(folder: Path, stem: str) -> None:
    """Remove what a killed process was writing with `whole` in this folder, of files whose stem begins like this."""
    for path in folder.glob(f".{stem}*"):
        if PART.fullmatch(path.name) and path.is_file():
            with suppress(OSError):
                path.unlink()


@contextmanager
def scratch(folder: Path | None = None, name: str = "anymal-") -> Iterator[Path]:
    """Context with a new folder of a name that begins like this, gone however the process ends.

    It is within `folder`, or where the system wants what is temporary.
    """
    folder = Path(gettempdir()) if folder is None else folder
    with naming(folder):
        made = TemporaryDirectory(prefix=name, dir=folder)
    _unfinished.add(Path(made.name))
    try:
        with made:
            yield Path(made.name)
    finally:
        _unfinished.discard(Path(made.name))


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Context for writing a new file of the same ending in the same folder, which takes the place of `path` afterwards.

    Whole or not at all, whenever process or machine stops. What is no file (/dev/stdout) is written as it is.

    Raises:
        OSError: named after `path`, if it cannot be written; what was begun is gone.
    """
    if path.exists() and not path.is_file():
        with naming(path):
            yield path
        return
    target = Path(os.path.realpath(path))
    part = target.with_name(f".{target.stem}.{uuid4().hex[:12]}{target.suffix}")
    _unfinished.add(part)
    with naming(path):
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
            _unfinished.discard(part)


def write(path: Path, text: str) -> None:
    """Replace a file by this text; raises as `whole` does."""
    with whole(path) as part:
        part.write_text(text, encoding="utf-8")


def with_ending(path: Path, ending: str) -> Path:
    """The path, with this ending if it has none: who writes pictures and arrays adds one of his own."""
    return path if path.suffix else path.with_name(f"{path.name}{ending}")


class Picture(Protocol):
    """What can be saved as a picture: a matplotlib figure."""

    def savefig(self, fname: Any, /) -> None:
        """Write it."""


def draw_to(out: Path, draw: Callable[[], Picture]) -> int:
    """Write what is drawn, whole or not at all, as a .png unless `out` ends otherwise, and say so; the exit code."""
    out = with_ending(out, ".png")
    try:
        picture = draw()
        with whole(out) as part:
            picture.savefig(part)
    except (OSError, ValueError) as error:
        say(f"Cannot write {out}: {error}")
        return 2
    print(f"Wrote {quoted(out)}")
    return 0


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file, all of it or nothing; raises an OSError named after `path`."""
    with naming(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            before = os.fstat(descriptor).st_size
            left = memoryview(content)
            try:
                while left:
                    left = left[os.write(descriptor, left) :]
            except BaseException:
                os.ftruncate(descriptor, before)
                raise
        finally:
            os.close(descriptor)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Context whose OSErrors name this path, whatever the system call was that failed."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.strerror is None:
            raise OSError(f"{path} cannot be written: {error}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


class Troubles:
    """Files that cannot be written for the moment: said when that begins, and when all are complete again."""

    def __init__(self, consequence: str) -> None:
        """`consequence` tells the user what that means."""
        self.consequence = consequence
        self.names: set[str] = set()

    @contextmanager
    def tolerated(self, name: str) -> Iterator[None]:
        """Context in which the file of this name may fail to be written."""
        try:
            yield
        except OSError as error:
            if not self.names:
                say(f"warning: {error}; {self.consequence}")
            self.names.add(name)
            return
        if self.names:
            self.names.discard(name)
            if not self.names:
                say("All files are complete again.")
