"""Tables of evaluation cells, one row per cell.

A cell is an entry of "cells" in the JSON of evaluate.py: checkpoint, terrain, difficulty (0..1) or parameters (by name,
SI units), noise, episodes, success (share of episodes) with its ci95 [lo, hi], falls (number of episodes),
velocity_error (m/s).
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


def _value(key: str, form: str = "") -> Callable[[Cell], str]:
    return lambda cell: "" if cell.get(key) is None else format(cell[key], form)


def _parameters(cell: Cell) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in (cell.get("parameters") or {}).items())


def _success(cell: Cell) -> str:
    lo, hi = cell["ci95"]
    return f"{cell['success']:.3f} [{lo:.3f}, {hi:.3f}]"


COLUMNS = (
    Column("checkpoint", _value("checkpoint"), is_number=False),
    Column("terrain", _value("terrain"), is_number=False),
    Column("difficulty", _value("difficulty", "g")),
    Column("parameters", _parameters, is_number=False),
    Column("noise", _value("noise"), is_number=False),
    Column("episodes", _value("episodes", "d")),
    Column("success [95 % interval]", _success),
    Column("falls", _value("falls", "d")),
    Column("velocity error (m/s)", _value("velocity_error", ".3f")),
)


def console_table(cells: Sequence[Cell]) -> str:
    """Aligned columns for a terminal; a column that no cell fills is left out."""
    columns, rows = _texts(cells)
    lines = [[column.heading for column in columns], *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(_aligned(line, columns, widths) for line in lines)


def markdown_table(cells: Sequence[Cell]) -> str:
    """The same table for a document."""
    columns, rows = _texts(cells)
    rule = ["---:" if column.is_number else "---" for column in columns]
    lines = [[column.heading for column in columns], rule, *rows]
    escaped = [[text.replace("|", "\\|") for text in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in escaped)


def _texts(cells: Sequence[Cell]) -> tuple[list[Column], list[list[str]]]:
    if not cells:
        raise ValueError("A table needs at least one evaluated cell.")
    filled = [column for column in COLUMNS if any(column.text(cell) for cell in cells)]
    return filled, [[column.text(cell) for column in filled] for cell in cells]


def _aligned(line: Sequence[str], columns: Sequence[Column], widths: Sequence[int]) -> str:
    pairs = zip(line, columns, widths, strict=True)
    texts = [text.rjust(width) if column.is_number else text.ljust(width) for text, column, width in pairs]
    return "  ".join(texts).rstrip()
