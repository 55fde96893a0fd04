"""Maps that fail: Students beside the blind one, which never had a map, on the same starts and pushes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from evaluation.agents import Agent
from evaluation.cells import Cell
from evaluation.conditions import Crowd, environment
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.failing_maps import GROUNDS, MAP_CONDITIONS, Condition, Ground, Midway, chosen
from evaluation.experiments.mapfail_tables import draw, markdown
from evaluation.noise import NONE
from evaluation.protocol import cross, evaluate_cells, tiles_of, trial_of
from evaluation.reconstruction import is_blind, student_in
from evaluation.statistics import paired_difference
from evaluation.summary import summary
from evaluation.trial import OUTCOMES, SUCCESS

EPISODES = 300
PERFECT, USUAL = Condition(NONE, NONE), Condition("any map", "nominal")
"""Conditions of the blind Student: with perfect sensors, and, standing for all others, with usual ones."""
LETTERS = {number: name[0] for name, number in OUTCOMES.items()}
"""Outcome of an episode -> its letter: s, f, o or t."""


@dataclass
class Crossing:
    """A way to let robots cross one ground under one condition; a `Batch`."""

    ground: Ground
    condition: Condition

    def __call__(self, agent: Agent, cells: Sequence[Cell], noise: str | None, crowd: Crowd) -> dict[str, Tensor]:
        """First episodes, as of `Trial.finish`."""
        env, failure = environment(agent, tiles_of(cells, crowd), noise, crowd), self.condition.midway
        events = [] if failure is None else [Midway(env, self.ground.terrain, failure, self.condition.seconds)]
        return cross(env, agent, trial_of(env, cells), crowd, events)


def with_outcomes(results: dict[str, Tensor]) -> dict[str, Any]:
    """A row that says of each episode how it ended, too."""
    outcomes = "".join(LETTERS[number] for number in results["outcome"].tolist())
    return {**summary(results), "outcomes": outcomes}


def sighted(request: Request) -> list[Agent]:
    """Students that see heights."""
    return [agent for agent in request.agents if student_in(agent) and not is_blind(agent)]


def blind(request: Request) -> list[Agent]:
    """Students that see none."""
    return [agent for agent in request.agents if is_blind(agent)]


def grounds_of(request: Request) -> tuple[Ground, ...]:
    """Those that were asked for."""
    return chosen("grounds", request.grounds, GROUNDS)


def conditions_of(request: Request) -> tuple[Condition, ...]:
    """Those that were asked for."""
    return chosen("conditions", request.conditions, MAP_CONDITIONS)


def lacks(request: Request) -> str | None:
    """Policies that can be compared; a ValueError for a ground or condition that does not exist."""
    if grounds_of(request) and conditions_of(request) and sighted(request) and len(blind(request)) == 1:
        return None
    return "name with --checkpoint Students that see heights, and one blind one (of train.py --blind)"


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, the grounds and the conditions."""
    grounds = {ground.name: ground.cell().parameters for ground in grounds_of(request)}
    conditions = {condition.name: condition.settings() for condition in conditions_of(request)}
    return request.settings((NONE, "nominal"), EPISODES, grounds=grounds, conditions=conditions)


def run(request: Request) -> list[dict[str, Any]]:
    """On each ground a row for the blind Student and each way to feel, and one for each other and each condition."""
    rows, conditions = [], conditions_of(request)
    (without,), felt = blind(request), {as_felt(condition) for condition in conditions}
    todo = [(without, condition) for condition in (PERFECT, USUAL) if condition in felt]
    todo += [(agent, condition) for agent in sighted(request) for condition in conditions]
    total = len(todo) * len(grounds_of(request))
    for ground in grounds_of(request):
        for agent, condition in todo:
            row = walk(request, agent, Crossing(ground, condition)) | {"blind_student": agent is without}
            rows.append(row)
            success, done = f"success {row['success']:.3f}", f"{len(rows)}/{total}"
            say("mapfail", {"checkpoint": agent.name}, condition.name, ground.name, success, done)
    return [row if row["blind_student"] else compared(row, rows) for row in rows]


def as_felt(condition: Condition) -> Condition:
    """The condition that stands for this one for the blind Student, which knows no maps, but has the sensor noise."""
    return PERFECT if condition.level == NONE else USUAL


def walk(request: Request, agent: Agent, crossing: Crossing) -> dict[str, Any]:
    """One row, or the same from before an interruption."""
    ground, condition = crossing.ground, crossing.condition

    def make() -> dict[str, Any]:
        crowd, cells = request.crowd(EPISODES), [ground.cell()]
        (row,) = evaluate_cells(agent, cells, condition.level, crowd, crossing, with_outcomes)
        return {**row, "condition": condition.name, "ground": ground.name}

    return request.parts.row(f"{agent.name}, {condition.name}, {ground.name}", make)


def compared(row: Row, rows: Sequence[Row]) -> dict[str, Any]:
    """A Student's row with what the blind one does there beside it, and their difference, pair by pair."""
    condition = next(each for each in MAP_CONDITIONS if each.name == row["condition"])
    walked = (as_felt(condition).name, row["ground"])
    (other,) = [each for each in rows if each["blind_student"] and (each["condition"], each["ground"]) == walked]
    difference, interval = paired_difference(succeeded(row), succeeded(other))
    beside = {"blind": other["success"], "blind_ci95": other["ci95"], "difference": difference}
    return {**row, **beside, "difference_ci95": list(interval)}


def succeeded(row: Row) -> list[bool]:
    """Whether each episode was a success."""
    return [letter == LETTERS[SUCCESS] for letter in row["outcomes"]]


MAPFAIL = Experiment("mapfail", settings, run, markdown, draw, lacks)
