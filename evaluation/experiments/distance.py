"""How far a Student's actions and heights are from the truth on each family (Miki et al. E7, E8, Tables S4 and S5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from agents.policies import StudentPolicy
from envs.terrains import FAMILIES, Tile, make_tile
from envs.threads import one_torch_thread
from evaluation.agents import ACTS_THROUGH, Agent
from evaluation.cells import FIRST_SEED, TILE_SIZE
from evaluation.conditions import environment
from evaluation.experiments.experiment import Experiment, Request, Row, no_students, say
from evaluation.experiments.plots import CURVES, by_label, finish
from evaluation.experiments.ratios import ratios
from evaluation.reconstruction import reconstruct, student_in
from evaluation.rollout import Step, roll_out
from evaluation.summary import measured
from evaluation.tables import WHO, Column, markdown_table, value, with_interval

TERRAINS = (
    "rough",
    "rough_discrete",
    "step_stair",
    "large_step",
    "grid_steps",
    "stairs_standard",
    "stairs_open",
    "stairs_ledged",
    "boxes",
    "stairs_random",
)
"""Families in the order of Table S4."""
MEAN = "mean"
"""In place of a family: all episodes of all families."""
NOISES = ("small", "large")
EPISODES = 100
STEPS = 300
OTHER = {"gait": "another gait", "action_limit": "another limit of the actions", "drive": "other drives"}
"""Setting that gives actions their meaning -> how it differs."""
ACTION, HEIGHTS = "action_distance", "height_error"


class Distances:
    """Mean distances of n robots from their Teacher over their first episode."""

    def __init__(self, student: StudentPolicy, teacher: Agent, robots: int) -> None:
        """Compare `student`, which acts, with `teacher`, which sees the truth of the same states."""
        self.student, self.teacher = student, teacher
        self.running = torch.ones(robots, dtype=torch.bool)
        self.steps = torch.zeros(robots)
        self.sums: dict[str, Tensor] = {}

    def observe(self, step: Step) -> None:
        """Add the distances in the state in which the Student acted."""
        distances = {ACTION: (step.action - self.teacher.act(step.obs)).square().sum(-1)}
        if (reconstruction := reconstruct(self.student)) is not None:
            errors = reconstruction.heights - step.before.height_samples
            distances[HEIGHTS] = errors.square().mean((-2, -1))
        for name, distance in distances.items():
            self.sums[name] = self.sums.get(name, 0.0) + distance * step.first
        self.steps += step.first
        self.running = step.first & ~step.done

    def finish(self) -> dict[str, Tensor]:
        """Squared action distance in action units, and squared error of a height in m^2 if there are any, (n,) each."""
        return {name: total / self.steps for name, total in self.sums.items()}


def tiles(family: str, episodes: int, seed: int) -> list[Tile]:
    """A tile for each episode, its parameters spread over the training ranges; stairs rise and fall in turn."""
    has_direction = any(parameter.name == "direction" for parameter in FAMILIES[family].parameters)
    made = []
    for number in range(episodes):
        direction = {"direction": 1.0 - 2.0 * (number % 2)} if has_direction else {}
        difficulty, tile_seed = (number + 0.5) / episodes, FIRST_SEED + episodes * seed + number
        made.append(make_tile(family, difficulty, tile_seed, TILE_SIZE, **direction))
    return made


def walk(request: Request, agent: Agent, student: StudentPolicy, noise: str | None, family: str) -> dict[str, Tensor]:
    """Distances of all episodes on one family."""
    assert request.teacher is not None  # lacks
    crowd = request.crowd(EPISODES)
    env = environment(agent, tiles(family, crowd.robots, crowd.seed), noise, crowd)
    distances = Distances(student, request.teacher, crowd.robots)
    roll_out(env, agent, crowd.seeds.agent, STEPS, [], [distances])
    return distances.finish()


@one_torch_thread()
def run(request: Request) -> list[dict[str, Any]]:
    """A row for each Student, noise and family, and one for the mean over the families."""
    rows = []
    for agent, noise in request.pairs(NOISES):
        if (student := student_in(agent)) is None:
            continue
        results = {family: walk(request, agent, student, noise, family) for family in TERRAINS}
        results[MEAN] = {
            name: torch.cat([results[family][name] for family in TERRAINS]) for name in results[TERRAINS[0]]
        }
        for family, values in results.items():
            row = {"checkpoint": agent.name, "student": asdict(student.network.cfg), "terrain": family, "noise": noise}
            spread = {f"{name}_std": float(each.std()) if len(each) > 1 else None for name, each in values.items()}
            rows.append({**row, "episodes": len(values[ACTION]), **measured(**values), **spread})
        say("distance", rows[-1])
    return rows


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, the Teacher, the families and the steps."""
    assert request.teacher is not None  # lacks
    episodes = request.episodes or EPISODES
    first = FIRST_SEED + episodes * request.seed
    teacher = {"checkpoint": request.teacher.name, "hash": request.teacher.meta["hash"]}
    own: dict[str, Any] = {"teacher": teacher, "terrains": list(TERRAINS), "steps": STEPS, "push_speed": 0.0}
    return request.settings(NOISES, EPISODES, **own, tile_seeds=[first, first + episodes - 1])


