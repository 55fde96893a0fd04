from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tensordict import TensorDict

from anymal_policy import layout
from anymal_policy.normalizer import Normalizer
from evaluation import protocol
from evaluation.agents import ZeroAgent
from evaluation.cells import first_tile_seed, make_cells
from evaluation.conditions import Crowd
from evaluation.protocol import evaluate_cells, groups
from evaluation.reconstruction import FRICTION, reconstruct
from evaluation.rollout import Step, roll_out


class FakeEnv:
    """Two robots whose observation and state are the number of the step; robot 0's episode ends in step 1."""

    num_envs = 2

    def __init__(self) -> None:
        self.number, self.closed = 0, False
        self.state: Any = SimpleNamespace(number=0)

    def get_observations(self) -> TensorDict:
        return TensorDict({"proprio": torch.full((2, 1), float(self.number))}, [2])

    def step(self, action: torch.Tensor) -> Any:
        done = torch.tensor([self.number == 1, False])
        self.number += 1
        self.state = SimpleNamespace(number=self.number)
        return self.get_observations(), None, done, {"falls": done}

    def close(self) -> None:
        self.closed = True


class Notes:
    """Keeps all steps, and learns until `enough` of them."""

    def __init__(self, enough: int) -> None:
        self.steps: list[Step] = []
        self.enough = enough

    @property
    def running(self) -> torch.Tensor:
        return torch.tensor([len(self.steps) < self.enough])

    def observe(self, step: Step) -> None:
        self.steps.append(step)


def test_a_step_holds_the_state_of_its_observation_and_the_one_it_led_to() -> None:
    env, notes, told = FakeEnv(), Notes(9), []
    roll_out(env, ZeroAgent(), 0, 4, [lambda _, number: told.append(number)], [notes])  # type: ignore
    seen = [(step.obs["proprio"][0].item(), step.before.number, step.state.number) for step in notes.steps]  # type: ignore
    assert seen == [(0, 0, 1), (1, 1, 2), (2, 2, 3), (3, 3, 4)]
    assert told == [0, 1, 2, 3] and env.closed


def test_the_step_that_ends_an_episode_is_its_last_one() -> None:
    notes = Notes(9)
    roll_out(FakeEnv(), ZeroAgent(), 0, 4, [], [notes])  # type: ignore
    assert [step.first.tolist() for step in notes.steps] == [[True, True]] * 2 + [[False, True]] * 2


def test_it_ends_when_nobody_learns_any_more() -> None:
    short, long = Notes(1), Notes(3)
    roll_out(FakeEnv(), ZeroAgent(), 0, 9, [], [short, long])  # type: ignore
    assert len(long.steps) == 3


def test_cells_side_by_side_have_the_robots_and_the_tiles_that_they_have_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where tiles differ by their seeds, no two robots on a cell share one."""
    cells = make_cells(["rough"], [0.0], {"amplitude": [0.1, 0.2, 0.3]})
    stood: list[tuple[float, int]] = []

    def look(env: Any, *_: Any) -> None:
        tiles = [env.placement.map.tiles[number] for number in env.placement.tile]
        stood.extend((tile.parameters["amplitude"], tile.seed) for tile in tiles)

    monkeypatch.setattr(protocol, "roll_out", look)
    rows = evaluate_cells(ZeroAgent(), cells, None, Crowd(10, 4))
    assert [(row["parameters"]["amplitude"], row["episodes"]) for row in rows] == [(0.1, 10), (0.2, 10), (0.3, 10)]
    for number, height in enumerate((0.1, 0.2, 0.3)):
        assert stood[number::3] == [(height, first_tile_seed(4) + episode) for episode in range(10)]


def test_each_row_is_of_its_own_cells_robots(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("outcome", "velocity_error", "yaw_rate_error", "speed", "cost_of_transport")

    def numbered(agent: Any, group: Any, noise: Any, crowd: Crowd) -> dict[str, torch.Tensor]:
        return {name: torch.arange(crowd.robots).float() % len(group) for name in names}

    monkeypatch.setattr(protocol, "MAX_ROBOTS", 8)
    cells = make_cells(["step_up"], [0.0], {"height": [0.1, 0.2, 0.3]})
    rows = evaluate_cells(ZeroAgent(), cells, None, Crowd(4), numbered)  # groups of two and one
    assert [row["velocity_error"] for row in rows] == [0.0, 1.0, 0.0]
    assert [row["success"] for row in rows] == [1.0, 0.0, 1.0]


def test_groups_fill_the_memory_and_hold_at_least_one() -> None:
    assert [len(group) for group in groups(range(81), 50)] == [12] * 6 + [9]
    assert [len(group) for group in groups(range(3), 601)] == [1, 1, 1]


def test_a_reconstruction_is_in_the_units_of_the_observations() -> None:
    normalizer = Normalizer(391)
    normalizer.mean[:] = torch.arange(391.0)
    normalizer.var[:] = (torch.arange(391.0) + 1).square()
    truth = torch.cat([torch.zeros(2, 133), torch.randn(2, 258, generator=torch.Generator().manual_seed(0))], dim=-1)
    _, heights, privileged = normalizer(truth).split((133, 208, 50), dim=-1)
    network = SimpleNamespace(decoder=True)
    student: Any = SimpleNamespace(
        places=layout.group_places(),
        normalizer=normalizer,
        network=network,
        output=SimpleNamespace(heights=heights, privileged=privileged),
    )
    result = reconstruct(student)
    assert result is not None
    assert torch.allclose(result.heights, truth[:, 133:341].reshape(2, 4, 52), atol=1e-3)
    assert torch.allclose(result.friction, truth[:, 341:][:, FRICTION], atol=1e-3)
    network.decoder = None
    assert reconstruct(student) is None
