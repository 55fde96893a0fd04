from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest
import torch
from worlds import plane_tile

from envs.anymal import AnymalEnv
from envs.camera import FollowCamera
from envs.dots import Dots
from envs.randomization import NONE
from envs.rendering import BURIED, Renderer, RenderingError, pose, visual_model
from envs.robot import Shapes
from envs.simulation import Simulation
from envs.tasks import TASKS
from envs.terrains import Surface, Tile, build_map, make_tile

SIZE = (160, 90)
CENTRE = np.zeros(3)


def camera(tile: Tile, dt: float = 0.02) -> FollowCamera:
    return FollowCamera(Surface(build_map([tile])), dt)


def world(tile: Tile | None = None) -> AnymalEnv:
    cfg = replace(TASKS["anymal_rough"], num_envs=2, threads=1, randomization=NONE)
    return AnymalEnv(cfg, [tile or plane_tile()])


@pytest.fixture
def renderer() -> Renderer:
    try:
        return Renderer(world(), SIZE)
    except RenderingError as error:
        pytest.skip(str(error))


def red(picture: np.ndarray) -> np.ndarray:
    """Pixels of ANYmal's covers, (k, 2) rows and columns."""
    r, g, b = (picture[..., channel].astype(int) for channel in range(3))
    return np.argwhere((r > 90) & (r > 2 * g) & (r > 2 * b))


def test_camera_starts_at_the_robot_and_follows_with_a_lag_of_its_time_constant() -> None:
    follower = camera(plane_tile())
    base_w = np.array([0.0, 0.0, 0.5])
    assert np.array_equal(follower.follow(base_w, 0.0).lookat, base_w)
    for _ in range(round(follower.following / 0.02)):
        view = follower.follow(base_w + [0.6, 0.0, 0.0], 0.0)
    assert view.lookat[0] == pytest.approx(0.6 * (1 - np.exp(-1)), rel=0.05)


def test_camera_does_not_fly_after_a_robot_that_starts_anew_elsewhere() -> None:
    follower = camera(plane_tile())
    follower.follow(CENTRE, 0.0)
    assert follower.follow(CENTRE + [3.0, 0.0, 0.0], 0.0).lookat[0] == 3.0


def test_camera_looks_from_the_right_turning_with_the_first_heading_only() -> None:
    follower = camera(plane_tile())
    first = follower.follow(CENTRE, 0.5).azimuth
    assert first == pytest.approx(np.degrees(0.5) + 70.0)
    assert follower.follow(CENTRE, 2.0).azimuth == first


def test_camera_sees_falling_ground_from_ahead_with_the_sun_behind_the_robot() -> None:
    rising, falling = camera(plane_tile((0.2, 0.0))), camera(plane_tile((-0.2, 0.0)))
    assert rising.follow(CENTRE, 0.0).azimuth < 90.0 < falling.follow(CENTRE, 0.0).azimuth
    assert rising.sun_w[0] < 0.0 < falling.sun_w[0]


def test_camera_rises_where_terrain_would_hide_the_robot() -> None:
    base_w = np.array([0.0, 0.0, 0.5])
    open_ground = camera(plane_tile()).follow(base_w, 0.0).elevation
    pit = camera(make_tile("stairs_standard", 1.0)).follow(base_w, 0.0).elevation
    assert open_ground == FollowCamera.elevations[0]
    assert pit < open_ground - 5.0


@pytest.mark.parametrize("shapes", ["links", "spheres"])
def test_visual_model_has_the_shapes_that_are_simulated_and_shows_looks_alone(shapes: Shapes) -> None:
    surface = Surface(build_map([plane_tile()]))
    drawn, simulated = visual_model(surface, shapes), Simulation(surface, 1, 1, 4, shapes=shapes).model

    def solid(model: mujoco.MjModel) -> list[tuple[str, float]]:
        geoms = [model.geom(number) for number in range(model.ngeom) if model.geom_group[number] == 3]
        return [(geom.name, float(geom.rbound[0])) for geom in geoms]

    assert solid(drawn) == solid(simulated) != []
    assert not mujoco.MjvOption().geomgroup[3]


