"""Maps that show nothing, or what is not there, and feet that slip (Miki et al. E9, Fig. 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from envs.threads import one_torch_thread
from evaluation import conditions
from evaluation.agents import Agent
from evaluation.conditions import edge, environment, masses
from evaluation.experiments.experiment import Experiment, Request, Row, say
from evaluation.experiments.plots import band, finish
from evaluation.experiments.scenes import (
    SCENES,
    SLIPPERY_FRICTION,
    SLIPPERY_LENGTH,
    Scene,
    SlipperyStretch,
    lane,
    show,
)
from evaluation.experiments.traces import Traces
from evaluation.noise import levels_for
from evaluation.reconstruction import student_in
from evaluation.rollout import roll_out
from evaluation.summary import summary
from evaluation.tables import Column, markdown_table, success, value
from evaluation.trial import Trial

EPISODES = 100
MOMENTS = (-0.1, 0.5)
"""s since the contact at which the tables tell the belief."""
HEIGHTS = ("true", "seen", "reconstructed")
FRICTION = ("friction", "friction reconstructed")


def walk(request: Request, agent: Agent, scene: Scene, noise: str | None) -> dict[str, Any]:
    """One row: the episodes of one policy in one scene, and the traces of its belief."""
    crowd = request.crowd(EPISODES)
    env = environment(agent, [lane(scene.ground)], noise, crowd)
    if scene.shown is not None:
        show(env, [lane(scene.shown)])
    trial = Trial(env.state, masses(env), env.cfg.dt)
    traces = Traces(edge(env), student_in(agent))
    events = [SlipperyStretch(env)] if scene.slippery else []
    roll_out(env, agent, crowd.seeds.agent, round(conditions.SECONDS / env.cfg.dt), events, [trial, traces])
    row = {"checkpoint": agent.name, "scene": scene.name, "noise": noise, **summary(trial.finish())}
    return {**row, "trace": traces.finish(env.cfg.dt)}


@one_torch_thread()
def run(request: Request) -> list[dict[str, Any]]:
    """A row for each policy and scene; who has no map meets no deceitful one."""
    rows = []
    for agent in request.agents:
        for scene in SCENES:
            if scene.deceives and not agent.env.noisy_groups:
                continue
            (noise,) = levels_for(agent, (scene.noise,))
            rows.append(walk(request, agent, scene, noise))
            say("robustness", rows[-1], scene.name, f"success {rows[-1]['success']:.3f}")
    return rows


def settings(request: Request) -> dict[str, Any]:
    """Those of the evaluation, and the scenes."""
    scenes: dict[str, Any] = {"scenes": [asdict(scene) for scene in SCENES], "push_speed": 0.0}
    slippery = {"slippery_friction": SLIPPERY_FRICTION, "slippery_length": SLIPPERY_LENGTH}
    return request.settings(tuple(dict.fromkeys(scene.noise for scene in SCENES)), EPISODES, **scenes, **slippery)


def at(row: Row, name: str, moment: float) -> float | None:
    """A trace's value nearest to a moment, in s since the contact; None where there is none."""
    trace = row["trace"]
    nearest = min(range(len(trace["seconds"])), key=lambda i: abs(trace["seconds"][i] - moment))
    return trace[name][nearest] if name in trace else None


def told(name: str, moment: float) -> Column:
    """A column for a trace at a moment."""

    def text(row: Row) -> str:
        number = at(row, name, moment)
        return "" if number is None else f"{round(number, 3) + 0.0:.3f}"  # no "-0.000"

    return Column(f"{name} at {moment:+g} s", text)


WHO = (
    Column("checkpoint", value("checkpoint"), is_number=False),
    Column("scene", value("scene"), is_number=False),
    Column("noise", value("noise"), is_number=False),
)
COLUMNS = (
    *WHO,
    Column("episodes", value("episodes", "d")),
    Column("success [95 % interval]", success),
    Column("falls", value("falls", "d")),
)


def markdown(rows: Sequence[Row]) -> str:
    """What came of it, and the beliefs before and after the first contact of a front foot behind the edge."""
    heights = [*WHO, *(told(name, moment) for moment in MOMENTS for name in HEIGHTS)]
    friction = [*WHO, *(told(name, moment) for moment in MOMENTS for name in FRICTION)]
    return (
        f"{markdown_table(rows, COLUMNS)}\n\nGround under the front foot that touched first (m), by the time since "
        f"then:\n\n{markdown_table(rows, heights)}\n\nIts friction:\n\n"
        f"{markdown_table([row for row in rows if row['scene'] == 'slippery'], friction)}"
    )


def draw(rows: Sequence[Row]) -> Figure:
    """The traces of each policy in each scene, friction where it is slippery and heights elsewhere."""
    names = list(dict.fromkeys(row["checkpoint"] for row in rows))
    scenes = [scene.name for scene in SCENES]
    figure = Figure(figsize=(4.2 * len(scenes), 3.6 * len(names)), layout="constrained")
    panels = figure.subplots(len(names), len(scenes), squeeze=False)
    for axes in panels.flat:
        axes.set_visible(False)
    for row in rows:
        panel(panels[names.index(row["checkpoint"]), scenes.index(row["scene"])], row)
    return figure


def panel(axes: Axes, row: Row) -> None:
    """One scene of one policy."""
    axes.set_visible(True)
    trace, slippery = row["trace"], row["scene"] == "slippery"
    for name in FRICTION if slippery else HEIGHTS:
        if name in trace:
            band(axes, trace["seconds"], trace, name)
    axes.axvline(0.0, color="black", linewidth=0.8, linestyle=":")
    axes.set_title(f"{row['checkpoint']}: {row['scene']}\nsuccess {success(row)}", fontsize=8)
    finish(axes, xlabel="s since the first contact", ylabel="friction" if slippery else "ground under the foot (m)")


ROBUSTNESS = Experiment("robustness", settings, run, markdown, draw)
