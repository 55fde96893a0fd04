"""Where robots stand, when they have left, and how the curriculum moves them."""

from __future__ import annotations

import math

import pytest
import torch
from placements import curriculum, fixed
from torch import Tensor
from worlds import plane_tile, state

from envs.config import EnvConfig
from envs.curriculum import CurriculumConfig, ParticleFilter
from envs.placement import CurriculumPlacement, make_placement
from envs.terrains import FAMILIES, TRAINING_TYPES, make_tile


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
    placement = curriculum(16, update_steps=100)

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

    one, other = curriculum(16, update_steps=40, seed=1), curriculum(16, update_steps=40, seed=2)
    sequence(one)
    saved = one.state_dict()
    other.load_state_dict(saved)
    other.generator.set_state(one.generator.get_state())
    assert all(torch.equal(a, b) for a, b in zip(sequence(one), sequence(other), strict=True))
    assert one.metrics() == other.metrics()


def test_everybody_stays_on_the_easiest_ground_for_the_flat_steps() -> None:
    placement = curriculum(40, initial_fraction=1.0, flat_steps=100, update_steps=10)
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


def test_flat_steps_go_on_after_resuming() -> None:
    one, other = curriculum(40, initial_fraction=1.0, flat_steps=100), curriculum(40, initial_fraction=1.0)
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