def lacks(request: Request) -> str | None:
    """Students, and a Teacher whose actions mean the same as theirs."""
    if (words := no_students(request)) is not None or request.teacher is None:
        return words or "name a Teacher with --teacher"
    for agent in request.agents:
        own, teachers = agent.env, request.teacher.env
        others = [OTHER[name] for name in ACTS_THROUGH if getattr(own, name) != getattr(teachers, name)]
        if student_in(agent) and others:
            return f"{agent.name} acts through {' and '.join(others)} than {request.teacher.name}: name its --teacher"
    return None


def plus_minus(key: str, scale: float = 1.0) -> Any:
    """Mean and deviation, as in the paper's tables."""

    def text(row: Row) -> str:
        if row.get(key) is None:
            return ""
        spread = row[f"{key}_std"]
        return f"{scale * row[key]:.3f}" + (f" +- {scale * spread:.3f}" if spread is not None else "")

    return text


COLUMNS = (
    *WHO,
    Column("terrain", value("terrain"), is_number=False),
    Column("episodes", value("episodes", "d")),
    Column("action distance, mean +- std", plus_minus(ACTION)),
    Column("mean [95 % interval]", with_interval(ACTION, f"{ACTION}_ci95")),
    Column("height error (1e-3 m^2), mean +- std", plus_minus(HEIGHTS, 1e3)),
    Column("mean [95 % interval] (m^2)", with_interval(HEIGHTS, f"{HEIGHTS}_ci95", ".5f")),
)


def markdown(rows: Sequence[Row]) -> str:
    """The distances, and what the gate is worth if there is a pair of Students to tell."""
    table = markdown_table(rows, COLUMNS)
    return "\n\n".join([table, *ratios(rows, TERRAINS)])


def draw(rows: Sequence[Row]) -> Figure:
    """Both distances by family."""
    figure = Figure(figsize=(11, 8), layout="constrained")
    labels = (*TERRAINS, MEAN)
    titles = {ACTION: "squared action distance", HEIGHTS: "squared height error (m^2)"}
    for axes, (name, title) in zip(figure.subplots(2, sharex=True), titles.items(), strict=True):
        for number, own in enumerate(by_label(row for row in rows if row.get(name) is not None).items()):
            places = [labels.index(row["terrain"]) + 0.08 * number for row in own[1]]
            spread = [(row[name] - (row[f"{name}_ci95"] or [row[name]])[0]) for row in own[1]]
            axes.errorbar(places, [row[name] for row in own[1]], spread, label=own[0], linestyle="none", **POINTS)
        finish(axes, ylabel=f"{title}, 95 % interval")
        axes.set_xticks(range(len(labels)), labels, rotation=30)
    return figure


POINTS = {name: look for name, look in CURVES.items() if name != "linewidth"}
DISTANCE = Experiment("distance", settings, run, markdown, draw, lacks)
