"""Depth sensors on the simulated robots: what rays meet, what pictures get wrong, and how odometries drift."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from worlds import plane_tile

from anymal_policy.gait import leg_chain, leg_fk
from anymal_policy.kinematics import leg_capsules
from anymal_policy.layout import DEFAULT_JOINT_POSITION
from envs.depth.config import DepthConfig, OdometryConfig
from envs.depth.draws import even, normal, scrambled
from envs.depth.mounts import CAMERAS, camera_rays, dome_rays, turned
from envs.depth.odometry import Odometry
from envs.depth.pictures import View, optics_of, take
from envs.depth.rays import MISSED, cast, ground_of, met
from envs.terrains import Surface, build_map, make_tile

KEY = np.uint64(7)
NO_LEGS = np.empty((0, 7))
EXACT: dict[str, Any] = {"lost": 0.0, "smeared": 0.0, "grazing": (0.0, 1e-9), "misalignment": 0.0, "scale": 0.0}


@pytest.fixture(scope="module")
def surface() -> Surface:
    names = ("stairs_standard", "rough", "boxes", "grid_steps")
    return Surface(build_map([make_tile(name, 0.5, seed=3, size=(8.0, 8.0)) for name in names]))


def marched(surface: Surface, eye: NDArray, ray: NDArray, longest: float) -> float:
    """m to the ground, by looking every 0.2 mm along the ray: another way to the same answer."""
    away = np.arange(0.0, longest, 2e-4)
    points = eye + away[:, None] * ray
    below = points[:, 2] <= surface.height(points[:, :2])
    return float(away[np.argmax(below)]) if below.any() else math.inf


def test_rays_end_where_the_surface_is(surface: Surface) -> None:
    rng, ground = np.random.default_rng(0), ground_of(surface)
    lost = 0
    for _ in range(300):
        eye = np.append(rng.uniform(-6.0, 6.0, 2), 0.0)
        eye[2] = surface.height(eye[None, :2])[0] + rng.uniform(0.1, 0.8)
        ray = rng.normal(size=3)
        ray[2] = -abs(ray[2]) * rng.uniform(0.0, 1.0)
        ray /= np.linalg.norm(ray)
        distance, cosine = cast(ground, eye, ray, 2.0)
        truth = marched(surface, eye, ray, 2.0)
        if not math.isclose(distance, truth, abs_tol=0.01) and not distance == truth == MISSED:
            lost += 1
        assert 0.0 <= cosine <= 1.0
    assert lost <= 3  # rays that graze a crest of rough ground


def test_rays_end_at_upright_risers() -> None:
    """Level rays towards stairs meet each riser where it stands, and slanted ones the tread above it."""
    tile = make_tile("stairs_up", height=0.2, depth=0.3)
    surface = Surface(build_map([tile]))
    y, start = 0.0, float(surface.map.tile_corner_w[0, 0])
    x = np.arange(start, start + tile.size[0] - 0.1, 0.001)
    heights = surface.height(np.column_stack([x, np.full_like(x, y)]))
    riser = float(x[np.argmax(heights > 0.1)])
    eye = np.array([riser - 1.0, y, 0.1])
    level, cosine = cast(ground_of(surface), eye, np.array([1.0, 0.0, 0.0]), 5.0)
    assert level == pytest.approx(1.0, abs=2e-3) and cosine == pytest.approx(1.0)
    down = np.array([1.0, 0.0, -1.0]) / math.sqrt(2)
    tread, cosine = cast(ground_of(surface), np.array([riser + 0.05, y, 0.3]), down, 5.0)
    assert tread == pytest.approx(0.1 * math.sqrt(2), abs=1e-4) and cosine == pytest.approx(1 / math.sqrt(2))


@pytest.mark.parametrize("degrees", [-88.0, -45.0, -5.0, 5.0, 88.0])
def test_the_cosine_to_a_riser_is_that_to_its_normal(degrees: float) -> None:
    """Of rays 20 degrees down that pass along a wall or meet it head on; also where the wall runs along x."""
    tile = make_tile("stairs_up", height=0.3, depth=0.5)
    swapped = tile.risers << 1 & 2 | tile.risers >> 1 & 1
    turned_tile = replace(tile, heights=tile.heights.T.copy(), risers=swapped.T.copy(), start=tile.start[::-1])
    for axis, each in ((0, tile), (1, turned_tile)):
        surface = Surface(build_map([each]))
        along = np.zeros((4000, 2))
        along[:, axis] = np.arange(-2.0, 2.0, 0.001)
        heights = surface.height(along)
        riser = np.flatnonzero(np.diff(heights) > 0.2)[0]
        wall, low = along[riser, axis], float(heights[riser])
        angle, down = math.radians(degrees), math.radians(20.0)
        ray = np.array([math.cos(angle) * math.cos(down), math.sin(angle) * math.cos(down), -math.sin(down)])
        ray[:2] = ray[:2] if axis == 0 else ray[1::-1]
        eye = -0.2 * ray + [0.0, 0.0, low + 0.15]
        eye[axis] += wall
        distance, cosine = cast(ground_of(surface), eye, ray, 1.0)
        assert distance == pytest.approx(0.2, abs=0.02 if abs(degrees) > 60 else 2e-3)
        assert cosine == pytest.approx(abs(ray[axis]), abs=1e-9)


def test_the_cosine_is_that_of_the_slope() -> None:
    surface = Surface(build_map([make_tile("slope_up", slope=20.0)]))
    _, cosine = cast(ground_of(surface), np.array([0.0, 0.0, 9.0]), np.array([0.0, 0.0, -1.0]), 20.0)
    flat = cosine == pytest.approx(1.0)
    assert flat or cosine == pytest.approx(math.cos(math.radians(20.0)), abs=0.01)


def test_rays_meet_capsules() -> None:
    capsule = np.array([1.0, -1.0, 0.0, 1.0, 1.0, 0.0, 0.1])
    eye, ahead = np.zeros(3), np.array([1.0, 0.0, 0.0])
    assert met(eye, ahead, capsule, 2.0) and not met(eye, ahead, capsule, 0.8) and not met(eye, -ahead, capsule, 2.0)
    for high, meets in ((0.09, True), (0.11, False)):
        assert met(np.array([0.0, 0.0, high]), ahead, capsule, 2.0) is meets
        assert met(np.array([0.0, 1.0 + high, 0.0]), ahead, capsule, 2.0) is meets  # round the end


def test_cameras_are_where_the_urdf_has_them() -> None:
    """Worked out by hand along the URDF's joints: face, camera, camera parent; all look down by 30 degrees."""
    assert CAMERAS["front"].position_b == pytest.approx([0.48373, 0.0175, -0.04195], abs=1e-5)
    assert CAMERAS["rear"].position_b == pytest.approx([-0.48373, -0.0175, -0.04195], abs=1e-5)
    assert CAMERAS["left"].position_b == pytest.approx([-0.0175, 0.09854, 0.0163], abs=1e-5)
    assert CAMERAS["right"].position_b == pytest.approx([0.0175, -0.09854, 0.0163], abs=1e-5)
    for name, ahead in {"front": (1, 0), "rear": (-1, 0), "left": (0, 1), "right": (0, -1)}.items():
        axis = CAMERAS[name].rotation_b[:, 0]
        assert axis == pytest.approx([*(np.array(ahead) * math.cos(math.pi / 6)), -0.5], abs=1e-9)


