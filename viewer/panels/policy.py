"""Policy: who controls which robot, and which of them is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.agents import load_agent
from viewer.policies import Follower, find_policies

if TYPE_CHECKING:
    from viewer.page import Page


class PolicyPanel:
    """Policies are chosen from a list that this computer makes; nothing else can be loaded."""

    def __init__(self, page: Page, given: tuple[str, ...]) -> None:
        """Add the controls to the present tab; `given` are the policies that play was started with."""
        self.page, self.given = page, given
        gui, changed = page.server.gui, page.wishes.when_changed
        self.rows = tuple(f"robot {row + 1}" for row in range(len(page.session.walkers)))
        self.focus = gui.add_dropdown("Look at", self.rows, visible=len(self.rows) > 1)
        self.paths = find_policies(given)
        self.policy = gui.add_dropdown("Policy", tuple(self.paths), initial_value=self._name())
        changed(self.focus, self._look)
        changed(self.policy, self._swap)
        page.wishes.when_pressed(gui.add_button("Look for new ones"), self._refresh)
        self.followed = gui.add_checkbox("Follow its training", initial_value=page.follower is not None)
        changed(self.followed, self._follow)
        self.note = gui.add_markdown("")
        self.show()

    def _name(self) -> str:
        """Of the policy of the robot in focus."""
        name = self.page.session.focused.agent.name
        return next((known for known, path in self.paths.items() if name in (known, path)), next(iter(self.paths)))

    def _look(self, name: str) -> None:
        if name in self.rows:
            self.page.session.focus = self.rows.index(name)
            self.policy.value = self._name()

    def _refresh(self) -> None:
        self.paths = find_policies(self.given)
        self.policy.options = tuple(self.paths)

    def _swap(self, name: str) -> None:
        """Another policy for the robot in focus, which walks on."""
        path = self.paths.get(name)
        if path is None:
            raise ValueError(f"There is no policy '{name}' in the list.")
        self.page.session.swap(self.page.session.focus, load_agent(path))
        if self.page.follower is not None:
            self._follow(True)

    def _follow(self, on: bool) -> None:
        """Load the newest policy of the chosen run from now on, or no more."""
        path = self.paths.get(self.policy.value)
        self.page.follower = Follower(Path(path)) if on and path is not None else None

    def show(self) -> None:
        """What the checkpoint of the robot in focus says about itself."""
        agent = self.page.session.focused.agent
        facts = {name: agent.meta.get(name) for name in ("kind", "iteration", "samples")}
        said = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        text = f"{agent.name}: {said}" if said else agent.name
        if text != self.note.content:
            self.note.content = text
