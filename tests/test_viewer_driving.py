"""What a user wants becomes the command that a robot gets, whatever a page sends."""

from __future__ import annotations

import math

import pytest

from viewer.clock import Clock
from viewer.driving import ARRIVED, REACH, Wish, towards, within
from viewer.wishes import Wishes, value_of


@pytest.mark.parametrize("axis", REACH)
def test_wishes_stay_within_reach_and_what_is_no_number_is_none(axis: str) -> None:
    wish = Wish()
    for asked, got in ((99.0, REACH[axis]), (-99.0, -REACH[axis]), (0.3, 0.3), (math.nan, 0.0), (math.inf, 0.0)):
        wish.set(axis, asked)
        assert getattr(wish, axis) == got


def test_only_what_a_robot_can_do_can_be_wished_for() -> None:
    with pytest.raises(ValueError, match="goal_w"):
        Wish().set("goal_w", 1.0)


def test_faster_adds_up_and_stop_ends_it_and_a_goal() -> None:
    wish = Wish(forward=0.7)
    wish.faster(0.1)
    wish.faster(0.1)
    assert wish.forward == pytest.approx(0.9)
    wish.go_to((1.0, 2.0))
    assert (wish.forward, wish.goal_w) == (0.0, (1.0, 2.0))
    wish.stop()
    assert wish.goal_w is None


def test_a_goal_ahead_is_walked_to_and_one_behind_is_turned_to_first() -> None:
    assert towards(2.0, 0.0, 0.0) == pytest.approx((0.8, 0.0, 0.0))
    forward, lateral, turn = towards(-2.0, 0.01, 0.0)
    assert (forward, lateral, turn) == (0.0, 0.0, 1.0)
    assert towards(-2.0, -0.01, 0.0)[2] == -1.0
    assert towards(0.0, 2.0, math.pi / 2) == pytest.approx((0.8, 0.0, 0.0))
    assert towards(0.9 * ARRIVED, 0.0, 0.0) == (0.0, 0.0, 0.0)


def test_a_goal_is_approached_ever_more_slowly() -> None:
    speeds = [towards(distance, 0.0, 0.0)[0] for distance in (1.0, 0.5, 0.3, 0.2)]
    assert speeds == sorted(speeds, reverse=True) and len(set(speeds)) == 4


def test_following_the_command_reaches_a_goal_from_any_heading() -> None:
    for heading in (0.0, 2.0, -3.0):
        x, y, yaw = 0.0, 0.0, heading
        for _ in range(1500):
            forward, _, turn = towards(1.5 - x, -1.0 - y, yaw)
            x, y, yaw = x + 0.02 * forward * math.cos(yaw), y + 0.02 * forward * math.sin(yaw), yaw + 0.02 * turn
        assert math.hypot(1.5 - x, -1.0 - y) < ARRIVED


class Time:
    """Seconds that pass when a test says so."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def steps_in(clock: Clock, time: Time, seconds: float) -> int:
    made = 0
    for _ in range(round(seconds / 0.001)):
        time.now += 0.001
        made += clock.due()
    return made


def test_steps_keep_real_time_and_slow_motion() -> None:
    time = Time()
    clock = Clock(0.02, time)
    assert steps_in(clock, time, 2.0) == pytest.approx(100, abs=2)
    clock.speed = 0.25
    assert steps_in(clock, time, 2.0) == pytest.approx(25, abs=2)


def test_pause_stops_time_but_for_single_steps_and_nothing_is_caught_up_afterwards() -> None:
    time = Time()
    clock = Clock(0.02, time)
    clock.paused = True
    assert steps_in(clock, time, 1.0) == 0
    clock.step_once()
    clock.step_once()
    assert steps_in(clock, time, 1.0) == 2
    clock.paused = False
    assert steps_in(clock, time, 0.1) == pytest.approx(5, abs=2)


def test_a_picture_that_took_long_costs_no_step() -> None:
    time = Time()
    clock = Clock(0.02, time)
    steps_in(clock, time, 0.1)
    time.now += 0.08
    assert steps_in(clock, time, 0.1) == pytest.approx(9, abs=1)


class Control:
    """A slider as viser has it."""

    min, max = -1.0, 2.0

    def __init__(self, value: float) -> None:
        self.value = value


def test_sliders_give_numbers_of_their_range_whatever_a_page_sends() -> None:
    sent = (0.5, 99.0, -99.0, math.nan, math.inf, -math.inf)
    assert [value_of(Control(value)) for value in sent] == [0.5, 2.0, -1.0, 0.0, 0.0, 0.0]
    assert within(math.nan, 0.1, 1.5) == 0.1


def test_wishes_are_granted_in_order_and_one_that_cannot_be_is_said() -> None:
    said: list[str] = []
    done: list[int] = []
    wishes = Wishes(said.append)

    def impossible() -> None:
        raise ValueError("There is no moon.")

    wishes.ask(lambda: done.append(1))
    wishes.ask(impossible)
    wishes.ask(lambda: done.append(2))
    assert done == []
    assert wishes.grant()
    assert not wishes.grant()
    assert (done, said) == ([1, 2], ["There is no moon."])
