"""What a Student's belief does when its map fails under way: how far its gate closes, and how it walks on."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from einops import reduce
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from agents.policies import StudentPolicy
from anymal_policy.layout import LEGS
from envs.height_noise import COVERED, FAILURES
from envs.threads import one_torch_thread
from evaluation import conditions
from evaluation.agents import Agent
from evaluation.conditions import Pushes, environment
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.failing_maps import Condition, Ground, Midway
from evaluation.experiments.plots import band, finish
from evaluation.experiments.traces import AFTER, around
from evaluation.noise import NOMINAL
from evaluation.reconstruction import student_in
from evaluation.rollout import Step, roll_out
from evaluation.tables import Column, markdown_table, value, with_interval

EPISODES = 100
GROUND = Ground("stairs_up", {"height": 0.17, "depth": 0.3})
CONDITIONS = (
    Condition(NOMINAL, NOMINAL),
    Condition("covered", NOMINAL, COVERED),
    *(Condition(name, NOMINAL, FAILURES[name]) for name in ("blank", "plane", "frozen")),
)
"""Maps that are as usual until a robot is in the middle of its way."""
MOMENT = 1.0
"""s after the failure at which gates are compared."""
MOST = 1 / 3
"""Openness, relative to that of sound maps, that is allowed then."""
MUST_CLOSE = ("covered", "blank")
"""Conditions for which that holds."""
GATES = tuple(f"gate {leg}" for leg in LEGS)
PANELS = {**{name: "mean openness" for name in GATES}, "belief": "change in a step", "action": "change in a step"}
PANELS |= {"speed": "m/s ahead"}
"""Quantity of a trace -> its unit."""


class BeliefTraces:
    """Gate, belief and action of n robots in their first episode, around the moment at which each one's map fails.

    `gate LF` ...: openness, mean over the latents of a foot; `gate`: of all; `belief`, `action`: norm of their change
    within a step; `speed`: m/s ahead over the ground.
    """

    def __init__(self, student: StudentPolicy, midway: Midway) -> None:
        """`midway` tells when maps fail."""
        self.student, self.midway = student, midway
        self.running = torch.ones(len(midway.began), dtype=torch.bool)
        self.first: list[Tensor] = []
        self.values: dict[str, list[Tensor]] = {}
        self.last: tuple[Tensor, Tensor] | None = None

    def observe(self, step: Step) -> None:
        """Remember what the policy made of the state in which it acted."""
        output, action = self.student.output, step.action
        feet = reduce(output.gate, "n (foot latent) -> n foot", "mean", foot=len(LEGS))
        before = (output.belief, action) if self.last is None else self.last
        changes = [(new - old).norm(dim=-1) for new, old in zip((output.belief, action), before, strict=True)]
        self.last = (output.belief.clone(), action.clone())
        quantities = dict(zip(GATES, feet.unbind(-1), strict=True)) | {"gate": feet.mean(-1)}
        quantities |= {"belief": changes[0], "action": changes[1], "speed": step.before.linear_velocity_yaw[:, 0]}
        for name, quantity in quantities.items():
            self.values.setdefault(name, []).append(quantity.clone())
        self.first.append(step.first)
        seen = (self.midway.began >= 0) & (len(self.first) > self.midway.began + AFTER)
        self.running = step.first & ~step.done & ~seen

    def finish(self, dt: float) -> dict[str, Any]:
        """Means over the robots that came so far, with their intervals, by the seconds since the failure of each."""
        first = torch.stack(self.first)
        rows = torch.nonzero((self.midway.began >= 0) & (self.midway.began < len(first))).squeeze(-1)
        rows = rows[first[self.midway.began[rows], rows]]
        values = {name: torch.stack(series)[:, rows] for name, series in self.values.items()}
        return around(self.midway.began[rows], values, first[:, rows], dt)


def gated(request: Request) -> list[tuple[Agent, StudentPolicy]]:
    """Students that see heights through a gate, and their policies."""
    students = ((agent, student) for agent in request.agents if (student := student_in(agent)))
    return [(agent, student) for agent, student in students if student.network.cfg.gate and student.network.cfg.extero]


def lacks(request: Request) -> str | None:
    """Somebody with a gate."""
    return None if gated(request) else "name a Student with gate that sees heights with --checkpoint"


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, and the ways in which maps fail."""
    ways = {condition.name: condition.settings() for condition in CONDITIONS}
    return request.settings((NOMINAL,), EPISODES, ground=GROUND.cell().parameters, conditions=ways)


