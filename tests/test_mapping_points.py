"""Points before they go into an elevation map: their errors, which are the robot's own, which are no ground."""

from __future__ import annotations

import numpy as np
import pytest
from depth_scenes import EYE, STILL, line, look, mapped

from mapping import ElevationMap, PointErrors, outside, point_variance


def test_what_is_no_ground_is_survived() -> None:
    elevation, sane = mapped(look([])), mapped(look([]))
    for odd in (
        np.empty((0, 3)),
        np.full((5, 3), np.nan),
        [[1.0, 0.0, np.inf], [1.0, 0.0, -np.inf], [np.inf, 0.0, 0.0], [1.0, np.nan, 0.0]],
        [[1e300, -1e300, 0.0], [1.0, 0.0, 1e300], [1e18, 1.0, 1.0]],
        [[1.0, 0.0, 2.5]],  # a ceiling
        [EYE, EYE],  # no distance at all
    ):
        points = np.asarray(odd, np.float64).reshape(-1, 3)
        elevation.integrate(points, EYE, point_variance(points, EYE))
    elevation.integrate([[1.0, 0.0, 0.5]], [np.nan, 0.0, 0.0], 1e-4)
    for bad in (np.nan, 0.0, -1.0, np.inf):
        elevation.integrate([[1.0, 0.0, 0.5]], EYE, bad)
    below = np.zeros(2) + EYE[:2]
    elevation.heights[elevation.heights > 0.5] = np.nan  # the points at the eye itself
    assert elevation.height(line(0.7, 2.0)) == pytest.approx(sane.height(line(0.7, 2.0)), abs=1e-6, nan_ok=True)
    assert np.isnan(elevation.height(np.array([below, [np.nan, 0.0], [1e300, 0.0]]))).all()


def test_points_behind_the_sensor_are_points() -> None:
    elevation = ElevationMap(STILL)
    elevation.integrate([[-1.0, 0.0, 0.1]], EYE, 1e-4)
    assert elevation.height(np.array([[-1.0, 0.0]])) == pytest.approx(0.1)


def test_the_robots_own_points_are_told_from_others() -> None:
    leg = [[0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.1]]
    points = [[0.14, 0.0, 0.5], [0.16, 0.0, 0.5], [0.0, 0.0, 1.14], [0.0, 0.0, 1.16], [0.0, 0.0, -0.2]]
    assert outside(points, leg, margin=0.05).tolist() == [False, True, False, True, True]
    assert outside(points, np.empty((0, 7))).all()


def test_variance_of_points_is_that_of_sensor_and_attitude() -> None:
    """Straight down the whole error is vertical; level, only the attitude's is."""
    errors = PointErrors(least=0.003, growth=0.004, attitude=0.01)
    down, ahead = point_variance([[0.0, 0.0, -1.0], [2.0, 0.0, 1.0]], [0.0, 0.0, 1.0], errors)
    assert down == pytest.approx((0.003 + 0.004 * 4) ** 2, rel=1e-3)
    assert ahead == pytest.approx((0.01 * 2) ** 2, rel=1e-3)


def test_arrays_of_other_shapes_are_refused() -> None:
    """Machine code would read what lies behind them."""
    cloud, leg = np.zeros((4, 3)), np.zeros((1, 7))
    with pytest.raises(ValueError, match=r"A cloud is points \(k, 3\) seen from \(3,\), not \(4, 3\) from \(2,\)"):
        point_variance(cloud, [0.0, 0.0])
    with pytest.raises(ValueError, match=r"not \(4, 2\) from"):
        point_variance(cloud[:, :2], EYE)
    with pytest.raises(ValueError, match=r"Points of a cloud are \(k, 3\), not \(4, 2\)"):
        outside(cloud[:, :2], leg)
    with pytest.raises(ValueError, match=r"Capsules are \(k, 7\), not \(7, 2\)"):
        outside(cloud, np.zeros((7, 2)))