def test_pictures_are_as_wide_as_they_say() -> None:
    rays = camera_rays(80, 60, math.radians(87), math.radians(58))
    assert rays.shape == (60, 80, 3) and np.linalg.norm(rays, axis=-1) == pytest.approx(1.0)
    assert rays[0, 0, 1] > 0 and rays[0, 0, 2] > 0  # the first pixel is the upper left one
    edge = np.tan(np.radians(87 / 2)) * 79 / 80
    assert rays[:, 0, 1] / rays[:, 0, 0] == pytest.approx(edge) and rays[:, -1, 1] / rays[:, -1, 0] == pytest.approx(
        -edge
    )


def test_the_beams_of_a_dome_are_those_of_the_sensor() -> None:
    """RoboSense's manual: channel 31 is 7.9375 degrees above the base, channel 32 2.3125; Isaac Lab: the first 89.5."""
    dome = dome_rays(150, 32)
    above = np.degrees(np.arcsin(dome[:, 0, 0]))
    assert above[[0, 29, 31]] == pytest.approx([89.5, 7.9375, 2.3125])
    assert dome.shape == (32, 150, 3) and dome.mean(axis=(0, 1))[1:] == pytest.approx([0, 0])


def view_down(height: float = 1.0, scale: float = 1.0, capsules: NDArray = NO_LEGS) -> View:
    down, eye = turned(0.0, math.pi / 2), np.array([0.0, 0.0, height])
    return View(eye, down, eye, down, scale, capsules)


