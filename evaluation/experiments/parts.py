"""Results of experiments on disk, and rows of one that takes hours, kept as made: an interruption costs one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from system.files import Troubles, write


class OtherResultsError(ValueError):
    """Results would be lost if new ones were written; the message is one sentence for the user."""


class Parts:
    """Rows by name, in a file until the experiment is complete; without a file, in memory alone."""

    def __init__(self, path: Path | None = None, settings: dict[str, Any] | None = None) -> None:
        """What the file holds already; a ValueError if that was made with other settings or versions."""
        self.path, self.settings = path, settings
        self.troubles = Troubles("the experiment goes on, but rows are lost if it is interrupted.")
        self.rows: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            found = read(path)
            if found.get("settings") != settings or not isinstance(found.get("rows"), dict):
                raise OtherResultsError(
                    f"{path} holds results of other settings or versions, or is damaged: move it away to begin anew."
                )
            self.rows = found["rows"]

    def row(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The row of this name: the one that is there, or a new one."""
        if name not in self.rows:
            self.rows[name] = make()
            if self.path is not None:
                text = json.dumps({"settings": self.settings, "rows": self.rows}, allow_nan=False)
                with self.troubles.tolerated(self.path.name):
                    write(self.path, text)
        return self.rows[name]

    def rows_of(self, name: str, make: Callable[[], Iterable[Mapping[str, Any]]]) -> list[dict[str, Any]]:
        """Several rows that are made together, under one name."""
        return self.row(name, lambda: {"rows": list(make())})["rows"]

    def remove(self) -> None:
        """Forget the file: the results are complete."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """What is in the file, nothing if it is not one of these."""
    try:
        found = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_results(path: Path) -> dict[str, Any]:
    """An experiment's results; a ValueError for a file that holds none."""
    found = read(path)
    if not isinstance(found.get("cells"), list):
        raise ValueError(f"{path} holds no results of evaluate.py --suite.")
    return found


@contextmanager
def of_this_version(path: Path) -> Iterator[None]:
    """Context in which what a file lacks is a ValueError that names it."""
    try:
        yield
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is of another version, or damaged ({type(error).__name__}: {error}).") from error
