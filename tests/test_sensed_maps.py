"""Maps that simulated robots make by themselves: what they know, when, and what the Student sees of it."""

from __future__ import annotations

import io
import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from worlds import DEFAULT, environment, plane_tile, state

from anymal_policy.gait import NOMINAL_FOOT_B
from envs.anymal import AnymalEnv
from envs.depth import DepthConfig, OdometryConfig, SensedMaps
from envs.depth.config import Sensors
from envs.height_noise import LEVELS
from envs.robot import FOOT_RADIUS, STANDING_HEIGHT
from envs.sensor_noise import SensorNoiseConfig
from envs.sensors import NoisySensors
from envs.state import State
from envs.terrains import Surface, Tile, build_map
from mapping import MapConfig

NO_DRIFT = OdometryConfig(0.0, 0.0, 0.0, 0.0)
SMALL: dict[str, Any] = {"picture": (40, 30), "odometry": NO_DRIFT, "misalignment": 0.0, "scale": 0.0}
ROW = torch.zeros(1, dtype=torch.long)


def stands(x: float = 0.0, z: float = 0.0) -> State:
    """A robot that stands at x m on level ground at z m."""
    base = torch.tensor([x, 0.0, STANDING_HEIGHT + z])
    feet = NOMINAL_FOOT_B + base
    feet[:, 2] = z + FOOT_RADIUS
    return state(base_position_w=base, joint_position=DEFAULT, foot_position_w=feet, foot_contact=1.0)


def maps_on(tile: Tile, **changes: Any) -> SensedMaps:
    cfg = DepthConfig("cameras", **{**SMALL, **changes})
    return SensedMaps(cfg, Surface(build_map([tile])), 1, 0.02, 1, torch.Generator().manual_seed(0))


def heights(maps: SensedMaps, *points: tuple[float, float]) -> Tensor:
    return maps.query(ROW)(torch.tensor(points))


def test_an_episode_starts_with_the_ground_around_the_robot() -> None:
    maps = maps_on(plane_tile(side=8.0))
    maps.reset(ROW, stands())
    around = heights(maps, (0.9, 0.0), (-0.9, 0.1), (0.0, 0.5), (0.0, -0.5), (0.3, 0.2), (0.0, 0.0))
    assert_close(around, torch.zeros(6), atol=0.02, rtol=0.0)
    assert heights(maps, (6.0, 0.0)).isnan().all()


def test_covered_sensors_see_nothing() -> None:
    maps = maps_on(plane_tile(side=8.0), covered=("front", "left", "right"))
    maps.reset(ROW, stands())
    assert heights(maps, (1.2, 0.0)).isnan().all() and not heights(maps, (-1.2, 0.0)).isnan().any()


def test_pictures_come_late() -> None:
    """From where the robot was three steps ago: 50 ms in steps of 20 ms."""
    maps, far = maps_on(plane_tile(side=12.0)), (4.2, 0.0)
    maps.reset(ROW, stands())
    for _ in range(3):
        maps.advance(stands(3.0))
        assert heights(maps, far).isnan().all()
    for _ in range(4):  # a picture is due within 67 ms
        maps.advance(stands(3.0))
    assert_close(heights(maps, far), torch.zeros(1), atol=0.02, rtol=0.0)


def test_heights_are_those_of_the_world_however_the_odometry_drifts() -> None:
    """What drifts away with the odometry comes back with it: 3 % on 1 m are 3 cm that nothing else would hide."""
    maps = maps_on(plane_tile(side=12.0), odometry=OdometryConfig(0.03, 0.0, 0.0, 0.0))
    maps.reset(ROW, stands())
    maps.odometry.share[:] = 1.0
    for step in range(1, 61):
        maps.advance(stands(step / 60))
    assert maps.odometry.error[0].tolist() == pytest.approx([0.03] * 3, abs=1e-6)
    assert_close(heights(maps, (1.0, 0.0), (1.3, 0.2), (2.0, 0.0)), torch.zeros(3), atol=0.02, rtol=0.0)


def test_a_wrong_roll_is_the_robots_own_roll_wherever_it_heads() -> None:
    """A robot that heads along y and takes itself to be rolled by 0.05 rad sees its left, along -x, higher."""
    ahead = stands()
    quarter = ahead.base_quaternion.new_tensor([math.sqrt(0.5), 0.0, 0.0, math.sqrt(0.5)])
    feet = ahead.foot_position_w[0][:, [1, 0, 2]] * torch.tensor([-1.0, 1.0, 1.0])
    turned = stands()
    turned.base_quaternion[:], turned.heading[:], turned.foot_position_w[0] = quarter, math.pi / 2, feet
    still = MapConfig(correction=0.0, fill=0.2)
    maps = maps_on(plane_tile(side=8.0), odometry=OdometryConfig(0.0, 0.0, 0.0, 0.05), feet=0.0, grid=still)
    maps.reset(ROW, turned)
    maps.odometry.share[:, 5], maps.odometry.share[:, 6] = 1.0, 0.0
    maps.maps[0].reset()
    for _ in range(8):
        maps.advance(turned)
    seen = heights(maps, (-1.0, 0.0), (0.0, 1.0), (1.0, 0.0), (0.0, -1.0))
    assert_close(seen, torch.tensor([0.05, 0.0, -0.05, 0.0]), atol=0.015, rtol=0.0)


