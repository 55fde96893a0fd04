from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from evaluation.statistics import wilson
from evaluation.summary import summary
from evaluation.trial import FALL, OUT_OF_LANE, RUNNING, SUCCESS, TIMEOUT, Trial

LEFT = torch.full((2,), math.pi / 2)  # two robots that look along +y


def state(xy: list[list[float]], **changes: Any) -> Any:
    """Robots at these places, looking along +x, at rest, feet in the air under the base."""
    n = len(xy)
    position = torch.tensor([[*point, 0.5] for point in xy])
    values = {
        "base_position_w": position,
        "heading": torch.zeros(n),
        "foot_position_w": position.unsqueeze(1).expand(n, 4, 3),
        "foot_contact": torch.zeros(n, 4),
        "linear_velocity_yaw": torch.zeros(n, 3),
        "angular_velocity_b": torch.zeros(n, 3),
        "joint_torque": torch.zeros(n, 12),
        "joint_velocity": torch.zeros(n, 12),
    }
    return SimpleNamespace(**values | changes)


def begin(start: Any, mass: float = 50.0, edge_x: Tensor | None = None) -> Trial:
    return Trial(start, torch.full((len(start.base_position_w),), mass), 0.02, edge_x)


def observe(trial: Trial, s: Any, done: list[int] | None = None, fell: list[int] | None = None) -> list[int]:
    n = len(trial.mass)
    command = torch.tensor([0.7, 0.0, 0.0]).expand(n, 3)
    done_, fell_ = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    done_[done or []], fell_[fell or []] = True, True
    step: Any = SimpleNamespace(state=s, before=SimpleNamespace(command=command), done=done_ | fell_, fell=fell_)
    trial.observe(step)
    return trial.outcome.tolist()


def test_success_is_four_metres_along_the_heading_of_the_start() -> None:
    t = begin(state([[1.0, 2.0], [1.0, 2.0]], heading=LEFT))
    assert observe(t, state([[1.0, 5.99], [2.0, 5.0]])) == [RUNNING, RUNNING]
    assert observe(t, state([[1.0, 6.01], [2.4, 6.01]])) == [SUCCESS, SUCCESS]


def test_four_metres_in_another_direction_are_no_success() -> None:
    t = begin(state([[0.0, 0.0], [0.0, 0.0]], heading=LEFT))
    assert observe(t, state([[1.4, 0.0], [0.0, -4.1]])) == [RUNNING, RUNNING]
    assert observe(t, state([[4.1, 0.0], [0.0, -4.1]])) == [OUT_OF_LANE, RUNNING]


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_leaving_the_lane_on_either_side_is_a_failure_even_beyond_the_distance(side: float) -> None:
    t = begin(state([[0.0, 0.0], [0.0, 0.0]]))
    outcome = observe(t, state([[4.1, 1.49 * side], [4.1, 1.51 * side]]))
    assert outcome == [SUCCESS, OUT_OF_LANE]


def test_crossing_the_border_of_the_tile_is_leaving_the_lane() -> None:
    assert observe(begin(state([[0.0, 0.0]])), state([[0.0, 0.0]]), done=[0]) == [OUT_OF_LANE]


def test_a_fall_counts_at_the_step_of_arrival_but_not_after_it() -> None:
    t = begin(state([[0.0, 0.0], [0.0, 0.0]]))
    assert observe(t, state([[4.1, 0.0], [4.1, 0.0]]), fell=[0]) == [FALL, SUCCESS]
    assert observe(t, state([[0.0, 0.0], [0.0, 0.0]]), fell=[0, 1]) == [FALL, SUCCESS]


def test_only_the_first_episode_is_judged_and_measured() -> None:
    t = begin(state([[0.0, 0.0]]))
    observe(t, state([[0.1, 0.0]]))
    observe(t, state([[9.0, 0.0]]), fell=[0])
    assert observe(t, state([[9.0, 0.0]])) == [FALL]
    assert t.finish()["speed"].tolist() == pytest.approx([0.1 / 0.02])


def test_who_arrives_nowhere_runs_out_of_time() -> None:
    t = begin(state([[0.0, 0.0]]))
    observe(t, state([[3.9, 0.0]]))
    assert t.finish()["outcome"].tolist() == [TIMEOUT]


def feet(x: list[float], contact: list[int]) -> dict[str, Tensor]:
    return {
        "foot_position_w": torch.tensor([[[position, 0.0, 0.1] for position in x]]),
        "foot_contact": torch.tensor([contact], dtype=torch.float32),
    }


