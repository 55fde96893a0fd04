"""What the gate is worth: errors without it as multiples of those with it, beside the paper's (Tables S4 and S5)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from evaluation.experiments.experiment import Row
from evaluation.tables import Column, markdown_table, value

PAPER = {
    ("action_distance", "small"): 1.125,
    ("action_distance", "large"): 1.056,
    ("height_error", "small"): 1.277,
    ("height_error", "large"): 1.032,
}
"""Mean over the ten families of (no gate) / gate, by quantity and noise."""
COLUMNS = (
    Column("quantity", value("quantity"), is_number=False),
    Column("noise", value("noise"), is_number=False),
    Column("no gate / gate, mean over the families", value("mean", ".3f")),
    Column("smallest", value("low", ".3f")),
    Column("largest", value("high", ".3f")),
    Column("paper", value("paper", ".3f")),
)


def students(rows: Sequence[Row], gate: bool) -> list[Row]:
    """The rows of the first Student with or without a gate that is otherwise the paper's."""
    wanted = {"gate": gate, "memory": "gru", "reconstruct": True, "extero": True}
    own = [row for row in rows if row["student"] == wanted]
    return [row for row in own if row["checkpoint"] == own[0]["checkpoint"]]


def ratios(rows: Sequence[Row], terrains: Sequence[str]) -> list[str]:
    """A paragraph and a table, or nothing without a pair of Students."""
    with_gate, without = students(rows, True), students(rows, False)
    if not with_gate or not without:
        return []
    cells = {(row["student"]["gate"], row["noise"], row["terrain"]): row for row in with_gate + without}
    lines = []
    for (quantity, noise), paper in PAPER.items():
        own = [cells[False, noise, name][quantity] / cells[True, noise, name][quantity] for name in terrains]
        line = {"quantity": quantity, "noise": noise, "paper": paper}
        lines.append(line | {"mean": fmean(own), "low": min(own), "high": max(own)})
    return [f"{without[0]['checkpoint']} against {with_gate[0]['checkpoint']}:", markdown_table(lines, COLUMNS)]
