"""How the results of the suite's mapfail are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from evaluation.experiments.experiment import Row
from evaluation.experiments.requirements import summary_table
from evaluation.tables import Column, markdown_table, success, value, with_interval

SHOWN = 0.2
"""Difference in success at which colours of the plot end."""
FULL = (
    Column("policy", value("checkpoint"), is_number=False),
    Column("condition", value("condition"), is_number=False),
    Column("ground", value("ground"), is_number=False),
    Column("success [95 % interval]", success),
    Column("blind", with_interval("blind", "blind_ci95")),
    Column("difference", with_interval("difference", "difference_ci95", "+.3f")),
    Column("falls", value("falls", "d")),
    Column("beside the lane", value("out_of_lane", "d")),
    Column("out of time", value("timeouts", "d")),
    Column("speed (m/s)", value("speed", ".2f")),
)


def by_policy(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The rows of each policy."""
    names = dict.fromkeys(row["checkpoint"] for row in rows)
    return {name: [row for row in rows if row["checkpoint"] == name] for name in names}


def different(rows: Sequence[Row], key: str) -> list[str]:
    """All conditions, or grounds, in their order."""
    return list(dict.fromkeys(row[key] for row in rows))


def cell(row: Row) -> str:
    """Success of a Student and of the blind one, their difference and its interval."""
    low, high = row["difference_ci95"]
    return f"{row['success']:.3f} / {row['blind']:.3f}: {row['difference']:+.3f} [{low:+.3f}, {high:+.3f}]"


def overview(rows: Sequence[Row]) -> str:
    """A line for each condition and a column for each ground."""
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        lines.setdefault(row["condition"], {"condition": row["condition"]})[row["ground"]] = cell(row)
    columns = [Column("condition", value("condition"), is_number=False)]
    columns += [Column(ground, value(ground)) for ground in different(rows, "ground")]
    return markdown_table(list(lines.values()), columns)


def markdown(rows: Sequence[Row]) -> str:
    """For each Student the overview and what it must reach; then everything in full."""
    without = next(row["checkpoint"] for row in rows if row["blind_student"])
    texts = [f"{rows[0]['episodes']} episodes a cell. Blind is {without}, on the same starts with the same pushes."]
    for name, own in by_policy([row for row in rows if not row["blind_student"]]).items():
        texts += [f"Success of {name} / of the blind one: difference [95 % interval]", overview(own)]
        texts += [f"What {name} must reach:", summary_table(own)]
    return "\n\n".join([*texts, "In full:", markdown_table(rows, FULL)])


def draw(rows: Sequence[Row]) -> Figure:
    """Success by condition and ground, coloured by the difference from the blind Student, a panel for each Student."""
    policies = by_policy([row for row in rows if not row["blind_student"]])
    conditions, grounds = (different(list(policies.values())[0], key) for key in ("condition", "ground"))
    size = (2.5 + 0.75 * len(grounds), (2.0 + 0.35 * len(conditions)) * len(policies))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(len(policies), 1, squeeze=False)[:, 0]
    for axes, (name, own) in zip(panels, policies.items(), strict=True):
        image = panel(axes, name, own, conditions, grounds)
        figure.colorbar(image, ax=axes, label="success minus blind", extend="both")
    return figure


def panel(axes: Axes, name: str, rows: Sequence[Row], conditions: Sequence[str], grounds: Sequence[str]) -> AxesImage:
    """One Student."""
    values = np.full((len(conditions), len(grounds)), np.nan)
    for row in rows:
        place = conditions.index(row["condition"]), grounds.index(row["ground"])
        values[place] = row["difference"]
        colour = "white" if abs(row["difference"]) > 0.7 * SHOWN else "black"
        axes.text(place[1], place[0], f"{row['success']:.2f}", ha="center", va="center", fontsize=8, color=colour)
    axes.set_title(name)
    axes.set_xticks(range(len(grounds)), grounds, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(conditions)), conditions, fontsize=8)
    return axes.imshow(values, cmap="RdBu", vmin=-SHOWN, vmax=SHOWN, aspect="auto")