def test_a_step_is_crossed_when_front_and_hind_feet_have_stood_behind_it() -> None:
    t = begin(state([[1.0, 0.0]]), edge_x=torch.tensor([2.0]))
    steps = [
        (feet([2.1, 2.1, 1.5, 1.5], [1, 1, 1, 1]), RUNNING),  # hind feet before the edge
        (feet([2.6, 2.6, 2.1, 1.9], [1, 0, 1, 1]), RUNNING),  # one hind foot before the edge
        (feet([2.8, 2.8, 2.2, 2.1], [1, 0, 1, 0]), RUNNING),  # over the edge, in the air
        (feet([2.8, 2.8, 2.2, 2.1], [0, 1, 0, 1]), SUCCESS),
    ]
    assert [observe(t, state([[2.4, 0.0]], **pose)) for pose, _ in steps] == [[outcome] for _, outcome in steps]


def test_a_foot_that_went_back_over_the_edge_has_to_cross_again() -> None:
    t = begin(state([[1.0, 0.0]]), edge_x=torch.tensor([2.0]))
    observe(t, state([[2.4, 0.0]], **feet([2.5, 2.5, 2.2, 1.9], [1, 1, 1, 1])))
    observe(t, state([[2.4, 0.0]], **feet([2.5, 2.5, 1.9, 1.9], [1, 1, 1, 1])))
    assert observe(t, state([[2.4, 0.0]], **feet([2.5, 2.5, 2.1, 2.1], [1, 1, 0, 1]))) == [RUNNING]
    assert observe(t, state([[2.4, 0.0]], **feet([2.5, 2.5, 2.1, 2.1], [0, 0, 1, 0]))) == [SUCCESS]


def test_distance_alone_does_not_cross_a_step() -> None:
    t = begin(state([[0.0, 0.0]]), edge_x=torch.tensor([20.0]))
    assert observe(t, state([[4.5, 0.0]])) == [RUNNING]


def test_measures_are_means_over_the_episode() -> None:
    t = begin(state([[0.0, 0.0]]))
    for x, velocity in ((0.01, [0.4, 0.4, 9.0]), (0.04, [0.7, 0.1, 9.0])):
        moving = {
            "linear_velocity_yaw": torch.tensor([velocity]),
            "angular_velocity_b": torch.tensor([[9.0, 9.0, -0.2]]),
        }
        work = {"joint_torque": torch.full((1, 12), -10.0), "joint_velocity": torch.full((1, 12), 2.0)}
        observe(t, state([[x, 0.0]], **moving, **work))
    result = {name: value.item() for name, value in t.finish().items()}
    assert result["velocity_error"] == pytest.approx((0.5 + 0.1) / 2)  # |(0.7 - 0.4, -0.4)|, |(0, -0.1)| m/s
    assert result["yaw_rate_error"] == pytest.approx(0.2)
    assert result["speed"] == pytest.approx(1.0)  # 4 cm in 40 ms
    assert result["cost_of_transport"] == pytest.approx(240.0 / (50.0 * 9.81 * 1.0))  # 12 x 10 N m x 2 rad/s at 1 m/s


def test_summary_counts_every_episode_once_and_leaves_out_what_was_not_measured() -> None:
    outcome = torch.tensor([SUCCESS, SUCCESS, FALL, OUT_OF_LANE, TIMEOUT, FALL])
    cost = torch.tensor([1.0, 2.0, 99.0, 99.0, torch.nan, 99.0])
    error = torch.tensor([0.1, 0.2, 0.3, 0.2, 0.2, torch.nan])
    errors = dict.fromkeys(("velocity_error", "yaw_rate_error", "speed"), error)
    row = summary({"outcome": outcome, **errors, "cost_of_transport": cost})
    assert (row["episodes"], row["success"], row["falls"], row["out_of_lane"], row["timeouts"]) == (6, 2 / 6, 2, 1, 1)
    assert row["ci95"] == list(wilson(2, 6))
    assert row["velocity_error"] == pytest.approx(0.2)
    assert row["cost_of_transport"] == pytest.approx(1.5)


def test_summary_without_success_has_no_cost_of_transport() -> None:
    names = ("velocity_error", "yaw_rate_error", "speed", "cost_of_transport")
    row = summary({"outcome": torch.tensor([FALL]), **dict.fromkeys(names, torch.tensor([0.5]))})
    assert row["cost_of_transport"] is None and row["velocity_error_ci95"] is None


def test_a_robot_that_leaves_its_path_has_left_its_lane() -> None:
    t = Trial(state([[0.0, 0.0]] * 3), torch.full((3,), 50.0), 0.02, half_width=torch.tensor([0.6, 0.6, 1.5]))
    assert observe(t, state([[4.1, 0.59], [4.1, -0.61], [4.1, 0.61]])) == [SUCCESS, OUT_OF_LANE, SUCCESS]
