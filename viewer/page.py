"""The page: a server, the scene on it, its controls, and the loop that keeps the robots walking."""

from __future__ import annotations

import time

import viser

from agents.interrupt import StopRequest
from envs.threads import one_torch_thread
from evaluation.agents import load_agent
from viewer.clock import Clock
from viewer.panels.drive import DrivePanel
from viewer.panels.policy import PolicyPanel
from viewer.panels.record import RecordPanel
from viewer.panels.state import StatePanel
from viewer.panels.thoughts import ThoughtsPanel
from viewer.panels.world import WorldPanel
from viewer.policies import Follower, Load
from viewer.session import Session
from viewer.stage import Stage
from viewer.wishes import Wishes

PICTURES, MAPS, TABLES = 25.0, 2.0, 4.0
"""Pictures, updates of the robot's own map, and of plots and controls, per second."""
LOOKS = 1.0
"""s between two looks for a newer policy."""
PATIENCE = 5.0
"""s after the last browser has gone until the page ends: time enough to load it again."""


class Page:
    """A session that browsers look at and drive."""

    def __init__(
        self,
        server: viser.ViserServer,
        session: Session,
        given: tuple[str, ...],
        follower: Follower | None = None,
        load: Load = load_agent,
    ) -> None:
        """Fill the page; `given` are the policies that play was started with, and `load` gets more of them."""
        self.server, self.session, self.follower, self.load = server, session, follower, load
        self.clock, self.wishes = Clock(session.dt), Wishes(self.tell)
        self.stage = Stage(server, session)
        tabs = server.gui.add_tab_group()
        with tabs.add_tab("Drive"):
            self.drive = DrivePanel(self)
        with tabs.add_tab("World"):
            self.world = WorldPanel(self)
        with tabs.add_tab("Policy"):
            self.policy = PolicyPanel(self, given)
        with tabs.add_tab("Thoughts"):
            self.thoughts = ThoughtsPanel(self)
        with tabs.add_tab("Record"):
            self.record = RecordPanel(self)
            self.state = StatePanel(self)
        self.visited, self.left = False, 0.0
        self.crossings = [0] * len(session.walkers)
        self.every = {
            self.show_picture: 1 / PICTURES, self.show_map: 1 / MAPS, self.show_numbers: 1 / TABLES, self.follow: LOOKS,
        }  # fmt: skip
        self.due = dict.fromkeys(self.every, 0.0)

    def tell(self, message: str, title: str = "Not possible") -> None:
        """Say to everybody who looks why something cannot be done, or what has happened."""
        for client in self.server.get_clients().values():
            client.add_notification(title, message, auto_close_seconds=8.0)

    def advance(self) -> None:
        """Do what was asked for and what is due, and wait for what comes next."""
        self.wishes.ask(self.drive.gamepad.feel)
        self.wishes.grant()
        if self.clock.due():
            self.session.step()
            self.thoughts.note()
        now = time.monotonic()
        for action, due in self.due.items():
            if now >= due:
                action()
                self.due[action] = now + self.every[action]
        time.sleep(self.clock.wait())

    def show_picture(self) -> None:
        """Draw the scene."""
        self.stage.draw()

    def show_map(self) -> None:
        """Draw the map that the robot in focus makes by itself."""
        self.stage.draw_map()

    def show_numbers(self) -> None:
        """Bring the controls and plots up to date, with what was asked for since the last step."""
        self.wishes.grant()
        for panel in (self.drive, self.world, self.policy, self.thoughts):
            panel.show()
        self._tell_crossings()

    def _tell_crossings(self) -> None:
        """Say which robots have crossed the ground's border since the last time."""
        crossings = [walker.walk.crossings for walker in self.session.walkers]
        for index, (now, before) in enumerate(zip(crossings, self.crossings, strict=True)):
            if now > before:
                name = f"Robot {index + 1}" if len(crossings) > 1 else "The robot"
                self.tell(f"{name} has crossed it, and is at the start again.", "The ground's border")
        self.crossings = crossings

    def follow(self) -> None:
        """Take the newest policy of a training that is followed, or say why it cannot be taken."""
        self.wishes.ask(self._take_newest)

    def _take_newest(self) -> None:
        if self.follower is None:
            return
        agent = self.follower.look()
        if agent is not None:
            self.session.swap(self.follower.index, agent)

    def abandoned(self) -> bool:
        """Whether somebody has looked, and nobody does any more."""
        looked_at, now = bool(self.server.get_clients()), time.monotonic()
        if looked_at or not self.visited:
            self.visited, self.left = self.visited or looked_at, now
        return now - self.left > PATIENCE

    def run(self, seconds: float | None) -> None:
        """Let the robots walk for so many simulated s, if they end, until nobody looks any more, or Ctrl-C."""
        with one_torch_thread(), StopRequest(abort=False, notice="closing the page") as stop:
            while not stop.requested and not self.abandoned():
                self.advance()
                walk = self.session.focused.walk
                if seconds is not None and walk.steps * walk.dt >= seconds:
                    break

    def close(self) -> None:
        """End a recording that runs, and close the server."""
        self.record.close()
        self.server.stop()
