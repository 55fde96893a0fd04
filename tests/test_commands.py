"""What robots are told to do, how it is distributed and when it changes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from envs.commands import CommandConfig, Commands
from envs.frames import wrap_angle

MANY = 20_000
DT = 0.02

FREE = {f"{kind}_probability": 0.0 for kind in ("stand", "turn", "straight")}
"""Settings in which all commands are of the free kind."""


def commands(num_envs: int = MANY, seed: int = 0, **changes: object) -> Commands:
    cfg = replace(CommandConfig(), **changes)
    return Commands(cfg, num_envs, DT, torch.Generator().manual_seed(seed))


def drawn(factor: float, **changes: object) -> Commands:
    """Commands of many robots that all look along x, as their policies first see them."""
    result = commands(**changes)
    result.resample(torch.arange(MANY), torch.zeros(MANY), factor)
    return result


@pytest.mark.parametrize(("factor", "end"), [(0.3, 0), (1.0, 1)])
def test_ranges_are_filled_evenly_from_their_start_to_their_end(factor: float, end: int) -> None:
    c = drawn(factor, **FREE, heading_probability=0.0)
    reach = torch.tensor([c.cfg.forward[end], c.cfg.lateral[end], c.cfg.yaw_rate[end]])
    assert (c.velocity.abs() <= reach).all()
    assert_close(c.velocity.abs().amax(0), reach, rtol=0.01, atol=0)
    assert_close(c.velocity.std(0), reach / 3**0.5, rtol=0.03, atol=0)
    assert (c.velocity.mean(0).abs() < 0.03 * reach).all()


def test_halfway_through_the_curriculum_the_ranges_are_halfway() -> None:
    c = drawn((0.3 + 1.0) / 2, forward=(1.0, 2.0), **FREE)
    assert c.velocity[:, 0].abs().max().item() == pytest.approx(1.5, rel=0.01)


def test_at_the_end_commands_reach_what_the_robot_of_the_paper_did() -> None:
    reach = drawn(1.0).velocity.abs().amax(0)
    assert reach[0] >= 1.2
    assert reach[2] >= 2.9
    assert drawn(1.0).velocity[:, :2].norm(dim=-1).max() >= 1.2


def test_a_share_of_robots_stands_and_a_share_turns_on_the_spot() -> None:
    c = drawn(1.0, stand_probability=0.1, turn_probability=0.2)
    stands = (c.velocity == 0).all(-1)
    turns = (c.velocity[:, :2] == 0).all(-1) & (c.velocity[:, 2] != 0)
    assert stands.float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert turns.float().mean().item() == pytest.approx(0.2, abs=0.01)
    assert not (c.holds_heading & (stands | turns)).any()
    c.step(torch.rand(MANY), 1.0)
    assert (c.velocity[stands] == 0).all()


def test_a_share_of_robots_walks_straight_ahead_wherever_it_looks() -> None:
    c, yaw = commands(straight_probability=0.3), torch.linspace(-3.0, 3.0, MANY)
    c.resample(torch.arange(MANY), yaw, 1.0)
    straight = c.holds_heading & (c.heading == yaw)
    assert straight.float().mean().item() == pytest.approx(0.3, abs=0.01)
    forward, sideways = c.velocity[straight, 0], c.velocity[straight, 1]
    assert forward.min() >= 0 and forward.mean().item() == pytest.approx(c.cfg.forward[1] / 2, rel=0.03)
    assert not sideways.any()
    c.step(yaw, 1.0)
    assert not c.velocity[straight, 2].any()


def test_a_share_of_the_moving_robots_holds_a_heading_anywhere_around() -> None:
    c = drawn(1.0, heading_probability=0.25, straight_probability=0.0)
    moving = (c.velocity[:, :2] != 0).any(-1)
    assert c.holds_heading[moving].float().mean().item() == pytest.approx(0.25, abs=0.01)
    headings = c.heading[c.holds_heading]
    assert headings.abs().max() <= torch.pi
    assert headings.std().item() == pytest.approx(torch.pi / 3**0.5, rel=0.03)


@pytest.mark.parametrize(
    ("heading", "yaw", "rate"), [(0.5, 0.0, 0.5), (-0.2, 0.1, -0.3), (3.0, -3.0, -0.283), (3.0, 0.0, 1.0)]
)
def test_a_held_heading_turns_the_short_way_towards_it_at_a_bounded_rate(
    heading: float, yaw: float, rate: float
) -> None:
    c = commands(1, heading_gain=1.0)
    c.holds_heading[:], c.heading[:], c.steps_left[:] = True, heading, 100
    c.step(torch.tensor([yaw]), 1.0)
    assert c.velocity[0, 2].item() == pytest.approx(rate, abs=1e-3)


def test_robots_that_follow_their_commands_end_up_at_their_heading() -> None:
    c = drawn(1.0, heading_probability=1.0, **FREE, resample_seconds=1e3)
    yaw = torch.zeros(MANY)
    for _ in range(500):
        c.step(yaw, 1.0)
        yaw = yaw + DT * c.velocity[:, 2]
    assert wrap_angle(yaw - c.heading).abs().max() < 0.01


def test_a_robot_without_heading_keeps_its_yaw_rate() -> None:
    c = drawn(1.0, heading_probability=0.0, straight_probability=0.0)
    before = c.velocity.clone()
    c.step(torch.rand(MANY), 1.0)
    assert torch.equal(c.velocity, before)


def changes_of(c: Commands, steps: int) -> list[int]:
    """After how many policy steps the command of the only robot changes, in an environment's order of calls."""
    c.resample(torch.tensor([0]), torch.zeros(1), 1.0)
    c.step(torch.zeros(1), 1.0)
    changed, before = [], c.velocity.clone()
    for step in range(1, steps + 1):
        c.step(torch.zeros(1), 1.0)
        if not torch.equal(c.velocity, before):
            changed.append(step)
            before = c.velocity.clone()
    return changed


