"""Tables of evaluation cells, one row per cell.

Unless columns say otherwise, a cell is an entry of "cells" in the JSON of evaluate.py: checkpoint, terrain, difficulty
(0..1) or parameters (by name, SI units), noise, episodes, success (fraction of episodes) with its ci95 [lo, hi], falls
(number of episodes), velocity_error (m/s).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Cell = Mapping[str, Any]


@dataclass(frozen=True)
class Column:
    """One quantity of a cell: its heading, its text, and whether it lines up on the right as numbers do."""

    heading: str
    text: Callable[[Cell], str]
    is_number: bool = True


def value(key: str, form: str = "") -> Callable[[Cell], str]:
    """The quantity of that name, empty where it is missing."""
    return lambda cell: "" if cell.get(key) is None else format(cell[key], form)


def _parameters(cell: Cell) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in (cell.get("parameters") or {}).items())


def with_interval(key: str, interval: str, form: str = ".3f") -> Callable[[Cell], str]:
    """A quantity and its interval [lo, hi], as far as they are there."""

    def text(cell: Cell) -> str:
        if cell.get(key) is None:
            return ""
        bounds = "" if cell[interval] is None else f" [{cell[interval][0]:{form}}, {cell[interval][1]:{form}}]"
        return f"{cell[key]:{form}}{bounds}"

    return text


success = with_interval("success", "ci95")
"""Fraction of successes and its interval."""

WHO = (
    Column("checkpoint", value("checkpoint"), is_number=False),
    Column("noise", value("noise"), is_number=False),
)
"""Which policy under which noise."""
COLUMNS = (
    Column("checkpoint", value("checkpoint"), is_number=False),
    Column("terrain", value("terrain"), is_number=False),
    Column("difficulty", value("difficulty", "g")),
    Column("parameters", _parameters, is_number=False),
    Column("noise", value("noise"), is_number=False),
    Column("episodes", value("episodes", "d")),
    Column("success [95 % interval]", success),
    Column("falls", value("falls", "d")),
    Column("velocity error (m/s)", value("velocity_error", ".3f")),
)


def console_table(cells: Sequence[Cell], columns: Sequence[Column] = COLUMNS) -> str:
    """Aligned columns for a terminal; a column that no cell fills is left out."""
    filled, rows = _texts(cells, columns)
    lines = [[column.heading for column in filled], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(filled))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_aligned(line, filled, widths) for line in lines)


def markdown_table(cells: Sequence[Cell], columns: Sequence[Column] = COLUMNS) -> str:
    """The same table for a document."""
    filled, rows = _texts(cells, columns)
    rule = ["---:" if column.is_number else "---" for column in filled]
    lines = [[column.heading for column in filled], rule, *rows]
    escaped = [[text.replace("|", "\\|") for text in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _texts(cells: Sequence[Cell], columns: Sequence[Column]) -> tuple[list[Column], list[list[str]]]:
    if not cells:
        raise ValueError("A table needs at least one evaluated cell.")
    filled = [column for column in columns if any(column.text(cell) for cell in cells)]
    return filled, [[column.text(cell) for column in filled] for cell in cells]


def _aligned(line: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    pairs = zip(line, columns, widths, strict=True)
    texts = [text.rjust(width) if column.is_number else text.ljust(width) for text, column, width in pairs]
    return "  ".join(texts).rstrip()
