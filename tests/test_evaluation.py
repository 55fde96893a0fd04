from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from tensordict import TensorDict
from torch import Tensor

from agents.config import TEACHER_GROUPS
from anymal_policy import layout
from anymal_policy.teacher import Teacher
from envs import randomization
from envs.curriculum import curriculum_factor
from envs.terrains import Surface, build_map, make_tile
from envs.terrains.stairs import LANE_FLAT
from envs.terrains.tile import put_between_walls
from evaluation import agents, conditions, trial
from evaluation.agents import RandomAgent, ZeroAgent
from evaluation.cells import Cell, make_cells
from evaluation.conditions import CONDITIONS, Crowd, Pushes
from evaluation.protocol import batches, evaluate, evaluate_cells, run_batch
from evaluation.trial import SUCCESS, TIMEOUT


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


@pytest.mark.parametrize("dt", [0.016, 0.02, 0.024])
def test_there_is_a_push_for_every_step_at_any_rate(dt: float) -> None:
    pushes = Pushes(100, dt, 0)
    pushed = torch.stack([pushes.at(step).any(-1) for step in range(round(10 / dt))])
    assert pushed.sum(0).min() >= 1 and pushed.sum(0).max() <= 3


@pytest.mark.parametrize(("name", "sign"), [("step_up", 1), ("step_down", -1)])
def test_the_edge_of_a_single_step_is_where_the_far_level_begins(name: str, sign: int) -> None:
    terrain = build_map([make_tile(name, height=0.2), make_tile(name, height=0.3)])
    surface = Surface(terrain)
    env: Any = SimpleNamespace(placement=SimpleNamespace(map=terrain, tile=torch.tensor([0, 1, 0])))
    x, y = conditions.edge(env).numpy(), terrain.tile_start_w[[0, 1, 0], 1]
    assert x - terrain.tile_start_w[[0, 1, 0], 0] == pytest.approx(LANE_FLAT - 1.5, abs=1e-5)
    rise = surface.height(np.stack([x + 0.001, y], 1)) - surface.height(np.stack([x - 0.051, y], 1))
    assert rise == pytest.approx(sign * np.array([0.2, 0.3, 0.2]), abs=1e-4)


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
    monkeypatch.setattr(conditions, "SECONDS", 1.5)
    monkeypatch.setattr(conditions, "PUSH_SPEED", 0.0)
    monkeypatch.setattr(conditions, "CONDITIONS", replace(CONDITIONS, randomization=randomization.NONE))
    monkeypatch.setattr(trial, "DISTANCE", 0.1)
    forward, backward = (run_batch(Walker(direction), [Cell("flat")], None, Crowd(3)) for direction in (1.0, -1.0))
    assert forward["outcome"].tolist() == [SUCCESS] * 3 and backward["outcome"].tolist() == [TIMEOUT] * 3
    assert forward["speed"].min() > 0.03 > -0.03 > backward["speed"].max()
    assert forward["velocity_error"].max() < backward["velocity_error"].min() - 0.05
    assert forward["cost_of_transport"].min() > 0.1


class Witness(RandomAgent):
    """Remembers what it saw first, and how robots differ from each other in the end."""

    first: Tensor | None = None

    def act(self, obs: TensorDict) -> Tensor:
        if self.first is None:
            self.first = obs["proprio"].clone()
        return super().act(obs)


def test_all_agents_start_from_the_same_states_and_no_two_robots_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.04)
    witnesses = [Witness(), Witness()]
    for witness in witnesses:
        evaluate_cells(witness, [Cell("flat")], None, Crowd(3, 7))
    one, two = (witness.first for witness in witnesses)
    assert one is not None and two is not None and torch.equal(one, two)
    assert (one[0] - one[1]).abs().max() > 0.1


def test_results_depend_neither_on_threads_nor_on_what_else_is_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "SECONDS", 0.3)
    rough = make_cells(["rough"], [1.0], {})
    policy: Any = Teacher(16).eval()
    agent = agents.TrainedAgent("x", acting(policy))
    alone = evaluate([agent], rough, ("none",), Crowd(5, 2), lambda row: None)
    grounds, more = [Cell("flat"), *rough], Crowd(5, 2, threads=2)
    beside = evaluate([RandomAgent(), agent], grounds, ("none",), more, lambda row: None)
    assert beside["cells"][3] == alone["cells"][0]
    assert beside["cells"][2] == evaluate([RandomAgent()], rough, ("none",), Crowd(5, 2), lambda row: None)["cells"][0]
    assert beside["cells"][2] != beside["cells"][3]


def acting(network: Teacher) -> Any:
    def act(obs: TensorDict) -> Tensor:
        return network(obs["proprio"], obs["extero"], obs["privileged"]).detach()

    return SimpleNamespace(act=act, reset=lambda done: None, meta={"env": {}}, groups=TEACHER_GROUPS)


def test_lanes_are_as_wide_as_the_path_between_walls_or_drops_but_no_wider_than_ever() -> None:
    for width, expected in ((1.2, 0.6), (4.0, 1.5)):
        tiles = [put_between_walls(make_tile("step_up"), width, 2.5)]
        env = conditions.environment(ZeroAgent(), tiles, None, Crowd(2))
        assert conditions.half_width(env).tolist() == pytest.approx([expected] * 2)
        assert env.state.heading.abs().max() < 0.1
        assert (env.commands.velocity[:, :2] == torch.tensor([0.7, 0.0])).all()
    open_lane = conditions.environment(ZeroAgent(), [make_tile("step_up")], None, Crowd(2))
    assert conditions.half_width(open_lane).tolist() == [1.5, 1.5]
