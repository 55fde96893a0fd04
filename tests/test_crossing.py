"""Who has crossed the ground, and what the curriculum counts of it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from placements import curriculum
from worlds import state

from envs.placement import CurriculumPlacement
from envs.state import State

SECONDS = 4.0  # of an episode
DT = 0.1


def counts(placement: CurriculumPlacement) -> tuple[float, float]:
    """Trajectories counted as crossed and as not crossed."""
    saved = placement.filter.state_dict()
    return saved["successes"].sum().item(), saved["failures"].sum().item()


def walk(placement: CurriculumPlacement, at: Callable[[float], State], fell: bool = False) -> None:
    """One episode of the only robot, whose states are those `at` each time."""
    for step in range(round(SECONDS / DT)):
        placement.observe(at(step * DT))
    placement.finish(torch.tensor([0]), torch.tensor([fell]))


def moving(command: tuple[float, float, float], velocity_b: tuple[float, float]) -> Callable[[float], State]:
    return lambda _: state(1, command=command, linear_velocity_b=[*velocity_b, 0.3])


def test_a_robot_that_follows_its_command_has_crossed_its_ground() -> None:
    placement = curriculum()
    walk(placement, moving((0.5, 0.0, 0.0), (0.4, 0.0)))
    assert counts(placement) == (1, 0)


@pytest.mark.parametrize(
    ("command", "velocity_b", "crossed"),
    [
        ((0.5, 0.0, 0.0), (-0.5, 0.0), False),
        ((0.5, 0.0, 0.0), (0.0, 0.8), False),
        ((0.0, -0.6, 0.0), (0.0, 0.6), False),
        ((0.0, -0.6, 0.0), (0.9, -0.3), False),
        ((0.0, -0.6, 0.0), (0.9, -0.4), True),
    ],
)
def test_progress_counts_along_the_command_and_nowhere_else(
    command: tuple[float, float, float], velocity_b: tuple[float, float], crossed: bool
) -> None:
    placement = curriculum()
    walk(placement, moving(command, velocity_b))
    assert counts(placement) == (crossed, not crossed)


@pytest.mark.parametrize(("command", "needed"), [(0.49, 0.28), (0.7, 0.4), (1.3, 0.4)])
def test_who_keeps_the_pace_that_an_evaluation_asks_for_has_crossed(command: float, needed: float) -> None:
    """4 m in 10 s at a command of 0.7 m/s, the same share of slower commands, and no more of faster ones."""
    for speed, crossed in ((needed - 0.01, 0), (needed + 0.01, 1)):
        placement = curriculum()
        walk(placement, moving((command, 0.0, 0.0), (speed, 0.0)))
        assert counts(placement) == (crossed, 1 - crossed)


def test_progress_counts_over_the_ground_and_not_along_the_body() -> None:
    placement = curriculum()
    over = state(1, command=(1.0, 0.0, 0.0), linear_velocity_b=[0.45, 0.0, 0.0], linear_velocity_yaw=[0.35, 0.0, 0.2])
    walk(placement, lambda _: over)
    assert counts(placement) == (0, 1)


def test_walking_in_circles_as_commanded_counts_although_it_leads_nowhere() -> None:
    radius, rate = 0.5, 2 * math.pi / SECONDS
    speed = radius * rate
    placement = curriculum()

    def circling(time: float) -> State:
        position = (radius * math.sin(rate * time), radius * (1 - math.cos(rate * time)), 0.5)
        return state(
            1, command=[speed, 0, rate], linear_velocity_b=[speed, 0, 0], angular_velocity_b=[0, 0, rate],
            base_position_w=position,
        )  # fmt: skip

    assert circling(SECONDS).base_position_w.norm().item() == pytest.approx(0.5, abs=1e-3)
    walk(placement, circling)
    assert counts(placement) == (1, 0)


def test_being_carried_far_against_the_command_does_not_count() -> None:
    def carried(time: float) -> State:
        return state(1, command=[0.5, 0, 0], linear_velocity_b=[-1, 0, 0], base_position_w=[-time, 0, 0])

    placement = curriculum()
    walk(placement, carried)
    assert counts(placement) == (0, 1)


def test_a_fall_has_not_crossed_however_far_it_went() -> None:
    placement = curriculum()
    walk(placement, moving((0.8, 0.0, 0.0), (0.8, 0.0)), fell=True)
    assert counts(placement) == (0, 1)


@pytest.mark.parametrize("fell", [False, True])
def test_slow_commands_say_nothing_about_the_ground(fell: bool) -> None:
    placement = curriculum()
    walk(placement, moving((0.3, 0.0, 3.0), (0.3, 0.0)), fell)
    walk(placement, moving((0.0, 0.0, 0.0), (0.0, 0.0)), fell)
    assert counts(placement) == (0, 0)


def test_commands_are_judged_by_their_mean_over_the_episode() -> None:
    def slowing(time: float) -> State:
        return state(1, command=[1.0 if time < SECONDS / 2 else 0.0, 0, 0], linear_velocity_b=[0.6, 0, 0])

    placement = curriculum()
    walk(placement, slowing)
    assert counts(placement) == (1, 0)
    assert placement.progress.abs().sum() + placement.commanded.sum() + placement.steps.sum() == 0


def test_an_episode_starts_with_a_clean_slate() -> None:
    placement = curriculum()
    walk(placement, moving((0.8, 0.0, 0.0), (0.8, 0.0)))
    walk(placement, moving((0.8, 0.0, 0.0), (0.1, 0.0)))
    assert counts(placement) == (1, 1)


def test_each_outcome_is_counted_for_the_tile_that_the_robot_stood_on() -> None:
    placement = curriculum(8)
    stood = list(zip(placement.type.tolist(), placement.cell.tolist(), strict=True))
    for _ in range(10):
        placement.observe(state(8, command=[1.0, 0, 0], linear_velocity_b=[1.0, 0, 0]))
    placement.filter.update(placement.generator)
    rows = torch.tensor([1, 4])
    placement.finish(rows, torch.tensor([False, True]))
    saved = placement.filter.state_dict()
    assert saved["successes"][stood[1]] == 1
    assert saved["failures"][stood[4]] == 1
    assert counts(placement) == (1, 1)
    assert placement.steps.tolist() == [10, 0, 10, 10, 0, 10, 10, 10]
