"""Where robots stand, when they have left, and what the curriculum learns from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from worlds import plane_tile, state

from envs.config import EnvConfig, TerrainConfig
from envs.curriculum import CurriculumConfig, ParticleFilter
from envs.placement import CurriculumPlacement, Placement, make_placement
from envs.state import State
from envs.terrains import FAMILIES, TRAINING_TYPES, Tile, make_tile

SLOPES = TerrainConfig(types=("flat", "slope_up"), tile_size=5.0)
SECONDS = 4.0  # of an episode
DT = 0.1


def curriculum(num_envs: int = 1, seed: int = 0, **changes: Any) -> CurriculumPlacement:
    cfg = EnvConfig(num_envs=num_envs, terrain=SLOPES, curriculum=replace(CurriculumConfig(), **changes))
    placement = make_placement(cfg, None, torch.Generator().manual_seed(seed))
    assert isinstance(placement, CurriculumPlacement)
    placement.start(torch.arange(num_envs))
    return placement


def fixed(*tiles: Tile, num_envs: int = 4) -> Placement:
    return make_placement(EnvConfig(num_envs=num_envs), tiles, torch.Generator().manual_seed(0))


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


def test_robot_i_stands_on_tile_i_modulo_their_number() -> None:
    placement = fixed(plane_tile(), plane_tile((0.1, 0.0)), num_envs=5)
    assert placement.tile.tolist() == [0, 1, 0, 1, 0]
    start, _ = placement.start(torch.tensor([1, 2]))
    assert torch.equal(start, torch.from_numpy(placement.map.tile_start_w[[1, 0]]))


def test_lanes_are_walked_along_x_and_other_tiles_in_any_direction() -> None:
    lanes = fixed(make_tile("step_up", 0.5), num_envs=100)
    assert lanes.start(torch.arange(100))[1].abs().max() == 0
    headings = fixed(plane_tile(), num_envs=1000).start(torch.arange(1000))[1]
    assert headings.abs().max() <= math.pi
    assert headings.std().item() == pytest.approx(math.pi / 3**0.5, rel=0.1)


def test_a_robot_has_left_when_it_crosses_the_border_of_its_own_tile() -> None:
    placement = fixed(plane_tile(side=4.0), plane_tile(side=4.0), num_envs=2)  # side by side along x or y
    border = placement.cfg.terrain.border
    centre = placement.starts[:, :2]
    for axis in (0, 1):
        for sign in (-1, 1):
            for beyond, left in ((-0.01, False), (0.01, True)):
                position = torch.zeros(2, 3)
                position[:, :2] = centre
                position[:, axis] += sign * (2.0 - border + beyond)
                assert placement.left(position).tolist() == [left, left], (axis, sign)
    swapped = torch.cat([centre.flip(0), torch.zeros(2, 1)], dim=-1)
    assert placement.left(swapped).all()


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


def test_robots_keep_their_type_and_stand_on_a_tile_of_their_cell() -> None:
    placement = curriculum(20)
    for _ in range(5):
        placement.start(torch.arange(20))
        placement.filter.update(placement.generator)
        for row in range(20):
            tile = placement.map.tiles[int(placement.tile[row])]
            assert tile.family == ("flat", "slope_up")[row % 2]
    levels = placement.bank.types[1].grid["slope"]
    for row in range(1, 20, 2):
        tile = placement.map.tiles[int(placement.tile[row])]
        assert tile.parameters["slope"] == levels[int(placement.cell[row])]


def test_the_filter_moves_on_when_its_samples_are_through() -> None:
    placement = curriculum(16, update_samples=100)

    def cells() -> Tensor:
        return placement.filter.state_dict()["cells"]

    before = cells()
    placement.advance(60)
    assert torch.equal(cells(), before)
    placement.advance(60)
    assert not torch.equal(cells(), before)
    after = cells()
    placement.advance(79)
    assert torch.equal(cells(), after)
    placement.advance(1)
    assert not torch.equal(cells(), after)


def test_a_restored_curriculum_goes_on_the_same() -> None:
    def sequence(placement: CurriculumPlacement) -> list[Tensor]:
        tiles = []
        for _ in range(6):
            placement.observe(state(16, command=[1.0, 0, 0], linear_velocity_b=[0.5, 0, 0]))
            rows = torch.arange(0, 16, 3)
            placement.finish(rows, rows % 2 == 0)
            placement.advance(16)
            placement.start(rows)
            tiles.append(placement.tile.clone())
        return tiles

    one, other = curriculum(16, update_samples=40, seed=1), curriculum(16, update_samples=40, seed=2)
    sequence(one)
    saved = one.state_dict()
    other.load_state_dict(saved)
    other.generator.set_state(one.generator.get_state())
    assert all(torch.equal(a, b) for a, b in zip(sequence(one), sequence(other), strict=True))
    assert one.metrics() == other.metrics()


def test_everybody_stays_on_the_easiest_ground_for_the_flat_samples() -> None:
    placement = curriculum(40, initial_fraction=1.0, flat_samples=100, update_samples=10)
    start = placement.filter.cells.clone()
    for _ in range(2):
        placement.start(torch.arange(40))
        assert not placement.cell.any()
        placement.advance(50)
    assert torch.equal(placement.filter.cells, start)
    placement.start(torch.arange(40))
    assert placement.cell.any()
    placement.advance(10)
    assert not torch.equal(placement.filter.cells, start)


def test_flat_samples_go_on_after_resuming() -> None:
    one, other = curriculum(40, initial_fraction=1.0, flat_samples=100), curriculum(40, initial_fraction=1.0)
    one.advance(60)
    other.load_state_dict(one.state_dict())
    other.start(torch.arange(40))
    assert not other.cell.any()
    other.advance(40)
    other.start(torch.arange(40))
    assert other.cell.any()


def test_what_one_curriculum_has_learnt_another_takes_over_if_it_fits() -> None:
    one, other = curriculum(seed=1, initial_fraction=1.0), curriculum(seed=2)
    assert other.import_state(one.export_state()) and torch.equal(other.filter.cells, one.filter.cells)
    other.steps += 1
    assert other.import_state(one.export_state()) and not other.steps.any()
    assert not curriculum(particles=3).import_state(one.export_state()) and not other.import_state({})


def test_curriculum_of_before_paths_is_taken_over_and_paths_start_easy() -> None:
    """Its file names no types: they are the first of those of today."""
    old_types = tuple(name for name, kind in TRAINING_TYPES.items() if not FAMILIES[kind.family].path)
    shapes = [TRAINING_TYPES[name].shape for name in old_types]
    old = ParticleFilter(old_types, shapes, CurriculumConfig(initial_fraction=1.0), torch.Generator().manual_seed(1))
    learnt = old.export_state()
    del learnt["names"]
    cfg = EnvConfig(num_envs=len(TRAINING_TYPES), threads=1)
    placement = make_placement(cfg, None, torch.Generator().manual_seed(0))
    assert isinstance(placement, CurriculumPlacement) and placement.import_state(learnt)
    assert torch.equal(placement.filter.cells[: len(old_types), :, :2], old.cells)
    assert not placement.filter.cells[len(old_types) :].any()
    placement.start(torch.arange(cfg.num_envs))
    for row in range(len(old_types), len(TRAINING_TYPES)):
        tile = placement.map.tiles[int(placement.tile[row])]
        assert tile.path == max(TRAINING_TYPES[list(TRAINING_TYPES)[row]].grid["width"])


def test_what_one_curriculum_has_learnt_is_nothing_for_fixed_tiles() -> None:
    one = curriculum(seed=1)
    assert not fixed(plane_tile()).import_state(one.export_state()) and fixed(plane_tile()).export_state() == {}
