"""Corridors, stairwells and bridges, and walls beside lanes: their shape, and robots between and on them."""

from __future__ import annotations

import math

import mujoco
import numpy as np
import pytest
import torch
from worlds import environment

from envs.curriculum import CurriculumConfig
from envs.randomization import RandomizationConfig
from envs.terrains import TRAINING_TYPES, Surface, Tile, TrainingBank, build_map, make_tile
from envs.terrains.grid import RISER_X, RISER_Y
from envs.terrains.tile import put_between_walls

PATHS = ("corridor", "stairwell", "bridge")
WILD = RandomizationConfig(start_offset=0.3)
FULL = CurriculumConfig(initial_factor=1.0)


def across(tile: Tile, x: float) -> np.ndarray:
    """Heights over y at x m from the tile's west edge, relative to those in its middle."""
    column = tile.heights[:, round(x / 0.05)]
    return column - column[len(column) // 2]


def edges(tile: Tile, x: float) -> list[float]:
    """m from the tile's south edge of every jump in the heights across the path."""
    jumps = np.flatnonzero(abs(np.diff(across(tile, x))) > 0.01)
    return [(iy + 0.5) * 0.05 for iy in jumps]


@pytest.mark.parametrize("width", [1.2, 1.25, 1.8, 2.4])
@pytest.mark.parametrize("x", [0.0, 2.0, 6.0, 11.95])
def test_a_path_has_its_width_everywhere_and_lies_in_the_middle(width: float, x: float) -> None:
    for name in PATHS:
        south, north = edges(make_tile(name, 0.8, width=width), x)
        assert north - south == pytest.approx(width)
        assert (north + south) / 2 == pytest.approx(2.5, abs=0.026)


@pytest.mark.parametrize("wall", [1.2, 2.5, 3.0])
def test_walls_are_solid_and_as_high_over_the_ground_beside_them_everywhere(wall: float) -> None:
    for tile in (make_tile("corridor", wall=wall, width=1.2), make_tile("stairwell", 1.0, wall=wall, width=1.2)):
        for x in (0.5, 4.0, 6.0, 10.0):
            assert across(tile, x)[[0, 30, 37, 62, 70, -1]] == pytest.approx([wall] * 6, abs=1e-5)
            assert across(tile, x)[[38, 50, 61]] == pytest.approx([0.0] * 3, abs=1e-5)


def test_low_walls_are_banisters_with_the_ground_going_on_behind() -> None:
    for tile in (make_tile("corridor", wall=0.8, width=1.2), make_tile("stairwell", 1.0, wall=0.8, width=1.2)):
        for x in (0.5, 4.0, 6.0, 10.0):
            raised = np.flatnonzero(across(tile, x) > 0.01)
            assert raised.tolist() == [36, 37, 62, 63]
            assert across(tile, x)[raised] == pytest.approx([0.8] * 4, abs=1e-5)


def test_a_bridge_is_level_with_its_drop_on_both_sides() -> None:
    tile = make_tile("bridge", width=1.2, drop=2.0)
    assert np.unique(tile.heights).tolist() == [-2.0, 0.0]
    assert (tile.heights[38:62] == 0.0).all() and (tile.heights[:38] == -2.0).all() and (tile.heights[62:] == -2).all()


@pytest.mark.parametrize("direction", [1, -1])
def test_a_stairwell_has_two_even_flights_from_the_start_on(direction: int) -> None:
    tile = make_tile("stairwell", height=0.17, depth=0.3, direction=direction)
    profile = tile.heights[50, 120:].astype(float)
    at = np.flatnonzero(abs(np.diff(profile)) > 1e-6)
    np.testing.assert_allclose((at + 1) * 0.05, 0.8 + 0.3 * np.arange(len(at)))
    np.testing.assert_allclose(np.diff(profile)[at], 0.17 * direction, atol=1e-6)
    np.testing.assert_array_equal(tile.heights[:, 120:], tile.heights[:, 120:0:-1])


@pytest.mark.parametrize("name", PATHS)
def test_edges_of_a_path_are_upright(name: str) -> None:
    """1 mm to either side of an edge the ground has the height of that side; a riser between cells would lean."""
    tile = make_tile(name, 1.0)
    surface, (south, north) = Surface(build_map([tile])), edges(tile, 6.0)
    low, high = (edge - tile.size[1] / 2 for edge in (south, north))
    points = [(0.0, y + side * 1e-3) for y in (low, high) for side in (-1, 1)]
    beside = 3.0 if name != "bridge" else -3.0
    np.testing.assert_allclose(surface.height(points), [beside, 0.0, 0.0, beside], atol=1e-5)


def test_walls_beside_a_lane_change_nothing_between_them() -> None:
    for name in ("stairs_up", "step_down", "stairs_open_up", "stairs_ledged_down"):
        lane = make_tile(name, 0.8)
        walled = put_between_walls(lane, 1.2, 2.5)
        assert (walled.start, walled.heading, walled.path, walled.both_ways) == (lane.start, 0.0, 1.2, False)
        assert walled.parameters == {**lane.parameters, "walls_width": 1.2, "walls_height": 2.5}
        inside = slice(38, 62)
        np.testing.assert_array_equal(walled.heights[inside], lane.heights[inside])
        np.testing.assert_array_equal(walled.risers[inside] & RISER_X, lane.risers[inside] & RISER_X)
        assert (walled.risers[[37, 61]] & RISER_Y).all() and not (walled.risers[38:61] & RISER_Y).any()
        np.testing.assert_allclose(walled.heights[:38] - lane.heights[:38], 2.5, atol=1e-5)
        if lane.floor is not None:
            assert walled.floor is not None
            np.testing.assert_array_equal(walled.floor[inside], lane.floor[inside])
            np.testing.assert_array_equal(walled.floor[:38], walled.heights[:38])  # no hollow in a wall


@pytest.mark.parametrize(("name", "width", "height", "message"), [
    ("rough", 1.2, 2.5, "beside lanes"),
    ("corridor", 1.2, 2.5, "beside lanes"),
    ("step_up", 0.6, 2.5, "within 1.2 to 4 m"),
    ("step_up", 1.2, 9.0, "within 0.2 to 5 m"),
])  # fmt: skip
def test_walls_that_cannot_stand_are_refused(name: str, width: float, height: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        put_between_walls(make_tile(name), width, height)


def test_a_tile_without_room_for_its_path_is_refused() -> None:
    with pytest.raises(ValueError, match="make it wider"):
        make_tile("corridor", width=2.4, size=(8.0, 3.0))


def tiles_of(name: str) -> list[Tile]:
    """The narrowest there are."""
    lanes = {"walled": "stairs_up", "walled_step": "step_up"}
    if name in lanes:
        return [put_between_walls(make_tile(lanes[name], 1.0), 1.2, height) for height in (0.5, 3.0)]
    return [make_tile(name, 1.0, width=1.2)]


@pytest.mark.parametrize("name", [*PATHS, "walled", "walled_step"])
def test_robots_start_on_the_path_and_touch_nothing_beside_it(name: str) -> None:
    world = environment(300, tiles_of(name), randomization=WILD, curriculum=FULL)
    model, data = world.simulation.model, mujoco.MjData(world.simulation.model)
    for row in range(world.num_envs):
        data.qpos[:] = world.simulation.qpos[row]
        mujoco.mj_kinematics(model, data)
        mujoco.mj_collision(model, data)
        assert data.ncon == 0
    soles = world.state.foot_position_w[..., 2] - 0.03
    ground = world.placement.starts[world.placement.tile, 2]
    lowest = soles.amin(-1) - ground
    assert lowest.min() > 0.02 - 1e-4
    if name != "stairwell":  # whose first steps are nearer
        torch.testing.assert_close(lowest, torch.full_like(lowest, 0.02), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", PATHS)
def test_half_of_the_robots_start_along_a_path_and_half_back(name: str) -> None:
    world = environment(400, [make_tile(name)])
    start, heading = world.placement.start(torch.arange(400))
    assert ((heading == 0) | (heading == math.pi)).all()
    assert (heading == 0).float().mean().item() == pytest.approx(0.5, abs=0.08)
    assert torch.equal(start, world.placement.starts[world.placement.tile])


def test_start_offsets_are_free_where_nothing_stands_beside_the_path() -> None:
    world = environment(
        300, [make_tile("corridor", width=2.4), make_tile("flat", size=(12.0, 5.0))], randomization=WILD
    )
    offset = world.state.base_position_w[:, :2] - world.placement.starts[world.placement.tile, :2]
    assert offset.abs().amax(0).tolist() == pytest.approx([0.3, 0.3], abs=0.01)
    narrow = environment(300, [make_tile("corridor", width=1.2)], randomization=WILD)
    offset = narrow.state.base_position_w[:, :2] - narrow.placement.starts[0, :2]
    assert offset.abs().amax(0).tolist() == pytest.approx([0.3, 0.02], abs=0.01)


@pytest.mark.parametrize(("wall", "sideways"), [(2.5, 1.0), (2.5, -1.0), (0.8, 1.0)])
def test_a_robot_pushed_against_a_wall_stays_out_of_it(wall: float, sideways: float) -> None:
    world = environment(4, [make_tile("corridor", width=1.2, wall=wall)])
    reach = 0.0
    for _ in range(60):
        world.simulation.add_velocity(torch.tensor([0.0, 0.2 * sideways]).expand(4, 2))
        world.step(torch.zeros(4, 16))
        reach = max(reach, (world.state.base_position_w[:, 1] * sideways).max().item())
        assert world.state.foot_position_w[..., 1].abs().max() < 0.625 + 0.01
    assert 0.05 < reach < 0.6, "it moved, and did not get through"


def test_robots_beside_a_drop_fall_down_it() -> None:
    world = environment(4, [make_tile("bridge", width=1.2, drop=2.0)])
    fell = torch.zeros(4, dtype=torch.bool)
    for _ in range(100):
        world.simulation.add_velocity(torch.tensor([0.0, 0.2]).expand(4, 2))
        fell |= world.step(torch.zeros(4, 16))[3]["falls"]
    assert fell.all()


def test_commands_in_training_lead_along_the_path() -> None:
    bank = TrainingBank(("corridor", "bridge"))
    assert all(tile.path == tile.parameters["width"] and tile.both_ways for tile in bank.map.tiles)
    world = environment(200, [*bank.map.tiles], episode_seconds=60.0)
    for _ in range(2):
        commands = world.commands
        assert not commands.velocity[:, 1].any()
        moves = commands.velocity[:, 0] != 0
        assert commands.holds_heading[moves].all()
        facing = world.state.heading
        torch.testing.assert_close(commands.heading.cos()[moves], facing.cos().sign()[moves], atol=1e-6, rtol=0)
        commands.resample(torch.arange(200), facing + 0.3, 1.0)  # as after ten seconds, with the body turned


def test_walls_do_not_spoil_the_resolution_of_the_bank() -> None:
    """MuJoCo keeps heights as float32 shares of their range."""
    terrain = TrainingBank().map
    span = float(np.ptp(terrain.heights))
    assert 6.0 < span < 10.0
    stored = ((terrain.heights.astype(np.float64) - terrain.heights.min()) / span).astype(np.float32)
    assert abs(stored * span + terrain.heights.min() - terrain.heights).max() < 2e-6


def test_training_has_paths_between_walls_and_beside_drops_for_few_robots() -> None:
    names = ("corridor", "stairwell_up", "stairwell_down", "bridge")
    assert list(TRAINING_TYPES)[-4:] == list(names)
    weights = {name: kind.weight for name, kind in TRAINING_TYPES.items()}
    assert sum(weights[name] for name in names) / sum(weights.values()) == pytest.approx(0.16)
    for name in names:
        assert TRAINING_TYPES[name].grid["width"][-1] == 1.2


def test_a_path_is_walked_along_x_only_where_the_family_says_so() -> None:
    assert not make_tile("flat").both_ways and make_tile("flat").path is None
    assert make_tile("stairs_up").path is None
    assert make_tile("corridor").size == pytest.approx((12.0, 5.0))
