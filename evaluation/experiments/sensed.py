"""Students on maps of their own: how wrong these are on each ground, whether S8's noise is like them, and success."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from torch import Tensor

from envs.config import EnvConfig
from envs.depth import DepthConfig, OdometryConfig, SensedMaps
from evaluation import conditions
from evaluation.agents import Agent
from evaluation.cells import Cell, make_cells
from evaluation.conditions import Change, Crowd, environment
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.mapfail import succeeded, with_outcomes
from evaluation.experiments.sensed_tables import draw, markdown
from evaluation.map_errors import MapErrors, described
from evaluation.noise import MAPPED, NOMINAL, NONE, SENSED, with_map
from evaluation.protocol import cross, evaluate_cells, tiles_of, trial_of
from evaluation.reconstruction import is_blind
from evaluation.rollout import Event
from evaluation.statistics import paired_difference
from evaluation.trial import Trial

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


def drifting(fraction: float) -> DepthConfig:
    """Four cameras, and an odometry that drifts by this fraction of the way."""
    odometry = OdometryConfig(drift=fraction, turn=fraction, turn_per_metre=fraction / 2)
    return replace(SENSED, odometry=odometry)


CASES = (
    *(Case(level, level) for level in ("none", "nominal", "large")),
    *(Case(f"mapped, drift {100 * drift:g} %", MAPPED, drifting(drift)) for drift in (0.0, 0.01, 0.03)),
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
    rows = []
    for agent, case in pairs(request):
        for terrain in GROUNDS:
            rows.append(walk(request, agent, case, terrain))
            say("mapping", rows[-1], rows[-1]["case"], terrain, f"success {rows[-1]['success']:.3f}")
    return [compared(row, rows) for row in rows]


def pairs(request: Request) -> Iterator[tuple[Agent, Case | None]]:
    """Every agent in every case that makes a difference to it: one that sees no heights has none that maps make."""
    for agent in request.agents:
        cases: Sequence[Case | None] = CASES if agent.env.noisy_groups else (None,)
        felt = [case for case in CASES if case.noise in (NONE, NOMINAL)]
        yield from ((agent, case) for case in (felt if is_blind(agent) else cases))


def walk(request: Request, agent: Agent, case: Case | None, terrain: str) -> dict[str, Any]:
    """One row, or the same from before an interruption."""
    name, noise = ("truth or nothing", None) if case is None else (case.name, case.noise)
    watched = partial(watch, change=conditions.unchanged if case is None else case.change)

    def make() -> dict[str, Any]:
        crowd = request.crowd(EPISODES)
        (row,) = evaluate_cells(agent, cells_of(terrain), noise, crowd, watched, with_errors)
        return {**row, "case": name, "blind_student": is_blind(agent)}

    return request.parts.row(f"{agent.name}, {name}, {terrain}", make)


def watch(agent: Agent, cells: Sequence[Cell], noise: str | None, crowd: Crowd, change: Change) -> dict[str, Tensor]:
    """First episodes, as of `Trial.finish`, and where there are maps their errors, as of `MapErrors.finish`."""
    env = environment(agent, tiles_of(cells, crowd), noise, crowd, change)
    trial = trial_of(env, cells)
    sensed = env.sensors.sensed
    if noise is None or is_blind(agent):
        return cross(env, agent, trial, crowd)
    errors = MapErrors(env, lambda: trial.running)
    if sensed is None:
        return cross(env, agent, trial, crowd, observers=[errors]) | errors.finish()
    with closing(sensed):
        return cross(env, agent, trial, crowd, [resting(sensed, trial)], [errors]) | errors.finish()


def resting(sensed: SensedMaps, trial: Trial) -> Event:
    """Robots whose trial is over take no more pictures, which nobody would look at."""
    return lambda env, number: sensed.rest(~trial.running)


def with_errors(results: dict[str, Tensor]) -> dict[str, Any]:
    """How episodes ended, and how wrong their heights were."""
    return with_outcomes(results) | (described(results) if "rest" in results else {})


def compared(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """A Student's row under a map beside its own under nominal noise, and the blind one's, pair by pair."""
    if row["blind_student"] or row["case"] == NOMINAL:
        return dict(row)
    nominal = [each for each in rows if (each["terrain"], each["case"]) == (row["terrain"], NOMINAL)]
    others = {"nominal": [each for each in nominal if each["checkpoint"] == row["checkpoint"]]}
    others["blind"] = [each for each in nominal if each["blind_student"]]
    beside: dict[str, Any] = {}
    for name, (other, *_) in ((name, found) for name, found in others.items() if found):
        difference, interval = paired_difference(succeeded(row), succeeded(other))
        beside |= {name: other["success"], f"to_{name}": difference, f"to_{name}_ci95": list(interval)}
    return {**row, **beside}


SENSED_MAPS = Experiment("mapping", settings, run, markdown, draw)
