"""Rows of an experiment that takes hours, kept as they are made, so that an interruption costs one of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from system.files import write


class Parts:
    """Rows by name, in a file until the experiment is complete; without a file, in memory alone."""

    def __init__(self, path: Path | None = None, settings: dict[str, Any] | None = None) -> None:
        """What the file holds already; a ValueError if that was made with other settings or versions."""
        self.path, self.settings = path, settings
        self.rows: dict[str, dict[str, Any]] = {}
        if path is not None and path.exists():
            found = read(path)
            if found.get("settings") != settings:
                raise ValueError(f"{path} holds results of other settings or versions: move it away to begin anew.")
            self.rows = found["rows"]

    def row(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The row of this name: the one that is there, or a new one."""
        if name not in self.rows:
            self.rows[name] = make()
            if self.path is not None:
                write(self.path, json.dumps({"settings": self.settings, "rows": self.rows}, allow_nan=False))
        return self.rows[name]

    def remove(self) -> None:
        """Forget the file: the results are complete."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def read(path: Path) -> dict[str, Any]:
    """What is in the file, nothing if it is not one of these."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
