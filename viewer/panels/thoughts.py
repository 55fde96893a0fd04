"""What it thinks: dots, gate, decoded friction and contact; and what it does: velocities, torques and rewards."""

from __future__ import annotations

from collections import deque
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import viser
from einops import rearrange
from viser import uplot

from agents.policies import StudentPolicy
from anymal_policy import layout
from envs.robot import TORQUE_LIMIT
from evaluation.belief import RECONSTRUCTED, SEEN, TRUE
from evaluation.reconstruction import student_in

if TYPE_CHECKING:
    from viewer.page import Page

SECONDS, EVERY = 8.0, 2
"""s that a plot shows, and policy steps from one of its points to the next."""
COLOUR = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#666666")
"""Of the lines of a plot; told apart by those who see no red, no green or no blue, too."""
CONTACT, FRICTION = (layout.slices(layout.PRIVILEGED)[name] for name in ("contact_state", "friction"))
DOTS = {TRUE: "white", SEEN: "orange", RECONSTRUCTED: "blue"}
"""Colours of the dots of each kind in words."""
MAP_LABEL = "Map of its own (dark red), with errors: mapped"
"""Of the switch of the map that a robot makes by itself."""
FEET = (
    "Feet: left or right (L, R), fore or hind (F, H). Gate: 1 lets all pass that the map says, 0 nothing. "
    "Joints: hip aside (HAA), hip ahead (HFE), knee (KFE)."
)
LARGEST_REWARD = 1.5
"""1/s, reward that fills a bar."""
HEIGHT = 150
"""Pixels of a plot."""


class Plot:
    """Lines over the last seconds."""

    def __init__(self, gui: viser.GuiApi, title: str, names: tuple[str, ...], dt: float) -> None:
        """One line for each name, and a point every `dt` s."""
        self.points: deque[tuple[float, ...]] = deque(maxlen=round(SECONDS / dt))
        series = [uplot.Series(label="s")]
        series += [
            uplot.Series(label=name, stroke=colour, width=2) for name, colour in zip(names, COLOUR, strict=False)
        ]
        self.handle = gui.add_uplot(
            (np.zeros(1),) * (len(names) + 1), tuple(series), title=title, height=HEIGHT,
            scales={"x": uplot.Scale(time=False), "y": uplot.Scale(auto=True)},
        )  # fmt: skip

    def add(self, time: float, *values: float) -> None:
        """A point of every line at `time` s."""
        self.points.append((time, *values))

    def show(self) -> None:
        """Draw the points that there are."""
        if self.points:
            self.handle.data = tuple(np.array(column, np.float64) for column in zip(*self.points, strict=True))


class ThoughtsPanel:
    """Of the robot in focus."""

    def __init__(self, page: Page) -> None:
        """Add switches and plots to the present tab."""
        self.page = page
        gui, dt = page.server.gui, EVERY * page.session.dt
        for kind, shown in page.stage.shown.items():
            label = f"Heights, {kind} ({DOTS[kind]})" if kind in DOTS else MAP_LABEL
            page.wishes.when_changed(gui.add_checkbox(label, initial_value=shown), partial(self._show, kind))
        gui.add_markdown(FEET)
        self.belief = gui.add_html("")
        self.speed = Plot(gui, "forward velocity, m/s", ("commanded", "achieved"), dt)
        self.turn = Plot(gui, "yaw rate, rad/s", ("commanded", "achieved"), dt)
        self.torque = Plot(gui, "largest torque of four legs, N m", ("HAA", "HFE", "KFE", "limit"), dt)
        self.rewards = gui.add_html("")
        self.steps = 0

    def _show(self, kind: str, on: bool) -> None:
        self.page.stage.shown[kind] = bool(on)

    def note(self) -> None:
        """Remember what the robot in focus does, after a step."""
        self.steps += 1
        if self.steps % EVERY:
            return
        s, time = self.page.session.focused.env.state, self.steps * self.page.session.dt
        self.speed.add(time, float(s.command[0, 0]), float(s.linear_velocity_yaw[0, 0]))
        self.turn.add(time, float(s.command[0, 2]), float(s.angular_velocity_b[0, 2]))
        torques = rearrange(s.joint_torque[0].abs(), "(leg joint) -> leg joint", leg=4).amax(0).tolist()
        self.torque.add(time, *torques, TORQUE_LIMIT)

    def show(self) -> None:
        """Bring plots and tables up to date."""
        for plot in (self.speed, self.turn, self.torque):
            plot.show()
        walker = self.page.session.focused
        student = student_in(walker.agent)
        s = walker.env.state
        truth = {"touches": s.foot_contact[0].tolist(), "friction": s.friction[0].tolist()}
        self.belief.content = table({**truth, **(decoded(student) if student is not None else {})})
        self.rewards.content = bars(walker.rewards())


def decoded(student: StudentPolicy) -> dict[str, list[float]]:
    """What a Student believes about each of its feet, as far as it can say it."""
    cfg, output, said = student.network.cfg, student.output, {}
    if cfg.gate:
        said["gate open"] = rearrange(output.gate[0], "(foot latent) -> foot latent", foot=4).mean(1).tolist()
    if cfg.reconstruct:
        privileged = student.normalizer.inverse(output.privileged, student.places["privileged"])[0]
        said["touches, decoded"] = privileged[CONTACT].tolist()
        said["friction, decoded"] = privileged[FRICTION].tolist()
    return said


def table(rows: dict[str, list[float]]) -> str:
    """A row of numbers for each quantity, a column for each leg."""
    head = "".join(f"<th style='width:16%'>{leg}</th>" for leg in layout.LEGS)
    body = "".join(
        f"<tr><td style='text-align:left'>{name}</td>" + "".join(f"<td>{value:.2f}</td>" for value in values) + "</tr>"
        for name, values in rows.items()
    )
    style = "width:100%;font-size:0.8em;text-align:right;padding:0 0.5em"
    return f"<table style='{style}'><tr><th></th>{head}</tr>{body}</table>"


def bars(rewards: dict[str, float]) -> str:
    """A bar for each term: to the right what it gives, to the left what it takes."""
    lines = []
    for name, value in rewards.items():
        width = 50 * min(abs(value) / LARGEST_REWARD, 1.0)
        left, colour = (50.0, "#009e73") if value >= 0 else (50.0 - width, "#d55e00")
        bar = (
            f"<div style='position:absolute;left:{left:.1f}%;width:{width:.1f}%;height:100%;background:{colour}'></div>"
        )
        lines.append(
            f"<div style='display:flex'><span style='width:45%'>{name.replace('_', ' ')}</span>"
            f"<div style='position:relative;flex:1;border-left:0'>{bar}</div>"
            f"<span style='width:18%;text-align:right'>{value:+.2f}</span></div>"
        )
    return f"<div style='font-size:0.8em;padding:0 0.7em'><b>reward, 1/s</b>{''.join(lines)}</div>"
