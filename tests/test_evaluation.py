from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from policy_files import write_policy
from tensordict import TensorDict
from torch import Tensor

from anymal_policy import layout
from anymal_policy.teacher import Teacher
from envs import randomization
from envs.config import EnvConfig
from envs.curriculum import curriculum_factor
from envs.terrains import TRAINING_TYPES, Surface, build_map, make_tile
from envs.terrains.bank import tile_requests
from envs.terrains.stairs import LANE_FLAT
from evaluation import agents, protocol, trial
from evaluation.agents import RandomAgent, ZeroAgent, load_agent
from evaluation.cells import FIRST_SEED, Cell, make_cells, tile_seeds
from evaluation.protocol import CONDITIONS, Pushes, batches, evaluate, evaluate_cell, run_batch
from evaluation.statistics import wilson
from evaluation.summary import summary
from evaluation.trial import FALL, OUT_OF_LANE, RUNNING, SUCCESS, TIMEOUT, Trial

LEFT = torch.tensor([math.cos(math.pi / 4), 0.0, 0.0, math.sin(math.pi / 4)])  # looking along +y


def state(xy: list[list[float]], **changes: Any) -> Any:
    """Robots at these places, looking along +x, at rest, feet in the air under the base."""
    n = len(xy)
    position = torch.tensor([[*point, 0.5] for point in xy])
    values = {
        "base_position_w": position,
        "base_quaternion": torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(n, 4),
        "foot_position_w": position.unsqueeze(1).expand(n, 4, 3),
        "foot_contact": torch.zeros(n, 4),
        "linear_velocity_b": torch.zeros(n, 3),
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
    trial.observe(s, command, done_ | fell_, fell_)
    return trial.outcome.tolist()


def test_success_is_four_metres_along_the_heading_of_the_start() -> None:
    t = begin(state([[1.0, 2.0], [1.0, 2.0]], base_quaternion=LEFT.expand(2, 4)))
    assert observe(t, state([[1.0, 5.99], [2.0, 5.0]])) == [RUNNING, RUNNING]
    assert observe(t, state([[1.0, 6.01], [2.4, 6.01]])) == [SUCCESS, SUCCESS]


def test_four_metres_in_another_direction_are_no_success() -> None:
    t = begin(state([[0.0, 0.0], [0.0, 0.0]], base_quaternion=LEFT.expand(2, 4)))
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
        moving = {"linear_velocity_b": torch.tensor([velocity]), "angular_velocity_b": torch.tensor([[9.0, 9.0, -0.2]])}
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


def test_pushes_are_half_a_metre_per_second_every_five_seconds_in_all_directions() -> None:
    pushes = Pushes(1000, 0.02, seed=3)
    velocity = torch.stack([pushes.at(step) for step in range(500)])  # (steps, n, 2)
    speed = velocity.norm(dim=-1)
    assert torch.allclose(speed[speed > 0], torch.tensor(0.5))
    assert ((speed > 0).sum(0) == 2).all()
    times = torch.nonzero(speed.T > 0)[:, 1].reshape(-1, 2)
    assert (times[:, 1] - times[:, 0] == 250).all()
    assert times[:, 0].float().mean().item() == pytest.approx(125, abs=10)
    directions = velocity[speed > 0] / 0.5
    assert directions.mean(0).abs().max() < 0.05
    assert directions.square().mean(0).tolist() == pytest.approx([0.5, 0.5], abs=0.04)


def test_conditions_are_those_of_the_design() -> None:
    assert CONDITIONS.commands.fixed == (0.7, 0.0, 0.0)
    assert curriculum_factor(0, CONDITIONS.curriculum) == 1.0
    friction = randomization.friction(CONDITIONS.randomization, 2000, torch.Generator().manual_seed(0))
    assert (friction == friction[:, :1]).all()
    assert 0.5 <= friction.min() < 0.51 and 1.24 < friction.max() <= 1.25
    force, torque = randomization.wrench(CONDITIONS.randomization, 100, 1.0, torch.Generator().manual_seed(0))
    assert not force.any() and not torque.any()


def test_tiles_are_none_of_training_and_new_for_every_seed() -> None:
    kinds = TRAINING_TYPES.values()
    training = {request.seed for seed in (0, 1) for kind in kinds for request in tile_requests(kind, seed)}
    assert max(training) < FIRST_SEED <= min(tile_seeds(0))
    assert len({*tile_seeds(0), *tile_seeds(1), *tile_seeds(2)}) == 24
    first, second = make_cells(["rough"], [0.5], {})[0].tiles(0)[:2]
    assert not np.array_equal(first.heights, second.heights)


def test_training_families_are_walked_from_the_middle_of_tiles_with_room_and_lanes_along_x() -> None:
    tile = make_cells(["slope_up"], [0.5], {})[0].tiles(0)[0]
    room = min(tile.start) - CONDITIONS.terrain.border - CONDITIONS.randomization.start_offset * math.sqrt(2)
    assert tile.heading is None and tile.size == pytest.approx((12.0, 12.0))
    assert room > math.hypot(trial.DISTANCE, trial.LANE_HALF_WIDTH)
    lane = make_cells(["stairs_up"], [0.5], {})[0].tiles(0)[0]
    assert lane.heading == 0.0
    side = lane.size[1] / 2 - CONDITIONS.terrain.border - CONDITIONS.randomization.start_offset
    assert side > trial.LANE_HALF_WIDTH


@pytest.mark.parametrize(("name", "sign"), [("step_up", 1), ("step_down", -1)])
def test_the_edge_of_a_single_step_is_where_the_far_level_begins(name: str, sign: int) -> None:
    terrain = build_map([make_tile(name, height=0.2), make_tile(name, height=0.3)])
    surface = Surface(terrain)
    env: Any = SimpleNamespace(placement=SimpleNamespace(map=terrain, tile=torch.tensor([0, 1, 0])))
    x, y = protocol.edge(env).numpy(), terrain.tile_start_w[[0, 1, 0], 1]
    assert x - terrain.tile_start_w[[0, 1, 0], 0] == pytest.approx(LANE_FLAT - 1.5, abs=1e-5)
    rise = surface.height(np.stack([x + 0.001, y], 1)) - surface.height(np.stack([x - 0.051, y], 1))
    assert rise == pytest.approx(sign * np.array([0.2, 0.3, 0.2]), abs=1e-4)


def test_explicit_values_go_to_the_terrains_that_have_them_and_replace_difficulties() -> None:
    cells = make_cells(["flat", "rough", "step_up", "stairs_up"], [0.5, 1.0], {"height": [0.1, 0.15]})
    assert [(cell.terrain, cell.difficulty, cell.parameters.get("height")) for cell in cells] == [
        ("flat", None, None),
        ("rough", 0.5, None),
        ("rough", 1.0, None),
        ("step_up", None, 0.1),
        ("step_up", None, 0.15),
        ("stairs_up", None, 0.1),
        ("stairs_up", None, 0.15),
    ]
    assert cells[1].parameters["amplitude"] == pytest.approx(0.05)


def test_every_combination_of_explicit_values_is_a_cell() -> None:
    cells = make_cells(["stairs_up"], [0.5], {"height": [0.1, 0.15], "depth": [0.3, 0.25]})
    assert {(cell.parameters["height"], cell.parameters["depth"]) for cell in cells} == {
        (h, d) for h in (0.1, 0.15) for d in (0.3, 0.25)
    }
    partly = make_cells(["stairs_up"], [0.0, 1.0], {"depth": [0.25]})
    assert [(cell.difficulty, cell.parameters["height"]) for cell in partly] == [(0.0, 0.01), (1.0, 0.22)]


def test_batches_hold_all_episodes_within_the_limit() -> None:
    assert [batches(n) for n in (1, 600, 601, 1500)] == [[1], [600], [301, 300], [500, 500, 500]]


class Walker(ZeroAgent):
    """Swings each leg forward in its swing phase and back in its stance phase, or the other way round."""

    def __init__(self, direction: float) -> None:
        super().__init__()
        self.direction = direction

    def act(self, obs: TensorDict) -> Tensor:
        actions = super().act(obs)
        phase = layout.slices(layout.PROPRIO)["phase_cos"]
        actions[:, [5, 8, 11, 14]] = self.direction * obs["proprio"][:, phase]
        return actions


def test_the_loop_tells_walking_forward_from_walking_backward(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SECONDS", 1.5)
    monkeypatch.setattr(protocol, "PUSH_SPEED", 0.0)
    monkeypatch.setattr(protocol, "CONDITIONS", replace(CONDITIONS, randomization=randomization.NONE))
    monkeypatch.setattr(trial, "DISTANCE", 0.1)
    forward, backward = (run_batch(Walker(direction), Cell("flat"), 3, 0, 0, 1) for direction in (1.0, -1.0))
    assert forward["outcome"].tolist() == [SUCCESS] * 3 and backward["outcome"].tolist() == [TIMEOUT] * 3
    assert forward["speed"].min() > 0.08 > -0.08 > backward["speed"].max()
    assert forward["velocity_error"].max() < backward["velocity_error"].min() - 0.15
    assert forward["cost_of_transport"].min() > 0.1


class Witness(RandomAgent):
    """Remembers what it saw first, and how robots differ from each other in the end."""

    first: Tensor | None = None

    def act(self, obs: TensorDict) -> Tensor:
        if self.first is None:
            self.first = obs["proprio"].clone()
        return super().act(obs)


def test_all_agents_start_from_the_same_states_and_no_two_robots_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SECONDS", 0.04)
    witnesses = [Witness(), Witness()]
    for witness in witnesses:
        evaluate_cell(witness, Cell("flat"), 3, 7, 1)
    one, two = (witness.first for witness in witnesses)
    assert one is not None and two is not None and torch.equal(one, two)
    assert (one[0] - one[1]).abs().max() > 0.1


def test_results_depend_neither_on_threads_nor_on_what_else_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SECONDS", 0.3)
    rough = make_cells(["rough"], [1.0], {})
    policy: Any = Teacher(16).eval()
    agent = agents.TrainedAgent("x", SimpleNamespace(act=acting(policy), reset=lambda done: None, meta={"env": {}}))  # type: ignore
    alone = evaluate([agent], rough, 5, 2, 1, report=lambda row: None)
    beside = evaluate([RandomAgent(), agent], [Cell("flat"), *rough], 5, 2, 2, report=lambda row: None)
    assert beside["cells"][3] == alone["cells"][0]
    assert beside["cells"][2] == evaluate([RandomAgent()], rough, 5, 2, 1, report=lambda row: None)["cells"][0]
    assert beside["cells"][2] != beside["cells"][3]


def acting(network: Teacher) -> Any:
    return lambda obs: network(obs["proprio"], obs["extero"], obs["privileged"]).detach()


def test_a_policy_acts_through_the_gait_it_was_trained_with(tmp_path: Any) -> None:
    gait = EnvConfig().gait
    trained = EnvConfig(num_envs=3, action_limit=2.0, gait=type(gait)(residual_scale=0.5))
    write_policy(tmp_path / "policy.pt", trained)
    agent = load_agent(tmp_path)
    assert (agent.env.gait.residual_scale, agent.env.action_limit) == (0.5, 2.0)
    assert agent.env.num_envs == EnvConfig().num_envs
    assert agent.meta["hash"] and agent.name == str(tmp_path)


def test_the_pretrained_student_is_preferred_to_the_teacher(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="train a policy"):
        load_agent()
    write_policy(tmp_path / "pretrained" / "teacher.pt", EnvConfig())
    assert load_agent().name == "pretrained/teacher.pt"
    (tmp_path / "pretrained" / "student.pt").touch()
    assert agents.find_pretrained() == "pretrained/student.pt"


def test_controls_are_zero_and_repeatable_noise() -> None:
    obs = TensorDict({"proprio": torch.zeros(500, 133)}, batch_size=[500])
    assert not load_agent("zero").act(obs).any()
    noise = load_agent("random")
    noise.start(500, 4)
    first, second = noise.act(obs), noise.act(obs)
    noise.start(500, 4)
    assert torch.equal(noise.act(obs), first) and not torch.equal(first, second)
    assert first.shape == (500, 16) and first.abs().max() <= 1
    assert first.square().mean().item() == pytest.approx(1 / 3, abs=0.02)
