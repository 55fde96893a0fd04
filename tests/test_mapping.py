"""The elevation map against scenes whose heights are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from mapping import ElevationMap, MapConfig, PointErrors, outside, point_variance
from tests.depth_scenes import EYE, Box, cloud, fan, look, to_plane

CELL = MapConfig().resolution
CENTIMETRE = 0.01
EXACT = PointErrors(0.002, 0.0, 0.0)
STILL = MapConfig(correction=0.0)
"""Maps whose height nothing corrects."""


def mapped(points: NDArray, eye: NDArray = EYE, cfg: MapConfig = STILL, times: int = 3) -> ElevationMap:
    elevation = ElevationMap(cfg)
    elevation.move(eye)
    for _ in range(times):
        elevation.integrate(points, eye, point_variance(points, eye, EXACT))
    return elevation


FINE = {"width": 240, "height": 240}
"""A picture whose points lie closer on the ground than cells."""


def nearly_all(known: NDArray) -> NDArray:
    """The heights that are known, of which there are nearly all."""
    assert np.isfinite(known).mean() > 0.9
    return known[np.isfinite(known)]


def line(low: float, high: float, y: float = 0.0) -> NDArray:
    """Points (k, 2) m along x, 5 mm apart."""
    x = np.arange(low, high, 0.005)
    return np.column_stack([x, np.full_like(x, y)])


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
    moved = sum(elevation.correct(soles, share=0.2) for _ in range(40))
    assert moved == pytest.approx(drift, abs=0.002)
    assert elevation.height(np.array([[1.2, 0.1]])) == pytest.approx(drift, abs=0.003)


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


def test_senseless_requests_are_refused() -> None:
    elevation = ElevationMap()
    for place, heading in (([np.nan, 0.0], 0.0), ([0.0, 1e12], 0.0), ([0.0, 0.0], np.inf)):
        with pytest.raises(ValueError, match="A robot is not at"):
            elevation.move(place, heading)
    with pytest.raises(ValueError, match="A cloud is points"):
        elevation.integrate([1.0, 2.0, 3.0], EYE, 1.0)
    for wrong in ({"size": 0.0}, {"resolution": 1e-9}, {"least_variance": 0.0}, {"ray_stride": 0}, {"correction": 2.0}):
        with pytest.raises(ValueError):
            MapConfig(**wrong)  # pyright: ignore[reportArgumentType]


def test_where_nothing_is_known_feet_tell_the_height() -> None:
    elevation = mapped(look([]))
    elevation.touch([[0.0, 0.0, 0.1], [0.1, 0.0, 0.2], [1.0, 0.0, 0.5]], radius=0.2)
    assert elevation.height(np.array([[-0.1, 0.0], [0.2, 0.0]])) == pytest.approx([0.1, 0.2])
    assert elevation.height(np.array([[1.0, 0.0]])) == pytest.approx(0.0, abs=0.002)  # the map knows better
    assert np.isnan(elevation.height(np.array([[-0.3, 0.0]])))


def test_reset_forgets() -> None:
    elevation = mapped(look([]))
    elevation.reset()
    assert np.isnan(elevation.heights).all() and elevation.pose is None


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