def test_visual_model_takes_the_pose_of_the_robot_in_its_row() -> None:
    env = world()
    env.step(torch.tensor([[0.0] * 16, [1.0] * 16]))
    model = visual_model(env.surface)
    data = mujoco.MjData(model)
    for row in range(2):
        base_w, _ = pose(model, data, env, row)
        feet = np.stack([data.site(f"{leg}_foot").xpos for leg in ("LF", "RF", "LH", "RH")])
        assert base_w == pytest.approx(env.state.base_position_w[row].numpy(), abs=1e-5)
        assert feet == pytest.approx(env.state.foot_position_w[row].numpy(), abs=1e-5)


def test_robot_is_in_the_middle_of_the_picture(renderer: Renderer) -> None:
    picture = renderer.draw()
    assert picture.shape == (90, 160, 3)
    row, column = red(picture).mean(0)
    assert len(red(picture)) > 30
    assert abs(row - 45) < 15
    assert abs(column - 80) < 15


def test_sky_is_above_the_ground_in_the_picture(renderer: Renderer) -> None:
    picture = renderer.draw().astype(int)
    assert (picture[:5, :, 2] > picture[:5, :, 0]).all()
    assert (picture[-5:, :, 2] <= picture[-5:, :, 0]).all()


def test_pictures_follow_the_simulation_and_belong_to_the_caller(renderer: Renderer) -> None:
    first = renderer.draw()
    kept = first.copy()
    again = renderer.draw()
    renderer.env.step(torch.ones(2, 16))
    moved = renderer.draw()
    assert np.array_equal(first, kept)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, moved)


GREEN = (0, 200, 50)


def green(picture: np.ndarray) -> np.ndarray:
    """Mean row and column of the pixels of exactly this green."""
    return np.argwhere((picture == GREEN).all(-1)).mean(0)


LARGE = 0.06
"""m, radius of dots of several pixels in small pictures."""


def test_dots_are_where_their_points_are_and_have_exactly_their_colour(renderer: Renderer) -> None:
    renderer.draw()
    view = renderer.camera.view
    azimuth, elevation = np.radians(view.azimuth), np.radians(view.elevation)
    sight = np.array([np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)])
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    middle = view.lookat - 0.5 * view.distance * sight
    assert green(renderer.draw([Dots(middle[None], GREEN, LARGE)])) == pytest.approx([44.5, 79.5], abs=1.5)
    row, column = green(renderer.draw([Dots((middle + 0.3 * right)[None], GREEN, LARGE)]))
    per_metre = 45 / np.tan(np.radians(renderer.model.vis.global_.fovy / 2)) / (0.5 * view.distance)
    assert (row, column) == pytest.approx((44.5, 79.5 + 0.3 * per_metre), abs=1.5)


def test_dots_under_the_ground_shine_through_it_faintly(renderer: Renderer) -> None:
    plain = renderer.draw().astype(float)
    azimuth = np.radians(renderer.camera.view.azimuth)
    right = np.array([np.sin(azimuth), -np.cos(azimuth), 0.0])
    buried = renderer.camera.view.lookat[None] + right - [0.0, 0.0, 1.0]
    picture = renderer.draw([Dots(buried, GREEN, LARGE)])
    changed = (picture != plain).any(-1)
    assert 5 < changed.sum() < 60
    faint = np.round(plain + BURIED * (np.array(GREEN) - plain))
    assert (picture == faint).all(-1)[changed].any()
    assert not (picture == GREEN).all(-1).any()


def test_dots_leave_the_next_picture_as_it_would_have_been(renderer: Renderer) -> None:
    before = renderer.draw()
    renderer.draw([Dots(np.array([[0.0, 0.0, 1.0]]), GREEN)])
    assert np.array_equal(renderer.draw(), before)


@pytest.mark.parametrize("size", [(161, 90), (160, 8), (160, 10000)])
def test_sizes_that_cannot_be_drawn_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=f"not {size[0]} x {size[1]}"):
        Renderer(world(), size)
