"""Learning curves of training runs in one picture: `python -m evaluation.curves RUN_DIR ... --out curves.png`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from numpy.typing import NDArray

from agents.checkpoint import CURVES_FILE, stage_directories
from agents.curves import read
from system import stopping
from system.files import whole, with_ending
from system.shell import quoted

PANELS = {
    "tracking reward, 0..1": ("tracking/",),
    "reward per second, large terms": ("reward/total", "reward/linear", "reward/angular", "reward/base_motion"),
    "reward per second, small terms": ("reward/",),
    "falls per minute": ("falls_per_minute",),
    "difficulty by terrain type, 0..1": ("terrain/",),
    "traversability by terrain type": ("traversability/",),
    "action noise, explained variance, c_k": ("policy/std", "loss/explained_variance", "curriculum/c_k"),
    "environment steps per second": ("perf/steps_per_second",),
}
"""Title of each panel, and the beginnings of the names of the metrics that it shows; each metric is shown once."""
DASHES = ("-", "--", ":", "-.")
"""Of the first ten curves of a panel, the next ten, and so on."""
SAMPLES = "train/samples"
"""Metric that all others are drawn over."""
SMOOTHING = 15
"""Iterations over which a curve is averaged."""


@dataclass(frozen=True)
class Args:
    """Draw the curves that training wrote."""

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run directories, in the order in which each went on from the one before; all stages of each."""
    out: Path = Path("curves.png")
    """Picture to write."""


def read_curves(runs: Sequence[Path]) -> dict[str, NDArray[np.float64]]:
    """Metrics by name, all of one length; samples count on from run to run, missing values are NaN."""
    rows: list[dict[str, str]] = []
    offset, samples = 0.0, []
    for place in (place for run in runs for place in stage_directories(run)):
        path = place / CURVES_FILE
        if not path.is_file():
            raise ValueError(f"There is no {path}: name the directory of a training run.")
        part = read(path)
        samples += [offset + float(row.get(SAMPLES) or "nan") for row in part]
        rows += part
        offset = samples[-1] if samples else 0.0
    if not rows:
        raise ValueError("These runs have not finished an iteration yet.")
    if not np.isfinite(samples).all():
        raise ValueError(f"{CURVES_FILE} has rows without {SAMPLES}: name the directory of a training run.")
    names = dict.fromkeys(name for row in rows for name in row)
    curves = {name: np.array([float(row.get(name) or "nan") for row in rows]) for name in names}
    return curves | {SAMPLES: np.array(samples)}


def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the last iterations at every iteration, over the values that are there."""
    known = np.isfinite(values)
    window = np.ones(SMOOTHING)
    total = np.convolve(np.where(known, values, 0.0), window)[: len(values)]
    count = np.convolve(known.astype(float), window)[: len(values)]
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def look(number: int) -> dict[str, Any]:
    """Colour and dashes of the curve of this number in a panel: no two of forty are the same."""
    return {"color": f"C{number % 10}", "linestyle": DASHES[number // 10 % len(DASHES)], "linewidth": 1.6}


def draw(curves: dict[str, NDArray[np.float64]], out: Path) -> None:
    """Write the picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(15, 18), layout="constrained")
    shown: set[str] = set()
    for axes, (title, beginnings) in zip(figure.subplots(4, 2).flat, PANELS.items(), strict=True):
        names = [name for name in curves if name.startswith(beginnings) and name not in shown]
        shown.update(names)
        for number, name in enumerate(names):
            axes.plot(curves[SAMPLES] / 1e6, smooth(curves[name]), label=name.split("/")[-1], **look(number))
        axes.set(title=title, xlabel="million environment steps")
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(fontsize=9, ncols=2)
    with whole(out) as part:
        figure.savefig(part, dpi=80)


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Draw; exit code 2 for runs that cannot be read."""
    args = tyro.cli(Args, args=argv, prog="evaluation.curves")
    try:
        out = with_ending(args.out, ".png")
        draw(read_curves(args.runs), out)
    except (ValueError, OSError) as error:
        print(f"evaluation.curves: {error}", file=sys.stderr)
        return 2
    print(f"Wrote {quoted(out)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
