"""Where an elevation map lies, and moves."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from depth_scenes import CELL, EYE, line, look, mapped
from numpy.typing import NDArray

from mapping import ElevationMap, MapConfig
from mapping.config import MOST_CELLS


def test_moving_keeps_what_stays_in_the_window_and_forgets_the_rest() -> None:
    elevation = ElevationMap(MapConfig(size=2.0, drift=0.0))
    spots = np.array([[0.5, 0.3], [-0.7, -0.2]])
    elevation.integrate(np.column_stack([spots, [0.1, 0.2]]), [0.0, 0.0, 0.6], 1e-4)
    elevation.move([0.6, 0.0])
    assert elevation.height(spots)[0] == pytest.approx(0.1) and np.isnan(elevation.height(spots)[1])
    elevation.move([0.0, 0.0])
    assert elevation.height(spots)[0] == pytest.approx(0.1) and np.isnan(elevation.height(spots)[1])
    assert np.isfinite(elevation.heights).sum() == 1
    elevation.move([-50.0, 70.0])
    assert np.isnan(elevation.heights).all()


def test_a_map_far_from_the_origin_is_the_same_map() -> None:
    near, there = mapped(look([((1.0, -9.0, 0.0), (9.0, 9.0, 0.2))])), np.array([-1000.0, 2000.0, 0.0])
    far = mapped(look([((1.0, -9.0, 0.0), (9.0, 9.0, 0.2))]) + there, EYE + there)
    assert far.grid()[0] == pytest.approx(near.grid()[0], abs=1e-6, nan_ok=True)
    points = line(0.7, 1.3)
    assert far.height(points + there[:2]) == pytest.approx(near.height(points), abs=1e-4, nan_ok=True)


def test_the_grid_lies_where_the_cells_are() -> None:
    elevation = ElevationMap(MapConfig(size=2.0))
    elevation.move([0.37, -0.5])
    elevation.integrate([[0.9, -0.2, 0.3]], [0.37, -0.5, 0.6], 1e-4)
    heights, corner = elevation.grid()
    (row,), (column,) = np.nonzero(np.isfinite(heights))
    assert corner + (np.array([column, row]) + 0.5) * CELL == pytest.approx([0.9, -0.2], abs=CELL / 2 + 1e-9)
    assert corner + 1.0 == pytest.approx([0.37, -0.5], abs=CELL / 2 + 1e-9)


def test_senseless_requests_are_refused() -> None:
    elevation = ElevationMap()
    for place, heading in (([np.nan, 0.0], 0.0), ([0.0, 1e12], 0.0), ([0.0, 0.0], np.inf)):
        with pytest.raises(ValueError, match="A robot is not at"):
            elevation.move(place, heading)
    with pytest.raises(ValueError, match="A cloud is points"):
        elevation.integrate([1.0, 2.0, 3.0], EYE, 1.0)


@pytest.mark.parametrize("points", [np.zeros((4, 1)), np.zeros((4, 3)), np.zeros(2), np.zeros((1, 4, 2))])
def test_heights_are_of_points_in_the_plane(points: NDArray) -> None:
    """Machine code would read what lies behind such an array."""
    with pytest.raises(ValueError, match=r"heights are asked for are \(k, 2\), not \("):
        ElevationMap().height(points)


def test_holes_are_filled_across_the_whole_map_at_most() -> None:
    elevation, points = mapped(look([])), line(0.7, 2.0)
    np.testing.assert_array_equal(elevation.height(points, fill=np.inf), elevation.height(points, fill=8.0))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"size": 0.0}, "cells a side"),
        ({"size": math.inf}, "cells a side"),
        ({"size": 1e300, "resolution": 1e-300}, "cells a side"),
        ({"resolution": 1e-9}, "cells a side"),
        ({"least_variance": 0.0}, "variances are above 0"),
        ({"ray_stride": 0}, "1 or more"),
        ({"correction": 2.0}, "fraction of correction 0 to 1"),
        *(({each.name: math.nan}, f"A map's {each.name} is nan") for each in fields(MapConfig)),
    ],
)
def test_what_makes_no_map_is_refused_in_one_sentence(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        MapConfig(**wrong)


@pytest.mark.parametrize("cells", [4, MOST_CELLS])
def test_the_smallest_and_the_largest_map_can_be_made(cells: int) -> None:
    assert MapConfig(size=0.04 * cells).cells == cells


def test_reset_forgets() -> None:
    elevation = mapped(look([]))
    elevation.reset()
    assert np.isnan(elevation.heights).all() and elevation.pose is None
