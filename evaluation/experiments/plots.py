"""What the plots of the experiments share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from evaluation.experiments.experiment import Row

CURVES: dict[str, Any] = {"marker": "o", "markersize": 4, "capsize": 3, "linewidth": 1.2}
"""Looks of a curve with intervals."""


def label(row: Row) -> str:
    """Name of the policy and the noise under which it acted."""
    return f"{row['checkpoint']}, {row['noise']}" if row.get("noise") else str(row["checkpoint"])


def by_label(rows: Iterable[Row]) -> dict[str, list[Row]]:
    """The rows of each policy under each noise, in their order."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(label(row), []).append(row)
    return groups


def curve(axes: Axes, x: Sequence[float], rows: Sequence[Row], key: str, interval: str) -> None:
    """One policy's quantity over x, with its intervals; what was not measured is left out."""
    known = [(place, row) for place, row in zip(x, rows, strict=True) if row[key] is not None]
    values = [row[key] for _, row in known]
    bounds = [row[interval] or (row[key], row[key]) for _, row in known]
    below = [max(value - lo, 0.0) for value, (lo, _) in zip(values, bounds, strict=True)]
    above = [max(hi - value, 0.0) for value, (_, hi) in zip(values, bounds, strict=True)]
    if known:
        axes.errorbar([place for place, _ in known], values, [below, above], label=label(rows[0]), **CURVES)


def marks(axes: Axes, places: Sequence[float], rows: Sequence[Row]) -> None:
    """Success of one policy from left to right, with its intervals, at places from top to bottom."""
    looks = {name: look for name, look in CURVES.items() if name != "linewidth"}
    bounds = [[abs(row["success"] - row["ci95"][end]) for row in rows] for end in (0, 1)]
    axes.errorbar(
        [row["success"] for row in rows], places, xerr=bounds, label=label(rows[0]), linestyle="none", **looks
    )


def band(axes: Axes, x: Sequence[float], trace: Row, name: str, **looks: Any) -> None:
    """A quantity over x with its intervals as a band; None is a gap."""
    lo, hi = np.array([(np.nan, np.nan) if pair is None else pair for pair in trace[f"{name}_ci95"]], float).T
    (line,) = axes.plot(x, np.array(trace[name], float), label=name, linewidth=1.2, **looks)
    axes.fill_between(x, lo, hi, color=line.get_color(), alpha=0.2, linewidth=0)


def finish(axes: Axes, **labels: str) -> None:
    """Title and axis labels, grid and legend."""
    axes.set(**labels)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize=7)