def test_a_command_lasts_for_its_period() -> None:
    c = commands(1, resample_seconds=0.1, heading_probability=0.0, **FREE)
    assert changes_of(c, 16) == [5, 10, 15]


def test_rows_are_resampled_alone() -> None:
    c = drawn(1.0)
    before, rows = c.velocity.clone(), torch.tensor([3, 77])
    c.resample(rows, torch.zeros(2), 1.0)
    others = torch.ones(MANY, dtype=torch.bool)
    others[rows] = False
    assert torch.equal(c.velocity[others], before[others])
    assert not torch.equal(c.velocity[rows], before[rows])
    c.resample(torch.tensor([], dtype=torch.long), torch.zeros(0), 1.0)


def test_a_fixed_command_holds_the_start_heading_for_ever() -> None:
    c = commands(3, fixed=(0.7, 0.0, 0.0), resample_seconds=0.1)
    yaw = torch.tensor([0.0, 1.0, -2.0])
    c.resample(torch.arange(3), yaw, 0.3)
    for _ in range(20):
        c.step(yaw, 1.0)
    assert_close(c.velocity, torch.tensor([0.7, 0, 0]).expand(3, 3))
    c.step(yaw + 0.2, 1.0)
    assert_close(c.velocity[:, 2], torch.full((3,), -0.2))


@pytest.mark.parametrize("fixed", [(0.0, 0.0, 0.0), (0.0, 0.0, -0.4), (0.3, 0.1, 0.4)])
def test_a_fixed_command_with_yaw_rate_or_without_any_is_kept_as_it_is(fixed: tuple[float, float, float]) -> None:
    c = commands(2, fixed=fixed)
    c.resample(torch.arange(2), torch.zeros(2), 1.0)
    c.step(torch.tensor([1.0, -1.0]), 1.0)
    assert_close(c.velocity, torch.tensor(fixed).expand(2, 3))


def test_restored_commands_go_on_the_same() -> None:
    def sequence(c: Commands) -> list[Tensor]:
        generator = torch.Generator().manual_seed(5)
        velocities = []
        for _ in range(12):
            c.step(torch.rand(8, generator=generator), 0.7)
            velocities.append(c.velocity.clone())
        return velocities

    one, other = (commands(8, seed, resample_seconds=0.1) for seed in (1, 2))
    one.resample(torch.arange(8), torch.zeros(8), 0.7)
    sequence(one)
    other.load_state_dict(one.state_dict())
    other.generator.set_state(one.generator.get_state())
    assert all(torch.equal(a, b) for a, b in zip(sequence(one), sequence(other), strict=True))


def test_commands_on_a_path_lead_ahead_or_back_along_it_and_hold_its_heading() -> None:
    c, path = commands(), torch.where(torch.arange(MANY) % 2 == 0, 0.0, torch.pi)
    c.follow(torch.arange(MANY), path)
    c.resample(torch.arange(MANY), path + 0.3, 1.0)
    moves = c.velocity[:, 0] != 0
    assert not c.velocity[:, 1:].any()
    assert c.holds_heading[moves].all() and torch.equal(c.heading[moves], path[moves])
    assert moves.float().mean().item() == pytest.approx(1 - c.cfg.stand_probability, abs=0.01)
    free = 1 - c.cfg.stand_probability - c.cfg.turn_probability - c.cfg.straight_probability
    assert (c.velocity[:, 0] < 0).float().mean().item() == pytest.approx(free / 2, abs=0.01)
    c.step(path + 0.3, 1.0)
    assert_close(c.velocity[moves, 2], torch.full((int(moves.sum()),), -0.3), atol=1e-5, rtol=0)


def test_a_path_of_some_robots_changes_no_other_commands() -> None:
    one, other, rows = commands(), commands(), torch.arange(0, MANY, 3)
    other.follow(rows, torch.zeros(len(rows)))
    for c in (one, other):
        c.resample(torch.arange(MANY), torch.zeros(MANY), 1.0)
    free = torch.arange(MANY) % 3 != 0
    assert torch.equal(one.velocity[free], other.velocity[free]) and torch.equal(one.heading[free], other.heading[free])
    other.follow(rows, torch.full((len(rows),), torch.nan))
    assert other.path.isnan().all()
