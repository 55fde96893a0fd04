"""What the plots of the experiments share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

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


def panels(rows: Sequence[Row], line: Callable[[Row], str], ground: Callable[[Row], str]) -> Figure:
    """Success on each line (a case, a world), a panel for each ground with a mark for each policy."""
    lines, grounds = (list(dict.fromkeys(map(of, rows))) for of in (line, ground))
    height = 1.5 + 0.3 * len(lines) * len(by_label(rows))
    figure = Figure(figsize=(3.2 * len(grounds), height), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(grounds), sharey=True, squeeze=False)[0], grounds, strict=True):
        for number, own in enumerate(by_label(row for row in rows if ground(row) == name).values()):
            marks(axes, [lines.index(line(row)) + 0.15 * number for row in own], own)
        axes.set_yticks(range(len(lines)), lines, fontsize=8)
        axes.set_xlim(-0.02, 1.02)
        finish(axes, title=name, xlabel="success, 95 % interval")
    figure.axes[0].invert_yaxis()
    return figure


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
