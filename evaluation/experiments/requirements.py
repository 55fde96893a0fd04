"""What policies must reach, a Student whatever happens to its map, and whether they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.experiments.experiment import Row
from evaluation.experiments.failing_maps import FAILING, GROUNDS
from evaluation.tables import Column, markdown_table, value

INTERVALS = {"difference": "difference_ci95", "success": "ci95", "speed": None}
"""Quantity -> its interval in a row, if it has one."""
ORDINARY = tuple(
    each.name for each in GROUNDS if each.terrain in ("flat", "rough", "slope_up", "slope_down", "boxes", "grid_steps")
) + ("stairs_up 0.12", "stairs_up 0.17", "stairs_down 0.12", "stairs_down 0.17", "step_up 0.2")
"""Grounds that can be crossed without seeing them."""
SLACK = 1e-9
"""Of comparisons: the difference of two fractions of episodes is no exact number."""


@dataclass(frozen=True)
class Requirement:
    """A least value of a quantity in each of some conditions on each of some grounds."""

    words: str
    quantity: str
    """A key of `INTERVALS`; difference is success minus that of the blind Student."""
    least: float
    conditions: tuple[str, ...]
    grounds: tuple[str, ...]

    def rows(self, rows: Sequence[Row]) -> list[Row]:
        """Those of one Student's rows that it is about."""
        return [row for row in rows if row["condition"] in self.conditions and row["ground"] in self.grounds]


EVERYWHERE = tuple(ground.name for ground in GROUNDS)
REQUIREMENTS = (
    Requirement(
        "no failure makes it worse than blind", "difference", -0.02, tuple(each.name for each in FAILING), ORDINARY
    ),
    Requirement("large noise does not", "difference", -0.01, ("large",), EVERYWHERE),
    Requirement("stairs by feel", "success", 0.97, ("covered", "blank", "plane"), ("stairs_up 0.15",)),
    Requirement("steep stairs", "success", 0.93, ("nominal",), ("stairs_up 0.22",)),
    Requirement("high step", "success", 0.96, ("nominal",), ("step_up 0.305",)),
    Requirement("boxes", "success", 0.95, ("nominal",), ("boxes 0.15",)),
    Requirement("stairs between walls", "success", 0.95, ("nominal",), ("stairwell 0.17",)),
    Requirement("between walls", "success", 1.0, ("nominal",), ("corridor 1.2",)),
    Requirement("between walls, m/s", "speed", 0.6, ("nominal",), ("corridor 1.2",)),
    Requirement("a map that comes back", "success", 0.95, ("dropout",), ("stairs_up 0.17",)),
)
"""In the order of the summary."""


def verdict(requirement: Requirement, rows: Sequence[Row]) -> dict[str, str]:
    """A line of the summary for one Student's rows.

    It is met if every cell is at least the least value, so far if some are not made, and open if the intervals of all
    that are below reach it.
    """
    quantity, least = requirement.quantity, requirement.least
    found = requirement.rows(rows)
    asked = len(requirement.conditions) * len(requirement.grounds)
    line = {"requirement": requirement.words, "least": f"{quantity} {least:g}", "cells": f"{len(found)} of {asked}"}
    known = [row for row in found if row[quantity] is not None]
    if not known:
        return line | {"met": "not measured"}
    below = [row for row in known if row[quantity] < least - SLACK]
    worst = min(known, key=lambda row: row[quantity])
    met = "no" if any(surely_below(row, quantity, least) for row in below) else "open" if below else "yes"
    met = "so far" if met == "yes" and len(known) < asked else met
    return line | {
        "below": str(len(below)),
        "worst": f"{worst['condition']}, {worst['ground']}",
        "value": told(worst, quantity),
        "met": met,
    }


def surely_below(row: Row, quantity: str, least: float) -> bool:
    """Whether the interval, too, is below the least value."""
    interval = INTERVALS[quantity]
    return interval is None or row[interval][1] < least


def told(row: Row, quantity: str) -> str:
    """A quantity and its interval."""
    interval = INTERVALS[quantity]
    bounds = "" if interval is None else " [{:.3f}, {:.3f}]".format(*row[interval])
    return f"{row[quantity]:.3f}{bounds}"


COLUMNS = tuple(
    Column(name, value(name), is_number=name in ("cells", "below"))
    for name in ("requirement", "least", "cells", "below", "worst", "value", "met")
)


def summary_table(rows: Sequence[Row], requirements: Sequence[Requirement] = REQUIREMENTS) -> str:
    """Which requirements one policy meets."""
    return markdown_table([verdict(each, rows) for each in requirements], COLUMNS)
