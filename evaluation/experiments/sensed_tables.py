"""How the results of the suite's mapping are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from matplotlib.figure import Figure

from envs.height_noise import CONDITIONS, HeightNoiseConfig
from evaluation.experiments.experiment import Row
from evaluation.experiments.plots import panels
from evaluation.noise import NONE
from evaluation.tables import Column, markdown_table, success, value


def markdown(rows: Sequence[Row]) -> str:
    """Success by case and ground, beside nominal noise; errors of the heights; and these beside the numbers of S8."""
    wrong = [row for row in rows if "all_bias" in row]
    parts = [f"{rows[0]['episodes']} episodes a cell.", "Success [95 % interval]:", table(rows, success)]
    for other, title in (("nominal", "the same policy under nominal noise"), ("blind", "the blind Student")):
        beside = [row for row in rows if f"to_{other}" in row]
        if beside:
            parts += [f"Success as a fraction of that of {title}; difference of both, pair by pair, and its interval:"]
            parts += [table(beside, partial(difference, other=other))]
    titles = {
        "all": "all 208 samples",
        "under": "within 0.1 m of a foot",
        "ahead": "0.3 m and more ahead of a front foot",
    }
    for part, title in titles.items() if wrong else ():
        parts += [f"Heights seen minus true ones, {title}: bias, spread (cm), fraction unknown:"]
        parts += [table(wrong, partial(three, part=part))]
    if wrong:
        parts += ["The same, sorted as the noise of S8 is:", markdown_table(list(like_s8(wrong)), S8_COLUMNS), READING]
    return "\n\n".join(parts)


def difference(row: Row, other: str) -> str:
    """Success under a map as a fraction of that of the `other`, their difference and its interval."""
    low, high = row[f"to_{other}_ci95"]
    ratio = f"{row['success'] / row[other]:.2f}" if row[other] else "-"
    return f"{ratio}; {row[f'to_{other}']:+.3f} [{low:+.3f}, {high:+.3f}]"


def table(rows: Sequence[Row], text: Callable[[Row], str]) -> str:
    """A line for each policy and case, a column for each ground."""
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in rows:
        line = lines.setdefault((row["checkpoint"], row["case"]), {"policy": row["checkpoint"], "case": row["case"]})
        line[row["terrain"]] = text(row)
    columns = [Column(name, value(name), is_number=False) for name in ("policy", "case")]
    columns += [Column(name, value(name)) for name in dict.fromkeys(row["terrain"] for row in rows)]
    return markdown_table(list(lines.values()), columns)


def three(row: Row, part: str) -> str:
    """Bias and spread in cm, and the fraction of unknown samples."""
    bias, spread, unknown = (row[f"{part}_{name}"] for name in ("bias", "spread", "unknown"))
    return "" if bias is None else f"{100 * bias + 0.0:+.1f}, {100 * spread:.1f}, {unknown:.3f}"


ENTRIES = {
    "point_vertical": "z1, point (m)",
    "foot_vertical": "z3, foot (m)",
    "outlier": "z4, outlier (m)",
    "outlier_probability": "z5, fraction of outliers",
    "episode_vertical": "z7, episode (m)",
}
"""Numbers of S8 that heights tell."""
LASTING = {"foot_after_0.1_s": "z3 after 0.1 s", "foot_after_0.5_s": "after 0.5 s", "within_foot": "samples of a foot"}
"""Correlations: of what is common to a foot's samples with itself, some time later, and between these samples."""
S8_COLUMNS = (
    Column("ground", value("ground"), is_number=False),
    Column("map", value("map"), is_number=False),
    *(Column(title, value(name, ".3f")) for name, title in ENTRIES.items()),
    *(Column(title, value(name, ".2f")) for name, title in LASTING.items()),
    Column("fraction unknown", value("all_unknown", ".3f")),
    Column("bias (m)", value("all_bias", "+.3f")),
)
READING = (
    "What to compare is a measured map with the measured nominal noise on the same ground: outliers are counted beyond "
    "three deviations of what is common, and what S8 shifts sideways (z0, z2, z6) is not told apart, but shows as "
    "outliers and in z3 at edges. S8 draws z3 anew at every look, 20 times a second, and z7 for each episode."
)
"""How to read the last table."""


def like_s8(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """What S8 prints for each of training's conditions, and what was measured of each map, ground by ground."""
    for name, condition in CONDITIONS.items():
        printed = {key: getattr(condition, key) for key in ENTRIES}
        yield {"ground": "any", "map": f"S8, {name}", **printed, "all_unknown": HeightNoiseConfig().missing_fraction}
    first = rows[0]["checkpoint"]
    for ground in dict.fromkeys(row["terrain"] for row in rows):
        for row in rows:
            if (row["checkpoint"], row["terrain"]) == (first, ground) and row["noise"] != NONE:
                yield {**row, "ground": ground, "map": row["case"]}


def draw(rows: Sequence[Row]) -> Figure:
    """Success in each case, a panel for each ground."""
    return panels([{**row, "noise": None} for row in rows], value("case"), value("terrain"))
