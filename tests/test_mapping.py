"""The elevation map against scenes whose heights are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from depth_scenes import CELL, EXACT, EYE, STILL, Box, cloud, fan, line, look, mapped, to_plane
from numpy.typing import NDArray

from mapping import ElevationMap, MapConfig, PointErrors, point_variance

CENTIMETRE = 0.01
FINE = {"width": 240, "height": 240}
"""A picture whose points lie closer on the ground than cells."""


def nearly_all(known: NDArray) -> NDArray:
    """The heights that are known, of which there are nearly all."""
    assert np.isfinite(known).mean() > 0.9
    return known[np.isfinite(known)]


@pytest.mark.parametrize("height", [0.05, 0.17, 0.3])
def test_a_step_has_its_height_and_its_edge_lies_within_a_cell(height: float) -> None:
    elevation = mapped(look([((1.01, -9.0, -1.0), (9.0, 9.0, height))], **FINE))
    points = line(0.6, 1.5)
    heights = elevation.height(points)
    before, behind = points[:, 0] < 1.01 - CELL, points[:, 0] > 1.01 + CELL
    assert np.abs(nearly_all(heights[before])).max() < CENTIMETRE
    assert np.abs(nearly_all(heights[behind]) - height).max() < CENTIMETRE
    edge = points[:, 0][np.argmax(heights > height / 2)]
    assert abs(edge - 1.01) <= CELL


def test_a_box_has_its_height_and_its_outline() -> None:
    box: Box = ((0.83, -0.21, 0.0), (1.27, 0.17, 0.25))
    heights, corner = mapped(look([box], **FINE), cfg=replace(STILL, size=4.0)).grid()
    rows, columns = np.nonzero(heights > 0.125)
    x, y = corner[0] + (columns + 0.5) * CELL, corner[1] + (rows + 0.5) * CELL
    assert x.min() - CELL / 2 == pytest.approx(0.83, abs=CELL) and y.min() - CELL / 2 == pytest.approx(-0.21, abs=CELL)
    assert y.max() + CELL / 2 == pytest.approx(0.17, abs=CELL) and x.max() + CELL / 2 == pytest.approx(1.27, abs=CELL)
    inside = (abs(x - 1.05) < 0.22 - CELL) & (abs(y + 0.02) < 0.19 - CELL)
    assert np.abs(heights[rows, columns][inside] - 0.25).max() < CENTIMETRE


@pytest.mark.parametrize("degrees", [-15.0, 10.0, 25.0])
def test_a_ramp_has_its_heights(degrees: float) -> None:
    rays, rise = fan(**FINE), np.tan(np.radians(degrees))
    points = cloud(rays, to_plane(rays, EYE, rise), EYE, longest=2.0)
    grid = line(0.6, 1.2, 0.1)
    assert np.abs(nearly_all(mapped(points).height(grid) - rise * grid[:, 0])).max() < CENTIMETRE


def test_what_is_hidden_is_unknown_and_small_holes_are_filled_with_the_lower_side() -> None:
    wall: Box = ((1.0, -0.5, 0.0), (1.1, 0.5, 0.3))
    elevation = mapped(look([wall]))
    hidden = np.array([[1.3, 0.0]])
    assert np.isnan(elevation.height(hidden)).all()
    assert np.isnan(elevation.height(hidden, fill=0.2)).all()  # the shadow is longer
    assert elevation.height(hidden, fill=2.0) == pytest.approx(0.0, abs=CENTIMETRE)


def test_an_obstacle_that_has_gone_is_cleared() -> None:
    eye, box = np.array([0.0, 0.0, 0.6]), ((1.0, -0.2, 0.0), (1.4, 0.2, 0.5))
    elevation = mapped(look([box]), eye)
    assert elevation.height(np.array([[1.1, 0.0]])) == pytest.approx(0.5, abs=CENTIMETRE)
    for _ in range(15):  # one second of a camera
        points = look([])
        elevation.integrate(points, eye, point_variance(points, eye, EXACT))
    heights, never = elevation.height(line(0.8, 1.6)), mapped(look([]), eye).height(line(0.8, 1.6))
    assert np.nanmax(heights) < CENTIMETRE and np.isnan(heights).mean() <= np.isnan(never).mean()


def test_a_moving_obstacle_leaves_no_trail() -> None:
    elevation = ElevationMap(STILL)
    elevation.move(EYE)
    for x in np.arange(1.8, 0.9, -0.03):  # 0.45 m/s towards the camera
        points = look([((x, -0.2, 0.0), (x + 0.3, 0.2, 0.5))])
        elevation.integrate(points, EYE, point_variance(points, EYE, EXACT))
    for _ in range(5):
        points = look([])
        elevation.integrate(points, EYE, point_variance(points, EYE, EXACT))
    assert np.nanmax(elevation.height(line(1.0, 2.2))) < 0.03


def test_a_step_that_stays_is_never_cleared() -> None:
    rng, stairs = (
        np.random.default_rng(0),
        [((0.8 + 0.3 * i, -9.0, -1.0), (9.0, 9.0, 0.17 * (i + 1))) for i in range(5)],
    )
    elevation, errors = ElevationMap(STILL), PointErrors(0.005, 0.004, 0.0)
    for x in np.arange(0.0, 0.5, 0.02):
        eye = np.array([x, 0.0, 0.9])
        points = look(stairs, eye)
        away = points - eye
        points += away * (errors.growth * rng.normal(size=(len(points), 1)))
        elevation.move(eye)
        elevation.integrate(points, eye, point_variance(points, eye, errors))
    points = line(0.7, 1.8)
    truth = 0.17 * np.clip(np.floor((points[:, 0] - 0.8) / 0.3) + 1, 0, 5)
    near_edge = np.abs((points[:, 0] - 0.8 + 0.15) % 0.3 - 0.15) < CELL
    error = np.abs(elevation.height(points) - truth)[~near_edge]
    assert np.isnan(error).mean() < 0.02
    assert np.nanpercentile(error, 98) < 0.03


@pytest.mark.parametrize("drift", [-0.03, 0.03])
def test_a_drift_of_the_height_shifts_the_whole_map_by_it(drift: float) -> None:
    """Odometry that rises by 3 cm: what the camera sees again carries along what it does not."""
    elevation = mapped(look([]), cfg=MapConfig(correction=0.3))
    elevation.integrate(look([], yaw=np.pi), EYE, 1e-4)
    for _ in range(30):
        eye = EYE + [0.0, 0.0, drift]
        elevation.integrate(look([], eye, level=drift), eye, 1e-4)
    assert elevation.height(np.array([[-1.0, 0.0]])) == pytest.approx(drift, abs=0.004)


@pytest.mark.parametrize("drift", [-0.03, 0.03])
def test_feet_shift_the_map_to_the_ground_that_they_stand_on(drift: float) -> None:
    elevation = mapped(look([]))
    soles = np.array([[0.7, 0.2, drift], [0.8, -0.2, drift], [0.9, 0.0, 0.4], [9.0, 0.0, drift]])  # one in the air
    moved = sum(elevation.correct(soles, fraction=0.2) for _ in range(40))
    assert moved == pytest.approx(drift, abs=0.002)
    assert elevation.height(np.array([[1.2, 0.1]])) == pytest.approx(drift, abs=0.003)


def test_where_nothing_is_known_feet_tell_the_height() -> None:
    elevation = mapped(look([]))
    elevation.touch([[0.0, 0.0, 0.1], [0.1, 0.0, 0.2], [1.0, 0.0, 0.5]], radius=0.2)
    assert elevation.height(np.array([[-0.1, 0.0], [0.2, 0.0]])) == pytest.approx([0.1, 0.2])
    assert elevation.height(np.array([[1.0, 0.0]])) == pytest.approx(0.0, abs=0.002)  # the map knows better
    assert np.isnan(elevation.height(np.array([[-0.3, 0.0]])))
