"""Commands and paths as they can be pasted into the shell that this process was started from."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path


def quoted(path: Path | str) -> str:
    """A path or another word for a shell."""
    return shlex.quote(word(path))


def word(argument: Path | str) -> str:
    """An argument of a command; a path that begins with a hyphen is none of its flags."""
    return f"./{argument}" if isinstance(argument, Path) and str(argument).startswith("-") else str(argument)


def interpreter() -> str:
    """What starts this Python: its plain name where the shell finds it under that, else its path."""
    for name in ("python", "python3"):
        if shutil.which(name) == sys.executable:
            return name
    return near(sys.executable)


def script(file: Path | str) -> list[str]:
    """Words that start this file of ours with Python: the file, or, where it was run as one, the module."""
    file = Path(file).resolve()
    spec = sys.modules["__main__"].__spec__
    if spec is not None and spec.origin is not None and Path(spec.origin).resolve() == file:
        return ["-m", spec.name.removesuffix(".__main__")]
    return [near(file)]


def command(file: Path | str, arguments: Sequence[Path | str] = (), before: Sequence[str] = ()) -> str:
    """A line for the shell that starts this file of ours; `before` goes to Python itself."""
    words = [interpreter(), *before, *script(file), *map(word, arguments)]
    return shlex.join(words)


def near(file: Path | str) -> str:
    """The file's path from the working directory if it lies within, else its whole path; links are not followed."""
    path = os.path.abspath(file)
    inside = os.path.relpath(path)
    return path if inside.startswith(os.pardir) else inside