def taken(surface: Surface, cfg: DepthConfig, view: View, key: np.uint64 = KEY) -> NDArray:
    rays = cfg.rays()
    points = np.empty((rays[..., 0].size, 3))
    return points[: take(ground_of(surface), view, rays, optics_of(cfg), key, np.empty(rays.shape[:2]), points)]


@pytest.fixture(scope="module")
def flat() -> Surface:
    return Surface(build_map([make_tile("flat")]))


def test_noise_grows_with_the_square_of_the_range(flat: Surface) -> None:
    cfg = DepthConfig("cameras", picture=(40, 40), **EXACT)
    for height in (0.5, 2.0):
        view = view_down(height)
        points = taken(flat, cfg, view)
        away = np.linalg.norm(points - view.origin, axis=1)
        slant = (view.origin[2] - points[:, 2]) / away
        error = away - height / slant
        expected = 0.002 + 0.0036 * (height / slant) ** 2
        assert len(points) == 1600 or height == 2.0
        assert (error / expected).std() == pytest.approx(1.0, abs=0.08)
        assert (error / expected).mean() == pytest.approx(0.0, abs=0.1)


def test_pictures_end_at_their_ranges(flat: Surface) -> None:
    cfg = DepthConfig("cameras", picture=(20, 20), **EXACT)
    assert not len(taken(flat, cfg, view_down(0.15))) and not len(taken(flat, cfg, view_down(3.2)))


def test_sensors_err_in_proportion_and_lose_pixels(flat: Surface) -> None:
    cfg = DepthConfig("cameras", picture=(40, 40), **{**EXACT, "lost": 0.3})
    points = taken(flat, cfg, view_down(0.6, scale=1.05))
    assert 0.65 < len(points) / 1600 < 0.75
    assert points[:, 2].mean() == pytest.approx(0.6 - 0.6 * 1.05, abs=0.002)


def test_grazing_rays_do_not_return(flat: Surface) -> None:
    cfg = DepthConfig("cameras", picture=(60, 60), **{**EXACT, "grazing": (0.2, 0.4)})
    eye, level = np.array([0.0, 0.0, 0.5]), np.eye(3)
    points = taken(flat, cfg, View(eye, level, eye, level, 1.0, NO_LEGS))
    away = np.linalg.norm(points - eye, axis=1)
    assert away.max() < 1.05 * 0.5 / 0.2 and away.max() > 0.5 / 0.4


def pictured(surface: Surface, eye: tuple[float, float, float], pitch: float, yaw: float = 0.0, **cfg: Any) -> NDArray:
    """Points of a camera that looks down by `pitch` rad, as exact as can be but for its noise and what `cfg` says."""
    turn = turned(yaw, pitch)
    view = View(np.array(eye), turn, np.array(eye), turn, 1.0, NO_LEGS)
    return taken(surface, DepthConfig("cameras", **{**EXACT, **cfg}), view)


