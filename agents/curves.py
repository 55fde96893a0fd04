"""curves.csv: a row of every metric for each iteration."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from pathlib import Path

from system.files import append, whole

Row = Mapping[str, str]


class Curves:
    """A CSV file of one row per iteration, whose columns grow when a new metric appears."""

    def __init__(self, path: Path, iteration: int) -> None:
        """Continue the file after `iteration`; nothing is written before `flush`."""
        self.path = path
        self.columns: list[str] = []
        self.waiting = [row for row in read(path) if int(row["iteration"]) <= iteration]
        self.anew = True

    def append(self, row: Mapping[str, float]) -> None:
        """Add one iteration, to six digits; raises an OSError if it cannot be written yet."""
        self.waiting.append({name: f"{x:.6g}" if isinstance(x, float) else str(x) for name, x in row.items()})
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        known = set(self.columns)
        if self.anew or any(not set(row) <= known for row in self.waiting):
            rows = [*([] if self.anew else read(self.path)), *self.waiting]
            columns = list(dict.fromkeys(name for row in rows for name in row))
            with whole(self.path) as part:
                part.write_bytes(text(columns, rows, header=bool(rows)))
            self.columns, self.anew = columns, False
        elif self.waiting:
            append(self.path, text(self.columns, self.waiting, header=False))
        self.waiting = []


def text(columns: list[str], rows: Iterable[Row], header: bool) -> bytes:
    """Rows as lines of the file."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, restval=math.nan, lineterminator="\n")
    if header:
        writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def read(path: Path) -> list[dict[str, str]]:
    """The file's rows, as far as they are intact."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8-sig", errors="replace").replace("\0", "").splitlines()
    rows = csv.DictReader(lines)
    return [row for row in rows if (row.get("iteration") or "").isdigit() and None not in (*row, *row.values())]
