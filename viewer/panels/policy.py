"""Policy: who controls which robot, and which of them is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from viewer.policies import Follower, find_policies

if TYPE_CHECKING:
    from viewer.page import Page


class PolicyPanel:
    """Policies are chosen from a list that this computer makes; nothing else can be loaded."""

    def __init__(self, page: Page, given: tuple[str, ...]) -> None:
        """Add the controls to the present tab; `given` are the policies that play was started with."""
        self.page, self.given = page, given
        gui, changed = page.server.gui, page.wishes.when_changed
        self.robots = tuple(f"robot {index + 1}" for index in range(len(page.session.walkers)))
        self.focus = gui.add_dropdown(
            "Look at",
            self.robots,
            visible=len(self.robots) > 1,
            hint="What Policy and Thoughts are about, and the view follows.",
        )
        self.paths = find_policies(given)
        self.policy = gui.add_dropdown("Policy", tuple(self.paths), initial_value=page.session.focused.chosen)
        changed(self.focus, self._look)
        changed(self.policy, self._swap)
        page.wishes.when_pressed(gui.add_button("Look for new policies"), self._refresh)
        self.followed = gui.add_checkbox(
            "Follow its training", initial_value=page.follower is not None,
            hint="Load its newest policy whenever its training writes one; one robot at a time.",
        )  # fmt: skip
        changed(self.followed, self._follow)
        self.note = gui.add_markdown("")
        self.show()

    def _look(self, name: str) -> None:
        if name in self.robots:
            self.page.session.focus = self.robots.index(name)

    def _refresh(self) -> None:
        walking = {walker.chosen: self.paths[walker.chosen] for walker in self.page.session.walkers}
        self.paths = find_policies(self.given) | walking
        self.policy.options = tuple(self.paths)

    def _swap(self, name: str) -> None:
        """Another policy for the robot in focus, which walks on."""
        path = self.paths.get(name)
        if path is None:
            raise ValueError(f"There is no policy '{name}' in the list.")
        self.page.session.swap(self.page.session.focus, self.page.load(path), name)
        if self._follows():
            self._follow(True)

    def _follow(self, on: bool) -> None:
        """Have the robot in focus, and no other, take the newest policy of its training from now on, or no more."""
        session = self.page.session
        if on:
            self.page.follower = Follower(Path(self.paths[session.focused.chosen]), session.focus, self.page.load)
        elif self._follows():
            self.page.follower = None

    def _follows(self) -> bool:
        """Whether the robot in focus takes the newest policy of its training."""
        return self.page.follower is not None and self.page.follower.index == self.page.session.focus

    def show(self) -> None:
        """Who is in focus, who controls it, and what that checkpoint says about itself."""
        session = self.page.session
        self.focus.value, self.policy.value = self.robots[session.focus], session.focused.chosen
        self.followed.value = self._follows()
        agent = session.focused.agent
        known = {"kind": "kind", "iteration": "iteration", "environment steps": "samples"}
        facts = {name: agent.meta.get(key) for name, key in known.items()}
        said = ", ".join(f"{name} {value}" for name, value in facts.items() if value is not None)
        text = f"{agent.name}: {said}" if said else agent.name
        if text != self.note.content:
            self.note.content = text
