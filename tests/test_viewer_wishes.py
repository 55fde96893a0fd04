"""What a browser asks for is done, whatever the program writes to its controls meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pages
import pytest
from pages import hello, opened, say, shown, talk, wait_until

from viewer.page import Page
from viewer.wishes import Wishes


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with opened() as page:
        yield page


def give(page: Page, control: Any, value: object) -> None:
    """Have a browser change a control, and the page write what it knows to it before it does what was asked for."""
    with talk(page) as browser:
        hello(page, browser)
        say(browser, {"type": "GuiUpdateMessage", "uuid": control._impl.uuid, "updates": {"value": value}})
        wait_until("the browser is heard", lambda: not page.wishes.queue.empty())
    page.drive.show()
    page.world.show()
    assert control.value != value
    page.wishes.grant()


def forward(page: Page) -> Any:
    return page.drive.sliders["forward"]


@pytest.mark.parametrize(
    ("control", "value", "known"),
    [
        (forward, 0.5, lambda page: page.session.wish.forward),
        (lambda page: page.drive.paused, True, lambda page: page.clock.paused),
        (lambda page: page.world.cover, True, lambda page: page.session.world.noise == "covered"),
        (lambda page: page.world.noise, "large", lambda page: page.session.world.noise),
        (lambda page: page.world.friction, 0.4, lambda page: page.session.world.friction),
    ],
)
def test_what_a_browser_gives_is_taken_though_the_page_writes_its_old_value_first(
    page: Page, control: Callable[[Page], Any], value: object, known: Callable[[Page], object]
) -> None:
    give(page, control(page), value)
    assert known(page) == value
    page.show_numbers()
    assert control(page).value == value


def test_what_was_asked_for_meanwhile_is_done_before_it_is_shown(page: Page) -> None:
    slider = forward(page)
    page.wishes.ask(lambda: page.session.wish.set("forward", 0.7))
    page.show_numbers()
    assert slider.value == 0.7


def test_uncovered_sensors_see_as_before(page: Page) -> None:
    page.session.change(noise="nominal")
    for noise in ("offset", "large", "covered"):
        give(page, page.world.noise, noise)
    page.world.show()
    give(page, page.world.cover, False)
    assert page.session.world.noise == "large"


def test_whatever_a_wish_raises_is_said_and_the_others_are_granted(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    done: list[int] = []
    wishes = Wishes(told.append)
    wishes.ask(lambda: done.append({}["moon"]))
    wishes.ask(lambda: done.append(1))
    assert wishes.grant()
    assert done == [1] and len(told) == 1
    assert capsys.readouterr().err == "A wish of a page has failed: KeyError('moon')\n"


def test_a_slider_that_is_dragged_rebuilds_the_ground_once_as_it_came_to_rest(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.world._take_terrain("stairs_up")
    height, made = page.world.controls["height"]._impl, []
    monkeypatch.setattr(page.session, "rebuild", lambda terrain, values, seed: made.append(values["height"]))
    with talk(page) as browser:
        hello(page, browser)
        for value in (0.1, 0.12, 0.14, 0.16):
            say(browser, {"type": "GuiUpdateMessage", "uuid": height.uuid, "updates": {"value": value}})
        wait_until("the last value is heard", lambda: height.value == 0.16)
    wait_until("a rebuild is asked for", lambda: not page.wishes.queue.empty())
    page.wishes.grant()
    assert made == [0.16]
    page.wishes.ask_once(page.world._shape)
    page.wishes.grant()
    assert made == [0.16, 0.16]


def test_a_page_that_breaks_fails_the_test_that_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("no ground")

    with pytest.raises(AssertionError, match="no ground"), shown() as page:
        monkeypatch.setattr(page.session, "step", broken)
        wait_until("the moon is reached", lambda: False)
    monkeypatch.setattr(pages, "SLOW", 0.0)
    with pytest.raises(AssertionError, match="the moon is reached"):
        wait_until("the moon is reached", lambda: False)
