"""What the gait experiment measures, on motions made by hand."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from envs.terrains import make_tile
from evaluation.experiments import gait
from evaluation.experiments.gait import flight
from evaluation.experiments.motion import Motion, StartAndStop, WalkThenStand, available_torque, trembling
from evaluation.experiments.parts import Parts

DT = 0.02


def step(state: Any, before: Any = None, fell: bool = False) -> Any:
    over = torch.tensor([fell])
    return SimpleNamespace(state=state, before=before, done=over, fell=over, first=torch.tensor([True]))


def posture(contact: float = 1.0, **own: Any) -> Any:
    """A robot that does nothing."""
    still = {
        "joint_torque": torch.zeros(1, 12),
        "joint_velocity": torch.zeros(1, 12),
        "angular_velocity_b": torch.zeros(1, 3),
        "foot_contact": torch.full((1, 4), contact),
        "thigh_contact": torch.zeros(1, 4),
        "shank_contact": torch.zeros(1, 4),
        "height_samples": torch.zeros(1, 4, 52),
        "base_position_w": torch.zeros(1, 3),
    }
    return SimpleNamespace(**still | own)


def watched(states: list[Any], fell: bool = False, **stretch: Any) -> dict[str, float]:
    """What is measured of these states, all after settling."""
    motion = Motion(1, DT, **stretch)
    motion.settling = 0
    for i, state in enumerate(states):
        motion.observe(step(state, states[max(i - 1, 0)], fell and i == len(states) - 1))
    return {name: value.item() for name, value in motion.finish().items()}


def test_torque_and_acceleration_are_root_mean_squares_over_joints_and_time() -> None:
    torque = torch.zeros(1, 12)
    torque[0, 0] = -60.0
    fast = posture(joint_velocity=torch.full((1, 12), 0.1))
    result = watched([posture(joint_torque=torque), fast, fast, fast])
    assert result["torque"] == pytest.approx(math.sqrt(3600 / 48)) and result["peak_torque"] == 60.0
    assert result["acceleration"] == pytest.approx(math.sqrt((0.1 / DT) ** 2 / 4))


def test_only_the_stretch_between_first_and_last_riser_counts() -> None:
    def at(x: float, torque: float) -> Any:
        return posture(base_position_w=torch.tensor([[x, 0.0, 0.5]]), joint_torque=torch.full((1, 12), torque))

    result = watched([at(0.9, 70.0), at(1.1, 10.0), at(1.9, 20.0), at(2.1, 80.0)], stretch=(1.0, 2.0))
    assert result["torque"] == pytest.approx(math.sqrt(250)) and result["peak_torque"] == 20.0
    first, last = flight(make_tile("stairs_up", height=0.17, depth=0.3), 5.0)
    assert (first, last) == pytest.approx((5.0 + 2.475 - 1.5, 5.0 + 5.775 - 1.5), abs=0.06)
    assert flight(make_tile("flat"), 5.0) == (-math.inf, math.inf)


def test_a_drive_gives_less_the_faster_it_turns_and_all_while_it_brakes() -> None:
    torque, velocity = torch.tensor([10.0, 10.0, -10.0, 10.0, 10.0]), torch.tensor([0.0, 5.0, -5.0, -5.0, 9.0])
    assert available_torque(torque, velocity, "pd").tolist() == pytest.approx([80.0, 40.0, 40.0, 80.0, 0.0])
    assert available_torque(torque, velocity, "anydrive").tolist() == [80.0] * 5


def test_at_limit_is_a_share_of_joints_and_time() -> None:
    torque, velocity = torch.zeros(1, 12), torch.zeros(1, 12)
    torque[0, :3], velocity[0, :2] = torch.tensor([39.5, -40.0, 40.0]), torch.tensor([5.0, -5.0])
    states = [posture(joint_torque=torque, joint_velocity=velocity), posture(), posture(), posture()]
    assert watched(states)["at_limit"] == pytest.approx(2 / 48)


def wave(frequency: float) -> Tensor:
    seconds = DT * torch.arange(350)
    return (2 * math.pi * frequency * seconds).sin().reshape(-1, 1, 1).repeat(1, 1, 12)


def test_trembling_is_the_share_of_power_beyond_8_hz() -> None:
    assert trembling(wave(2.0) + 5.0, DT).item() == pytest.approx(0.0, abs=1e-4)
    assert trembling(wave(12.0), DT).item() == pytest.approx(1.0, abs=1e-4)
    assert trembling(wave(2.0) + 0.5 * wave(12.0), DT).item() == pytest.approx(0.2, abs=1e-3)


def test_a_stride_ends_with_a_touchdown_after_a_swing_not_with_a_bounce() -> None:
    contact = [1, 0, 0, 0, 1, 0, 1, 1, 0, 0]
    result = watched([posture(contact=each) for each in contact])
    assert result["strides"] == pytest.approx(1 / (len(contact) * DT)) and result["duty"] == pytest.approx(0.4)


def test_lift_is_over_the_highest_ground_around_the_foot_and_knees_are_counted_by_time() -> None:
    low, shank = torch.full((1, 4, 52), -0.3), torch.zeros(1, 4)
    low[..., 3], shank[0, 2] = -0.1, 1.0
    result = watched([posture(height_samples=low, shank_contact=shank)] + [posture(height_samples=low)] * 3)
    assert result["lift"] == pytest.approx(0.1) and result["knees"] == pytest.approx(0.25)


def test_what_comes_with_a_fall_or_after_it_does_not_count() -> None:
    result = watched([posture()] * 3 + [posture(joint_torque=torch.full((1, 12), 80.0))], fell=True)
    assert (result["torque"], result["peak_torque"]) == (0.0, 0.0) and math.isnan(result["trembling"])


def stroll(speeds: list[float], fell: bool = False) -> tuple[dict[str, float], dict[str, Any]]:
    """What is measured of a robot with these speeds whose command is 0.5 m/s."""
    watch, x = StartAndStop(1, 0.5, DT), 0.0
    for i, speed in enumerate(speeds):
        x += speed * DT
        state = SimpleNamespace(
            linear_velocity_b=torch.tensor([[speed, 9.0, 9.0]]),
            gravity_b=torch.tensor([[math.sin(0.2), 0.0, -math.cos(0.2)]]),
            joint_velocity=torch.full((1, 12), speed),
            base_position_w=torch.tensor([[x, 0.0, 0.5]]),
        )
        watch.observe(step(state, fell=fell and i == 250))
    quantities, trace = watch.finish()
    return {name: value.item() for name, value in quantities.items()}, trace


def test_start_and_stop_are_counted_from_their_commands_on_a_speed_averaged_over_half_a_stride() -> None:
    result, trace = stroll([0.0] * 100 + [0.6] * 200 + [0.0] * 200)
    assert result["start"] == pytest.approx(14 * DT)  # 15 of the last 20 steps at 0.6 m/s make 0.45
    assert result["stop"] == pytest.approx(18 * DT)  # one of the last 20 is below 0.05
    assert result["overshoot"] == pytest.approx(0.2, rel=1e-4) and result["tilt"] == pytest.approx(
        math.degrees(0.2), rel=1e-4
    )
    assert result["stopping_distance"] == pytest.approx(0.0, abs=1e-6) and result["resting_joint_speed"] == 0.0
    assert trace["speed"][99:120] == pytest.approx([0.03 * i for i in range(21)], abs=1e-6)


def test_who_falls_or_never_walks_has_no_start() -> None:
    assert all(math.isnan(value) for value in stroll([0.5] * 500, fell=True)[0].values())
    crept = stroll([0.0] * 500)[0]
    assert math.isnan(crept["start"]) and math.isnan(crept["stop"]) and crept["overshoot"] == 0.0


def test_robots_are_told_to_walk_after_2_s_and_to_stand_after_6() -> None:
    commands: Any = SimpleNamespace(velocity=torch.ones(2, 3), holds_heading=torch.ones(2, dtype=torch.bool))
    env: Any = SimpleNamespace(commands=commands)
    event, seen = WalkThenStand(0.5, DT), {}
    for number in range(400):
        event(env, number)
        seen[number] = (commands.velocity[1].tolist(), bool(commands.holds_heading[0]))
    assert seen[99] == ([0.0, 0.0, 0.0], False) and seen[100] == seen[299] == ([0.5, 0.0, 0.0], True)
    assert seen[300] == ([0.0, 0.0, 0.0], False)


def test_the_experiment_has_a_row_for_every_ground_and_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gait, "walk", lambda *_: {"falls": 0})
    monkeypatch.setattr(gait, "start_and_stop", lambda *_: {"falls": 0})
    agent: Any = SimpleNamespace(name="a")
    request: Any = SimpleNamespace(
        episodes=None, parts=Parts(), pairs=lambda noises: [(agent, noise) for noise in noises]
    )
    rows = gait.run(request)
    assert [(row["ground"], row["speed"]) for row in rows] == [
        ("flat", 0.4), ("flat", 0.7), ("flat", 1.4), ("stairs_up 0.17 m", 0.7), ("stairs_up 0.22 m", 0.7),
        ("stairs_down 0.17 m", 0.7), ("stairs_down 0.22 m", 0.7), ("start", 0.7), ("start", 1.2),
    ]  # fmt: skip
    assert {row["episodes"] for row in rows} == {20}
