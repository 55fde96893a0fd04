"""What clouds of points do to single cells of an elevation map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from depth_scenes import EYE, STILL, look, mapped

from mapping import ElevationMap, MapConfig


def test_noise_of_known_variance_gives_the_variance_that_theory_says() -> None:
    rng, n, sigma = np.random.default_rng(1), 25, 0.02
    cfg = MapConfig(size=2.0, least_variance=1e-9, correction=0.0, gate=6.0)
    cells = (np.arange(50) - 25 + 0.5) * cfg.resolution
    xy = np.stack(np.meshgrid(cells, cells), -1).reshape(-1, 2)
    elevation = ElevationMap(cfg)
    elevation.move([0.0, 0.0])
    for _ in range(n):
        points = np.column_stack([xy, sigma * rng.normal(size=len(xy))])
        elevation.integrate(points, [0.0, 0.0, 1.0], sigma**2)
    assert elevation.variances == pytest.approx(sigma**2 / n, rel=1e-3)
    assert elevation.heights.std() == pytest.approx(sigma / np.sqrt(n), rel=0.05)
    assert elevation.heights.mean() == pytest.approx(0.0, abs=4 * sigma / np.sqrt(n * len(xy)))


def test_points_of_one_cloud_count_as_single_ones_do() -> None:
    elevation = ElevationMap(replace(STILL, least_variance=1e-9))
    elevation.integrate(
        [[0.01, 0.01, 0.0], [0.02, 0.01, 0.004], [0.02, 0.02, 0.002]], [0.0, 0.0, 1.0], [4e-4, 4e-4, 2e-4]
    )
    known = np.isfinite(elevation.heights)
    assert elevation.heights[known] == pytest.approx([0.002], abs=1e-6)
    assert elevation.variances[known] == pytest.approx([1e-4], rel=1e-4)


def test_variance_grows_with_the_way_and_the_turns_and_is_limited() -> None:
    cfg = MapConfig(drift=1e-3, turn_drift=2e-3, most_variance=0.01)
    elevation = ElevationMap(cfg)
    elevation.move([0.0, 0.0])
    elevation.integrate([[0.5, 0.0, 0.0]], [0.0, 0.0, 0.5], 1e-4)
    known = np.isfinite(elevation.heights)
    for angle in np.linspace(0, 1.0, 11):
        elevation.move([0.3 * angle, 0.4 * angle], angle)
    assert elevation.variances[known] == pytest.approx([1e-4 + 0.5 * 1e-3 + 2e-3], rel=1e-3)
    for turns in range(100):
        elevation.move([0.3, 0.4], float(turns))
    assert elevation.variances[known] == pytest.approx([0.01])


def test_a_single_outlier_does_not_move_a_cell_but_a_surface_that_stays_does() -> None:
    elevation = mapped(look([]))
    spot, at = np.array([[1.0, 0.0]]), [[1.0, 0.0, 0.4]]
    elevation.integrate(at, EYE, 1e-4)
    assert elevation.height(spot) == pytest.approx(0.0, abs=0.002)
    for _ in range(60):
        elevation.integrate(at, EYE, 1e-4)
    assert elevation.height(spot) == pytest.approx(0.4, abs=0.03)


def test_a_higher_surface_takes_a_cell_at_once_and_a_lower_one_only_if_it_stays() -> None:
    elevation = mapped(look([]))
    spot, up = np.array([[1.0, 0.0]]), [[1.0, 0.0, 0.2], [1.001, 0.001, 0.2]]
    elevation.integrate(up, EYE, 1e-4)
    assert elevation.height(spot) == pytest.approx(0.2, abs=0.002)
    down = [[x, y, 0.0] for x, y, _ in up]
    elevation.integrate(down, [1.0, 0.0, 0.6], 1e-4)
    assert elevation.height(spot) == pytest.approx(0.2, abs=0.002)
    for _ in range(60):
        elevation.integrate(down, [1.0, 0.0, 0.6], 1e-4)
    assert elevation.height(spot) == pytest.approx(0.0, abs=0.03)


def test_in_a_cell_with_an_edge_the_higher_surface_counts() -> None:
    elevation = ElevationMap(STILL)
    elevation.integrate([[0.01, 0.01, 0.0]] * 9 + [[0.03, 0.01, 0.17]] * 2, [0.0, 0.0, 0.6], 1e-4)
    assert np.nanmax(elevation.heights) == pytest.approx(0.17, abs=1e-3)
