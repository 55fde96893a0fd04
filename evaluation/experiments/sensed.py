"""Students on maps of their own: how wrong these are on each ground, whether S8's noise is like them, and success."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from matplotlib.figure import Figure
from torch import Tensor

from envs.config import EnvConfig
from envs.depth import DepthConfig, OdometryConfig
from envs.height_noise import CONDITIONS
from evaluation import conditions
from evaluation.agents import Agent
from evaluation.cells import Cell, make_cells
from evaluation.conditions import Change, Crowd, environment
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import finish, marks
from evaluation.map_errors import MapErrors, described
from evaluation.noise import MAPPED, SENSED, with_map
from evaluation.protocol import cross, evaluate_cells, tiles_of, trial_of
from evaluation.summary import summary
from evaluation.tables import Column, markdown_table, success, value

GROUNDS: Mapping[str, dict[str, tuple[float, ...]]] = {
    "stairs_up": {"height": (0.17,), "depth": (0.3,)},
    "stairs_down": {"height": (0.17,), "depth": (0.3,)},
    "step_up": {"height": (0.2,)},
    "boxes": {"height": (0.15,)},
    "rough": {"amplitude": (0.05,)},
}
"""Terrain -> parameters in m."""
EPISODES, MEDIUM = 300, 0.5


@dataclass(frozen=True)
class Case:
    """A way in which a Student gets its heights."""

    name: str
    """In tables."""
    noise: str
    """Level of noise."""
    depth: DepthConfig = SENSED
    """Sensors and odometry under noise mapped."""

    def change(self, cfg: EnvConfig) -> EnvConfig:
        """An environment with these sensors."""
        return with_map(cfg, self.depth)


def drifting(share: float) -> DepthConfig:
    """Four cameras, and an odometry that drifts by this share of the way."""
    odometry = OdometryConfig(drift=share, turn=share, turn_per_metre=share / 2)
    return replace(SENSED, odometry=odometry)


CASES = (
    *(Case(level, level) for level in ("none", "nominal", "large")),
    *(Case(f"mapped, drift {100 * share:g} %", MAPPED, drifting(share)) for share in (0.0, 0.01, 0.03)),
    Case("mapped, front covered", MAPPED, replace(SENSED, covered=("front",))),
    Case("mapped, domes", MAPPED, replace(SENSED, sensors="domes")),
)


def cells_of(terrain: str) -> list[Cell]:
    """The grounds of one terrain."""
    return make_cells([terrain], [MEDIUM], GROUNDS[terrain])


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, the grounds, and the sensors of each case."""
    grounds = {terrain: [cell.parameters for cell in cells_of(terrain)] for terrain in GROUNDS}
    cases = {case.name: asdict(case.depth) for case in CASES if case.noise == MAPPED}
    noises = tuple(dict.fromkeys(case.noise for case in CASES))
    return request.settings(noises, EPISODES, grounds=grounds, cases=cases)


def run(request: Request) -> list[dict[str, Any]]:
    """A row for each policy, case and ground; those who see no noise have one case."""
    rows, crowd = [], request.crowd(EPISODES)
    for agent, case in pairs(request):
        name, noise = ("truth or nothing", None) if case is None else (case.name, case.noise)
        watched = partial(watch, change=conditions.unchanged if case is None else case.change)
        for terrain in GROUNDS:
            for row in evaluate_cells(agent, cells_of(terrain), noise, crowd, watched, with_errors):
                rows.append({**row, "case": name})
                say("mapping", rows[-1], name, terrain, f"success {row['success']:.3f}")
    return rows


def pairs(request: Request) -> Iterator[tuple[Agent, Case | None]]:
    """Every agent in every case that makes a difference to it."""
    for agent in request.agents:
        cases: Sequence[Case | None] = CASES if agent.env.noisy_groups else (None,)
        yield from ((agent, case) for case in cases)


def watch(agent: Agent, cells: Sequence[Cell], noise: str | None, crowd: Crowd, change: Change) -> dict[str, Tensor]:
    """First episodes, as of `Trial.finish`, and where there are maps their errors, as of `MapErrors.finish`."""
    env = environment(agent, tiles_of(cells, crowd), noise, crowd, change)
    trial = trial_of(env, cells)
    errors = MapErrors(env, lambda: trial.running)
    results = cross(env, agent, trial, crowd, observers=[errors])
    return results | ({} if noise is None else errors.finish())


def with_errors(results: dict[str, Tensor]) -> dict[str, Any]:
    """How episodes ended, and how wrong their heights were."""
    return summary(results) | (described(results) if "rest" in results else {})


def markdown(rows: Sequence[Row]) -> str:
    """Success by case and ground; errors of the heights by ground; and these errors beside the numbers of S8."""
    wrong = [row for row in rows if "all_bias" in row]
    parts = [f"{rows[0]['episodes']} episodes a cell.", "Success:", table(rows, success)]
    titles = {
        "all": "all 208 samples",
        "under": "within 0.1 m of a foot",
        "ahead": "0.3 m and more ahead of a front foot",
    }
    for part, title in titles.items() if wrong else ():
        parts += [f"Heights seen minus true ones, {title}: bias, spread (cm), share unknown:"]
        parts += [table(wrong, partial(three, part=part))]
    if wrong:
        parts += ["The same, sorted as the noise of S8 is:", markdown_table(list(like_s8(wrong)), S8_COLUMNS)]
    return "\n\n".join(parts)


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
    "outlier_probability": "z5, share of outliers",
    "episode_vertical": "z7, episode (m)",
}
"""Numbers of S8 that heights tell; what is shifted sideways shows as outliers at edges."""
S8_COLUMNS = (
    Column("map", value("map"), is_number=False),
    Column("ground", value("ground"), is_number=False),
    *(Column(title, value(name, ".3f")) for name, title in ENTRIES.items()),
)


def like_s8(rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
    """What was measured for each map and ground, and what S8 prints."""
    for name in ("nominal", "large"):
        yield {"map": f"S8, {name}", "ground": "any", **{key: getattr(CONDITIONS[name], key) for key in ENTRIES}}
    first = rows[0]["checkpoint"]
    for row in rows:
        if row["checkpoint"] == first:
            yield {"map": row["case"], "ground": row["terrain"], **{key: row[key] for key in ENTRIES}}


def draw(rows: Sequence[Row]) -> Figure:
    """Success in each case, a panel for each ground with a mark for each policy."""
    cases, grounds = (list(dict.fromkeys(row[name] for row in rows)) for name in ("case", "terrain"))
    figure = Figure(figsize=(3.2 * len(grounds), 2.0 + 0.4 * len(cases)), layout="constrained")
    panels = figure.subplots(1, len(grounds), sharey=True, squeeze=False)[0]
    for axes, terrain in zip(panels, grounds, strict=True):
        for number, name in enumerate(dict.fromkeys(row["checkpoint"] for row in rows)):
            own = [{**row, "noise": None} for row in rows if (row["checkpoint"], row["terrain"]) == (name, terrain)]
            marks(axes, [cases.index(row["case"]) + 0.12 * number for row in own], own)
        axes.set_yticks(range(len(cases)), cases, fontsize=8)
        axes.set_xlim(-0.02, 1.02)
        finish(axes, title=terrain, xlabel="success, 95 % interval")
    panels[0].invert_yaxis()
    return figure


SENSED_MAPS = Experiment("mapping", settings, run, markdown, draw)