def stepping(threads: int = 1, sensors: Sensors = "cameras", **changes: Any) -> AnymalEnv:
    settings: dict[str, Any] = {
        "noisy_groups": True,
        "height_noise": LEVELS["mapped"],
        "sensor_noise": SensorNoiseConfig(scale=0.0),
        "depth": DepthConfig(sensors, picture=(16, 12)),
        "threads": threads,
        "episode_seconds": 0.3,
    }
    return environment(3, [plane_tile((0.1, 0.0), side=6.0)], **{**settings, **changes})


def steps(env: AnymalEnv, count: int) -> list[Tensor]:
    return [env.step(torch.zeros(3, 16))[0]["extero_noisy"].clone() for _ in range(count)]


def test_students_see_their_own_map() -> None:
    env = stepping()
    steps(env, 10)
    obs, sensors = env.get_observations(), env.sensors
    assert isinstance(sensors, NoisySensors)
    known = ~sensors.perceived["height_samples"].flatten(1).isnan()
    error = (obs["extero_noisy"] - obs["extero"])[known]
    assert 0.5 < known.float().mean() <= 1.0 and 0.0 < error.abs().mean() < 0.03
    assert (obs["extero_noisy"][~known] == 0).all()


def test_what_is_felt_is_the_same_bits_with_and_without_depth_sensors() -> None:
    """Beyond the ends of episodes (decision 34)."""
    felt = [
        [env.step(torch.zeros(3, 16))[0]["proprio_noisy"].clone() for _ in range(20)]
        for env in (stepping(sensors=sensors, sensor_noise=SensorNoiseConfig()) for sensors in ("cameras", "none"))
    ]
    for each, other in zip(*felt, strict=True):
        assert torch.equal(each, other)


def test_a_reset_leaves_the_maps_of_other_robots_alone() -> None:
    env = stepping(depth=DepthConfig("cameras", picture=(16, 12), feet=0.5), episode_seconds=60.0)
    steps(env, 30)
    assert isinstance(env.sensors, NoisySensors) and env.sensors.sensed is not None
    maps = env.sensors.sensed.maps
    env.state.foot_position_w[..., 2] += 0.05
    before = [each.heights.copy() for each in maps]
    env.sensors.sensed.reset(torch.tensor([1]), env.state)
    same = [np.array_equal(each.heights, old, equal_nan=True) for each, old in zip(maps, before, strict=True)]
    assert same == [True, False, True]


def test_maps_are_the_same_at_any_number_of_threads_and_after_resuming() -> None:
    one, two = stepping(), stepping(threads=2)
    for each, other in zip(steps(one, 4), steps(two, 4), strict=True):
        assert_close(each, other, atol=0.0, rtol=0.0)
    file = io.BytesIO()
    torch.save(one.state_dict(), file)
    file.seek(0)
    two.load_state_dict(torch.load(file, weights_only=True))
    for each, other in zip(steps(one, 16), steps(two, 16), strict=True):  # past the end of the episodes
        assert_close(each, other, atol=0.0, rtol=0.0)


def test_robots_that_rest_take_no_pictures_and_others_the_same_ones() -> None:
    env, other = stepping(episode_seconds=60.0), stepping(episode_seconds=60.0)
    for each in (env, other):
        assert isinstance(each.sensors, NoisySensors) and each.sensors.sensed is not None
    maps, others = env.sensors.sensed, other.sensors.sensed  # type: ignore
    maps.rest(torch.tensor([True, False, False]))
    taken = maps.pictures.clone()
    steps(env, 10)
    steps(other, 10)
    assert maps.pictures[0] == taken[0] and (maps.pictures[1:] == others.pictures[1:]).all() and maps.pictures[1] > 4
    for one, same in zip(maps.maps[1:], others.maps[1:], strict=True):
        assert np.array_equal(one.heights, same.heights, equal_nan=True)
    maps.close()
    assert not maps.maps


def test_only_sensors_that_there_are_can_be_covered() -> None:
    assert DepthConfig("domes", covered=("front",)).covered == ("front",)
    with pytest.raises(ValueError, match="There is no left sensor of domes; choose from front, rear"):
        DepthConfig("domes", covered=("left",))


def test_senseless_sensors_are_refused() -> None:
    for wrong in (
        {"covered": ("top",)},
        {"picture": (1, 5)},
        {"delay": -1.0},
        {"lost": 2.0},
        {"scale": -1.0},
        {"feet": 3.0},
    ):
        with pytest.raises(ValueError):
            DepthConfig("cameras", **wrong)  # pyright: ignore[reportArgumentType]