def test_planes_have_no_edges() -> None:
    """However far apart rays meet them, level or not: far rows of level ground are 0.3 m apart.."""
    level, ramp = (Surface(build_map([plane_tile(slope, side=9.0)])) for slope in ((0.0, 0.0), (0.3, 0.2)))
    for surface, pitch, yaw in ((level, 0.5, 0.3), (level, 0.2, 0.0), (ramp, 0.5, 0.0), (ramp, 0.5, 2.5)):
        smeared, kept = (
            pictured(surface, (0.0, 0.0, 0.55), pitch, yaw, lost=0.1, grazing=(0.05, 0.15), smeared=share)
            for share in (1.0, 0.0)
        )
        assert len(kept) > 2000
        np.testing.assert_array_equal(smeared, kept)
    points = pictured(level, (0.0, 0.0, 0.55), 0.5, smeared=DepthConfig().smeared)
    far = np.hypot(points[:, 0], points[:, 1]) > 1.6
    assert far.sum() > 500 and points[far, 2].mean() == pytest.approx(0.0, abs=1e-3)


def test_steps_that_go_up_have_no_edges_and_those_that_go_down_do() -> None:
    up, down = (Surface(build_map([make_tile(f"stairs_{way}", height=0.17, depth=0.3)])) for way in ("up", "down"))
    changed = []
    for surface in (up, down):
        eye = 0.0, 0.0, float(surface.height(np.zeros((1, 2)))[0]) + 0.55
        smeared, kept = (pictured(surface, eye, 0.5, smeared=share) for share in (1.0, 0.0))
        changed.append((smeared != kept).any(axis=1).mean() if len(smeared) == len(kept) else 1.0)
    assert changed[0] < 0.005 < 0.02 < changed[1]


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_the_promised_share_of_pixels_on_both_sides_of_an_edge_is_smeared(share: float) -> None:
    surface = Surface(build_map([make_tile("step_up", height=0.3)]))
    x = np.arange(-3.0, 3.0, 0.001)
    edge = float(x[np.argmax(surface.height(np.column_stack([x, 0 * x])) > 0.15)])
    columns, above = 200, (edge, 0.0, 1.3)
    points, kept = (pictured(surface, above, math.pi / 2, picture=(columns, 60), smeared=each) for each in (share, 0.0))
    changed = (points != kept).any(axis=1)
    for side in (kept[:, 2] < 0.15, kept[:, 2] > 0.15):  # of each one pixel a column
        assert (changed & side).sum() == pytest.approx(
            share * columns, abs=3.5 * math.sqrt(columns * share * (1 - share))
        )
    between = points[changed, 2]
    assert ((between > -0.03) & (between < 0.33)).all()
    assert share == 0.0 or between.mean() == pytest.approx(0.15, abs=0.02)


def test_lidars_see_either_side_of_an_edge() -> None:
    surface = Surface(build_map([make_tile("step_up", height=0.3)]))
    eye, ahead = np.array([0.0, 0.0, 1.3]), turned(0.0, math.pi / 4)
    view = View(eye, ahead, eye, ahead, 1.0, NO_LEGS)
    smeared, kept = (taken(surface, DepthConfig("domes", **{**EXACT, "smeared": share}), view) for share in (1.0, 0.0))
    np.testing.assert_array_equal(smeared, kept)


def test_the_robot_is_filtered_out(flat: Surface) -> None:
    cfg = DepthConfig("cameras", picture=(40, 40), **EXACT)
    leg = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 0.1]])
    points = taken(flat, cfg, view_down(1.0, capsules=leg))
    assert 0 < len(points) < 1600 and np.hypot(points[:, 0], points[:, 1]).min() > 0.1
    behind = np.array([[0.0, 0.0, 1.5, 0.0, 0.0, 2.0, 0.1]])
    assert len(taken(flat, cfg, view_down(1.0, capsules=behind))) == 1600