@one_torch_thread()
def run(request: Request) -> list[dict[str, Any]]:
    """A row for each Student and condition."""
    rows: list[dict[str, Any]] = []
    for agent, student in gated(request):
        probes = {condition.name: partial(probe, request, agent, student, condition) for condition in CONDITIONS}
        own = [request.parts.row(f"{agent.name}, {name}", make) for name, make in probes.items()]
        (usual,) = (row["openness"] for row in own if row["condition"] == NOMINAL)
        rows += [{**row, "relative": relative(row["openness"], usual)} for row in own]
    return rows


def relative(openness: float | None, usual: float | None) -> float | None:
    """Openness as a fraction of the usual one; None if either was not measured."""
    return openness / usual if openness is not None and usual else None


def probe(request: Request, agent: Agent, student: StudentPolicy, condition: Condition) -> dict[str, Any]:
    """The traces of one Student under one condition, and its openness at the moment."""
    crowd = request.crowd(EPISODES)
    env = environment(agent, GROUND.cell().tiles(crowd.seed)[:1], condition.level, crowd)
    midway = Midway(env, GROUND.terrain, condition.midway, condition.seconds)
    traces = BeliefTraces(student, midway)
    events = [Pushes(crowd.robots, env.cfg.dt, crowd.seeds.pushes), midway]
    roll_out(env, agent, crowd.seeds.agent, round(conditions.SECONDS / env.cfg.dt), events, [traces])
    trace = traces.finish(env.cfg.dt)
    at = {name: trace["seconds"].index(moment) for name, moment in (("before", -0.02), ("after", MOMENT))}
    row = {
        "checkpoint": agent.name,
        "condition": condition.name,
        "episodes": crowd.robots,
        "failed": trace["robots"][trace["seconds"].index(0.0)],
        "before": trace["gate"][at["before"]],
        "openness": trace["gate"][at["after"]],
        "openness_ci95": trace["gate_ci95"][at["after"]],
        "trace": trace,
    }
    say("gate", {"checkpoint": agent.name}, condition.name, f"openness {told(row, 'openness')}")
    return row


def told(row: Row, key: str) -> str:
    """A quantity, if it was measured."""
    return value(key, ".3f")(row) or "not measured"


def met(row: Row) -> str:
    """Whether the gate closes as far as it must."""
    if row["condition"] not in MUST_CLOSE:
        return ""
    return "not measured" if row["relative"] is None else "yes" if row["relative"] <= MOST else "no"


COLUMNS = (
    Column("checkpoint", value("checkpoint"), is_number=False),
    Column("condition", value("condition"), is_number=False),
    Column("robots", value("failed", "d")),
    Column("just before", value("before", ".3f")),
    Column(f"{MOMENT:g} s after", with_interval("openness", "openness_ci95")),
    Column("relative to nominal", value("relative", ".2f")),
    Column("at most a third", met, is_number=False),
)


def markdown(rows: Sequence[Row]) -> str:
    """Openness of the gates before and after the failure."""
    where = f"{rows[0]['episodes']} robots on {GROUND.name} m; maps fail in the middle of the flight."
    return f"{where} Mean openness of the gates:\n\n{markdown_table(rows, COLUMNS)}"


def draw(rows: Sequence[Row]) -> Figure:
    """The traces, a line of panels for each Student, a curve for each condition."""
    names = list(dict.fromkeys(row["checkpoint"] for row in rows))
    figure = Figure(figsize=(3.4 * len(PANELS), 3.0 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), len(PANELS), squeeze=False)
    for line, name in zip(panels, names, strict=True):
        own = [row for row in rows if row["checkpoint"] == name]
        for axes, quantity in zip(line, PANELS, strict=True):
            panel(axes, name, quantity, own)
    return figure


def panel(axes: Axes, name: str, quantity: str, rows: Sequence[Row]) -> None:
    """One quantity of one Student."""
    for row in rows:
        trace, condition = row["trace"], row["condition"]
        if quantity in trace:
            named = {condition: trace[quantity], f"{condition}_ci95": trace[f"{quantity}_ci95"]}
            band(axes, trace["seconds"], named, condition)
    axes.axvline(0.0, color="black", linewidth=0.8, linestyle=":")
    finish(axes, title=f"{name}: {quantity}", xlabel="s since the map failed", ylabel=PANELS[quantity])


GATE = Experiment("gate", settings, run, markdown, draw, lacks)
