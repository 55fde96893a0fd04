"""What the experiments measure, each on steps made by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from evaluation.conditions import Crowd, edge, environment
from evaluation.experiments import distance, maps, traces
from evaluation.experiments.commands import command_of, largest
from evaluation.experiments.distance import Distances
from evaluation.experiments.ratios import ratios
from evaluation.experiments.scenes import BOX, HIGH_STEP, SlipperyStretch, lane, show
from evaluation.experiments.traces import Traces
from evaluation.experiments.tracking import Passage, Tracking, give
from evaluation.summary import measured


def step(n: int, done: list[int] | None = None, fell: list[int] | None = None, first: bool = True, **parts: Any) -> Any:
    over, fallen = torch.zeros(n, dtype=torch.bool), torch.zeros(n, dtype=torch.bool)
    over[done or []], fallen[fell or []] = True, True
    return SimpleNamespace(done=over | fallen, fell=fallen, first=torch.full((n,), first), **parts)


def reconstruction(monkeypatch: pytest.MonkeyPatch, module: Any, heights: Tensor, friction: Tensor) -> None:
    given = SimpleNamespace(heights=heights, friction=friction)
    monkeypatch.setattr(module, "reconstruct", lambda student: given)


def test_action_distance_is_the_sum_over_actions_and_height_error_the_mean_over_samples(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reconstruction(monkeypatch, distance, torch.full((2, 4, 52), 0.3), torch.zeros(2, 4))
    teacher: Any = SimpleNamespace(act=lambda obs: torch.full((2, 16), 0.5))
    before = SimpleNamespace(height_samples=torch.full((2, 4, 52), 0.1))
    distances = Distances(SimpleNamespace(), teacher, 2)  # type: ignore
    distances.observe(step(2, obs=None, before=before, action=torch.zeros(2, 16)))
    distances.observe(step(2, obs=None, before=before, action=torch.full((2, 16), 0.5), done=[0]))
    distances.observe(step(2, obs=None, before=before, action=torch.full((2, 16), 99.0), first=False))
    result = distances.finish()
    assert result["action_distance"].tolist() == pytest.approx([16 * 0.25 / 2] * 2)
    assert result["height_error"].tolist() == pytest.approx([0.04] * 2)


def test_tiles_spread_over_the_training_ranges_and_stairs_rise_and_fall() -> None:
    made = distance.tiles("stairs_standard", 4, 0)
    assert [tile.parameters["direction"] for tile in made] == [1, -1, 1, -1]
    heights = [tile.parameters["height"] for tile in made]
    assert heights == pytest.approx([0.01 + 0.21 * share for share in (0.125, 0.375, 0.625, 0.875)])
    seeds = {tile.seed for tile in made} | {tile.seed for tile in distance.tiles("rough", 4, 1)}
    assert len(seeds) == 8 and min(seeds) >= 2**32


def test_ratios_are_no_gate_over_gate_averaged_over_families() -> None:
    full = {"gate": True, "memory": "gru", "reconstruct": True, "extero": True}
    values = {("a", "x"): 1.0, ("a", "y"): 2.0, ("b", "x"): 2.0, ("b", "y"): 2.0}
    rows = [
        {"checkpoint": name, "student": full | {"gate": name == "a"}, "terrain": terrain, "noise": noise}
        | {"action_distance": value, "height_error": 3 * value}
        for (name, terrain), value in values.items()
        for noise in ("small", "large")
    ]
    assert ratios(rows[:4], ("x", "y")) == []
    title, table = ratios(rows, ("x", "y"))
    assert title == "b against a:"
    small = table.splitlines()[2]
    assert small == "| action_distance | small | 1.500 | 1.000 | 2.000 | 1.125 |"


def feet(x: float, z: float, contact: float) -> dict[str, Tensor]:
    position = torch.tensor([0.0, 0.0, 0.0]).repeat(1, 4, 1)
    position[:, 1, 0], position[:, 1, 2] = x, z
    touching = torch.zeros(1, 4)
    touching[:, 1] = contact
    return {"foot_position_w": position, "foot_contact": touching}


def test_traces_are_of_the_foot_that_touches_first_behind_the_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    samples, believed = torch.zeros(1, 4, 52), torch.zeros(1, 4, 52)
    samples[:, 1, :6], believed[:, 1, :6] = 0.2, 0.1
    reconstruction(monkeypatch, traces, believed, torch.tensor([[0.0, 0.6, 0.0, 0.0]]))
    student: Any = SimpleNamespace(network=SimpleNamespace(cfg=SimpleNamespace(extero=True)))
    watch = Traces(torch.tensor([2.0]), student)
    for x, contact in ((1.9, 1.0), (2.1, 0.0), (2.1, 1.0), (2.2, 1.0)):
        state = SimpleNamespace(
            **feet(x, 1.03, contact), height_samples=samples, friction=torch.tensor([[0.1, x, 0, 0]])
        )
        watch.observe(step(1, before=state, obs={"extero_noisy": torch.full((1, 208), 0.5)}))
    trace = watch.finish(0.02)
    now = trace["seconds"].index(0.0)
    assert trace["robots"][now - 3 : now + 3] == [0, 1, 1, 1, 1, 0]
    assert trace["friction"][now - 2 : now + 2] == pytest.approx([1.9, 2.1, 2.1, 2.2])
    assert [trace[name][now] for name in ("true", "seen", "reconstructed")] == pytest.approx([1.2, 1.5, 1.1])
    assert trace["friction reconstructed"][now] == pytest.approx(0.6) and trace["true"][now + 2] is None


@pytest.fixture
def student_env() -> Any:
    """Two robots with maps on a flat lane."""
    agent: Any = SimpleNamespace(env=EnvConfig(noisy_groups=True), world=AnymalEnv)
    return environment(agent, [lane(())], "none", Crowd(2))


def test_maps_show_an_obstacle_that_is_not_there_behind_the_edge(student_env: Any) -> None:
    show(student_env, [lane(BOX)])
    x = edge(student_env)[0] + torch.tensor([-0.1, 0.0, 0.45, 0.55])
    points = torch.stack([x, torch.zeros(4)], dim=-1)
    assert student_env.sensors.query(points).tolist() == pytest.approx([0.0, 0.3, 0.3, 0.0], abs=1e-5)
    assert not student_env.surface.height(points.numpy()).any()


def test_a_shown_step_reaches_what_a_student_perceives_and_leaves_the_truth(student_env: Any) -> None:
    show(student_env, [lane(HIGH_STEP)])
    student_env.simulation.qpos[:, 0] = edge(student_env).numpy() + 2.0
    for _ in range(3):
        obs = student_env.step(torch.zeros(2, 16))[0]
    error = obs["extero_noisy"] - obs["extero"]
    assert error.median().item() == pytest.approx(0.18, abs=0.01)


def test_feet_slip_within_the_stretch_alone(student_env: Any) -> None:
    s, stretch = student_env.state, SlipperyStretch(student_env)
    own = s.friction[0, 0].item()
    s.foot_position_w[0, :, 0] = edge(student_env)[0] + torch.tensor([-0.01, 0.01, 1.49, 1.51])
    stretch(student_env, 0)
    assert student_env.state.friction[0].tolist() == pytest.approx([own, 0.2, 0.2, own])
    physics = student_env.simulation.friction[0, student_env.simulation.feet, 0]
    assert physics.tolist() == pytest.approx([own, 0.2, 0.2, own])


def test_every_robot_gets_its_own_command_and_holds_its_heading_unless_it_turns() -> None:
    commands: Any = SimpleNamespace(velocity=torch.zeros(6, 3), holds_heading=torch.zeros(6, dtype=torch.bool))
    env: Any = SimpleNamespace(num_envs=6, commands=commands)
    wanted = [command_of("forward", 0.4), command_of("yaw", 2.0), command_of("standing", 0.0)]
    give(wanted)(env, 1)
    assert not commands.velocity.any()
    give(wanted)(env, 0)
    assert commands.velocity.tolist() == [pytest.approx(list(each)) for each in wanted] * 2
    assert commands.holds_heading.tolist() == [True, False, False] * 2


def moving(velocity: list[list[float]], x: float) -> dict[str, Any]:
    n = len(velocity)
    state = SimpleNamespace(
        linear_velocity_yaw=torch.tensor([[vx, vy, 9.0] for vx, vy, _ in velocity]),
        angular_velocity_b=torch.tensor([[9.0, 9.0, wz] for _, _, wz in velocity]),
        joint_torque=torch.full((n, 12), -10.0),
        joint_velocity=torch.full((n, 12), 2.0),
        base_position_w=torch.tensor([[x, 0.0, 0.5]]).repeat(n, 1),
    )
    return {"state": state, "before": SimpleNamespace(command=torch.tensor([[1.0, 0.0, 0.0]]).repeat(n, 1))}


def test_tracking_is_measured_after_settling_and_a_fall_achieves_nothing() -> None:
    tracking = Tracking(torch.full((2,), 50.0), 1.0)
    for x in (0.0, 5.0, 6.0):
        tracking.observe(step(2, **moving([[7.0, 7.0, 7.0]] * 2, x)))
    tracking.observe(step(2, **moving([[0.6, 0.3, 0.1], [0.8, 0.0, 0.0]], 6.5)))
    tracking.observe(step(2, fell=[1], **moving([[0.6, -0.3, 0.1], [0.8, 0.0, 0.0]], 6.8)))
    result = tracking.finish()
    assert result["velocity"][0].tolist() == pytest.approx([0.6, 0.0, 0.1])
    assert result["velocity"][1].tolist() == [0.0, 0.0, 0.0] and tracking.fell.tolist() == [False, True]
    assert result["velocity_error"][0].item() == pytest.approx(0.5)
    assert result["yaw_rate_error"][0].item() == pytest.approx(0.1)
    assert result["cost_of_transport"][0].item() == pytest.approx(240.0 / (50.0 * 9.81 * 0.6))
    assert result["cost_of_transport"][1].isnan()
    assert result["drift"][0].item() == pytest.approx(0.8) and result["joint_speed"][0].item() == pytest.approx(2.0)


def test_speed_over_a_step_is_that_between_two_places_and_zero_for_who_does_not_arrive() -> None:
    passage = Passage(torch.tensor([1.0, 9.0]), 0.5)
    for x in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 9.0):
        passage.observe(step(2, state=SimpleNamespace(base_position_w=torch.tensor([[x, 0.0, 0.5]]).repeat(2, 1))))
    assert passage.finish().tolist() == pytest.approx([1.0, 0.0])


def test_the_largest_command_is_that_with_an_error_below_15_percent() -> None:
    errors = {("forward", 0.4): 0.2, ("forward", 0.6): 0.149, ("forward", 0.8): 0.151, ("yaw", 1.0): 0.5}
    rows = [
        {"checkpoint": "a", "noise": None, "sweep": sweep, "command": size, "relative_error": error}
        for (sweep, size), error in errors.items()
    ]
    (line,) = largest([*rows, {"checkpoint": "a", "noise": None, "sweep": "standing", "command": 0.0}])
    assert (line["forward"], line["yaw"], line["lateral"]) == (0.6, None, None)


def test_map_axes_are_what_terrain_of_five_centimetres_can_tell_apart() -> None:
    grid, stairs = (each.values(9) for each in maps.MAPS_OF)
    assert grid["height"] == pytest.approx([0.05 * i for i in range(1, 10)]) and len(grid["width"]) == 9
    assert stairs["depth"] == pytest.approx([0.05 * i for i in range(4, 13)])
    assert len(maps.MAPS_OF[1].values(41)["depth"]) == 9


def test_a_success_map_has_heights_as_lines_and_sides_as_columns() -> None:
    rows = [
        {"checkpoint": "a", "noise": None, "terrain": terrain, "parameters": {"height": height, side: size}}
        | {"episodes": 5, "success": height, "ci95": [0.0, size]}
        for terrain, side in (("grid_steps", "width"), ("stairs_up", "depth"))
        for height in (0.1, 0.2)
        for size in (0.3, 0.5)
    ]
    table = maps.markdown(rows)
    assert "| 0.2 | 0.200 [0.000, 0.300] | 0.200 [0.000, 0.500] |" in table
    assert "| height (m) \\ depth (m) | 0.3 | 0.5 |" in table
    assert maps.draw(rows).axes[0].images[0].get_array()[1, 0] == pytest.approx(0.2)  # type: ignore


def test_measured_quantities_carry_their_interval() -> None:
    row = measured(speed=torch.tensor([1.0, 3.0, torch.nan]))
    assert row["speed"] == 2.0 and row["speed_ci95"] == pytest.approx([2 - 12.7062, 2 + 12.7062], abs=1e-4)