def test_points_lie_where_the_robot_takes_itself_to_be(flat: Surface) -> None:
    cfg = DepthConfig("cameras", picture=(20, 20), **EXACT)
    view = view_down()
    there = view._replace(believed_origin=np.array([5.0, 1.0, 1.5]))
    moved = taken(flat, cfg, there) - taken(flat, cfg, view)
    assert moved == pytest.approx(np.tile([5.0, 1.0, 0.5], (len(moved), 1)), abs=1e-9)


def test_pictures_are_the_same_for_the_same_key_alone(flat: Surface) -> None:
    cfg = DepthConfig("cameras", picture=(20, 20))
    first, again, other = (taken(flat, cfg, view_down(), np.uint64(key)) for key in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert len(first) != len(other) or (first != other).any()


def test_draws_are_even_and_normal() -> None:
    bits = [np.uint64(scrambled(KEY, number)) for number in range(5000)]
    evens, normals = np.array([even(each) for each in bits]), np.array([normal(each) for each in bits])
    assert evens.mean() == pytest.approx(0.5, abs=0.015) and evens.var() == pytest.approx(1 / 12, rel=0.06)
    assert normals.mean() == pytest.approx(0.0, abs=0.05) and normals.std() == pytest.approx(1.0, abs=0.04)
    assert abs(np.corrcoef(evens[1:], evens[:-1])[0, 1]) < 0.05


def test_shanks_end_in_the_feet() -> None:
    joints = torch.from_numpy(DEFAULT_JOINT_POSITION).float() + 0.2 * torch.randn(5, 12, generator=torch.Generator())
    capsules = torch.from_numpy(leg_capsules(joints.numpy(), leg_chain().numpy())).float()
    assert capsules.shape == (5, 8, 7)
    assert torch.allclose(capsules[:, 4:, 3:6], leg_fk(joints), atol=1e-5)
    assert torch.allclose((capsules[:, 4:, :3] - capsules[:, 4:, 3:6]).norm(dim=-1), torch.tensor(0.329), atol=0.01)
    assert (capsules[:, :4, 1].mean(0).abs() < capsules[:, 4:, 1].mean(0).abs()).all()


class Place:
    """A state of two robots of which an odometry needs to know the place alone."""

    def __init__(self, x: float, y: float, z: float, heading: float) -> None:
        self.base_position_w = torch.tensor([[x, y, z]] * 2)
        self.heading = torch.tensor([heading] * 2)


def drifting(**cfg: float) -> Odometry:
    none = {"drift": 0.0, "turn": 0.0, "turn_per_metre": 0.0, "tilt": 0.0}
    odometry = Odometry(OdometryConfig(**{**none, **cfg}), 2, torch.Generator().manual_seed(0))
    odometry.reset(torch.arange(2), Place(1.0, 2.0, 0.5, 0.3))  # pyright: ignore[reportArgumentType]
    odometry.share[0], odometry.share[1] = 1.0, 0.0
    return odometry


def test_odometry_drifts_by_its_share_of_the_way() -> None:
    odometry = drifting(drift=0.01)
    for step in range(1, 101):
        odometry.advance(Place(1.0, 2.0 + 0.05 * step, 0.5, 0.3))  # pyright: ignore[reportArgumentType]
    assert odometry.error[1].abs().max() == 0.0
    c, s = math.cos(0.3), math.sin(0.3)
    assert odometry.error[0].numpy() == pytest.approx(np.array([0.05 * (c - s), 0.05 * (s + c), 0.05]), abs=1e-4)


def test_odometry_that_turns_too_far_goes_astray() -> None:
    odometry = drifting(turn=0.1)
    for step in range(1, 11):
        odometry.advance(Place(1.0, 2.0, 0.5, 0.3 + 0.1 * step))  # pyright: ignore[reportArgumentType]
    assert odometry.turned.tolist() == pytest.approx([0.1, 0.0], abs=1e-6)
    odometry.advance(Place(2.0, 2.0, 0.5, 1.3))  # pyright: ignore[reportArgumentType]
    assert odometry.error[0].numpy() == pytest.approx([math.cos(0.1) - 1, math.sin(0.1), 0.0], abs=1e-5)
