"""From single episodes to one row of results."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from evaluation.statistics import mean_interval, wilson
from evaluation.trial import OUTCOMES, SUCCESS


def summary(results: dict[str, Tensor]) -> dict[str, Any]:
    """Counts and means of the episodes of one cell; the cost of transport is that of the successful ones."""
    outcome = results["outcome"]
    counts = {name: int((outcome == number).sum()) for name, number in OUTCOMES.items()}
    successes = counts.pop("success")
    return {
        "episodes": len(outcome),
        "success": successes / len(outcome),
        "ci95": list(wilson(successes, len(outcome))),
        **counts,
        **measured(velocity_error=results["velocity_error"]),
        "yaw_rate_error": mean(results["yaw_rate_error"])[0],
        "speed": mean(results["speed"])[0],
        "cost_of_transport": mean(results["cost_of_transport"][outcome == SUCCESS])[0],
    }


def mean(values: Tensor) -> tuple[float | None, list[float] | None]:
    """Mean of what could be measured and its 95 % interval, None where there is nothing to tell."""
    measured = values[values.isfinite()].tolist()
    if not measured:
        return None, None
    centre, interval = mean_interval(measured)
    return centre, None if interval is None else list(interval)


def measured(**quantities: Tensor) -> dict[str, Any]:
    """Entries of a row: the mean of each quantity (n,) by its name, and the interval of that mean."""
    row: dict[str, Any] = {}
    for name, values in quantities.items():
        row[name], row[f"{name}_ci95"] = mean(values)
    return row
