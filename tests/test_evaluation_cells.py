from __future__ import annotations

import math

import numpy as np
import pytest

from envs.terrains import TRAINING_TYPES
from envs.terrains.bank import tile_requests
from evaluation import trial
from evaluation.cells import first_tile_seed, make_cells
from evaluation.conditions import CONDITIONS


def test_tiles_are_none_of_training_and_new_for_every_seed() -> None:
    kinds = TRAINING_TYPES.values()
    training = {request.seed for seed in (0, 1) for kind in kinds for request in tile_requests(kind, seed)}
    assert max(training) < first_tile_seed(0) < first_tile_seed(1)


def test_no_two_episodes_share_a_tile_where_tiles_differ() -> None:
    (rough,), (stairs,) = (make_cells([name], [0.5], {}) for name in ("rough", "stairs_up"))
    tiles = [tile for seed, batch in ((0, 0), (0, 1), (1, 0)) for tile in rough.tiles(seed, batch, 3)]
    assert len({tile.seed for tile in tiles}) == len({tile.heights.tobytes() for tile in tiles}) == 9
    assert len(stairs.tiles(0, 0, 3)) == 1


def test_training_families_are_walked_from_the_middle_of_tiles_with_room_and_lanes_along_x() -> None:
    tile = make_cells(["slope_up"], [0.5], {})[0].tiles(0)[0]
    room = min(tile.start) - CONDITIONS.terrain.border - CONDITIONS.randomization.start_offset * math.sqrt(2)
    assert tile.heading is None and tile.size == pytest.approx((12.0, 12.0))
    assert room > math.hypot(trial.DISTANCE, trial.LANE_HALF_WIDTH)
    lane = make_cells(["stairs_up"], [0.5], {})[0].tiles(0)[0]
    assert lane.heading == 0.0
    side = lane.size[1] / 2 - CONDITIONS.terrain.border - CONDITIONS.randomization.start_offset
    assert side > trial.LANE_HALF_WIDTH


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


def test_walls_stand_beside_every_tile_of_a_lane_and_in_its_description() -> None:
    (cell,) = make_cells(["stairs_up"], [0.5], {"height": [0.17]}, walls=(1.2, 2.5))
    assert cell.description()["parameters"] == {
        "height": 0.17,
        "depth": 0.3,
        "walls_width": 1.2,
        "walls_height": 2.5,
    }
    for tile in cell.tiles(0):
        np.testing.assert_allclose(tile.heights[:38] - tile.heights[50], 2.5, atol=1e-5)
    for terrains in (["stairs_up", "rough"], ["course.npy"]):
        with pytest.raises(ValueError, match="beside lanes"):
            make_cells(terrains, [0.5], {}, walls=(1.2, 2.5))


def test_paths_are_walked_both_ways_from_their_middle_with_room_for_the_distance() -> None:
    for name in ("corridor", "stairwell", "bridge"):
        tile = make_cells([name], [0.5], {})[0].tiles(0)[0]
        assert tile.both_ways and tile.heading == 0.0
        room = tile.size[0] / 2 - CONDITIONS.terrain.border - CONDITIONS.randomization.start_offset
        assert room > trial.DISTANCE
