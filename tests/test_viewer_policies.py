"""Which robot is controlled by what: chosen on the page, or taken from a training that is followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from pages import opened
from policy_files import write_student

from envs.config import EnvConfig
from envs.terrains import parameters
from evaluation.agents import load_agent
from viewer.page import Page
from viewer.policies import Follower
from viewer.saved import write
from viewer.stage import MAP
from viewer.world import World

RUN = Path("runs/mine")


@pytest.fixture
def page(project: Path) -> Iterator[Page]:
    """Two robots, the first with the policy of a training that is followed, the second in focus."""
    write_student(RUN / "student" / "policy.pt", EnvConfig())
    with opened(load_agent(RUN), load_agent("zero"), follower=Follower(RUN, 0)) as page:
        page.session.focus = 1
        yield page


def shown(page: Page) -> tuple[str, bool]:
    """The policy and the switch that the page shows for the robot in focus."""
    page.policy.show()
    return page.policy.policy.value, page.policy.followed.value


def test_a_training_goes_on_with_the_robot_that_follows_it_whoever_is_looked_at(page: Page) -> None:
    os.utime(RUN / "student" / "policy.pt", (2e9, 2e9))
    before = [walker.agent for walker in page.session.walkers]
    page.follow()
    page.wishes.grant()
    assert page.session.walkers[0].agent is not before[0]
    assert page.session.walkers[1].agent is before[1]
    assert shown(page) == ("zero", False)
    page.policy._look("robot 1")
    assert shown(page) == (str(RUN), True)


def test_a_page_lasts_until_nobody_looks_any_more(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    """An evening of six hours: neither the page nor an episode ends before."""
    walk, evening = page.session.focused.walk, 6 * 3600.0

    def advance() -> None:
        walk.steps += 50_000

    monkeypatch.setattr(page, "advance", advance)
    monkeypatch.setattr(page, "abandoned", lambda: walk.steps * walk.dt > evening)
    page.run(None)
    assert walk.steps * walk.dt > evening
    env = page.session.focused.env
    assert env.max_episode_length * env.cfg.dt > evening


def test_a_policy_that_is_chosen_or_followed_walks_in_the_world_of_the_task(project: Path) -> None:
    write_student(RUN / "policy.pt", EnvConfig())
    load = partial(load_agent, task=EnvConfig(fall_penalty=7.0))
    with opened(load("zero"), follower=Follower(RUN, 0, load), load=load) as page:
        page.policy._swap(str(RUN))
        assert page.session.focused.env.cfg.fall_penalty == 7.0
        os.utime(RUN / "policy.pt", (2e9, 2e9))
        before = page.session.focused.agent
        page.follow()
        page.wishes.grant()
        assert page.session.focused.agent is not before
        assert page.session.focused.env.cfg.fall_penalty == 7.0


@pytest.mark.parametrize(("terrain", "parameter"), [("rough", {"amplitude": 0.3}), ("stairs_up", {"height": 0.45})])
def test_a_ground_beyond_what_the_sliders_go_to_opens_the_page_and_is_restored(
    terrain: str, parameter: dict[str, float]
) -> None:
    world = World(terrain, parameters(terrain, **parameter))
    with opened(terrain=world) as page:
        ((name, value),) = parameter.items()
        assert page.world.controls[name].value == value
        saved = write(page.session.save())
        page.world._take_terrain("flat")
        page.state._take(saved)
        assert page.session.world.parameters[name] == page.world.controls[name].value == value


def test_a_crossed_border_is_said_once_whoever_is_looked_at(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(page, "tell", lambda message, title: said.append(message))
    page.show_numbers()
    page.session.walkers[0].env.simulation.qpos[0, 0] = 50.0
    page.session.step()
    page.show_numbers()
    page.show_numbers()
    assert said == ["Robot 1 has crossed it, and is at the start again."]


def test_the_map_of_the_robot_in_focus_is_drawn_while_it_has_one_and_is_asked_for(page: Page) -> None:
    page.session.focus = 0
    page.session.change(noise="mapped")
    page.show_map()
    assert not page.stage.map.visible
    page.thoughts._show(MAP, True)
    page.show_map()
    assert page.stage.map.visible and len(page.stage.map.points) > 100
    page.session.focus = 1
    page.show_map()
    assert not page.stage.map.visible


def test_what_is_chosen_for_another_robot_leaves_the_one_that_follows_alone(page: Page) -> None:
    page.policy._swap("random")
    page.policy._follow(False)
    assert page.follower is not None and (page.follower.run, page.follower.index) == (RUN, 0)
    assert shown(page) == ("random", False)
    page.policy._look("robot 1")
    page.policy._swap("zero")
    assert (page.follower.run, page.follower.index) == (Path("zero"), 0)
    page.policy._follow(False)
    assert page.follower is None


def test_a_policy_that_walks_stays_in_the_list_though_its_file_has_gone(page: Page) -> None:
    write_student(Path("runs/other/policy.pt"), EnvConfig())
    page.policy._refresh()
    page.policy._swap("runs/other")
    Path("runs/other/policy.pt").unlink()
    page.policy._refresh()
    assert "runs/other" in page.policy.policy.options
    assert shown(page) == ("runs/other", False)
