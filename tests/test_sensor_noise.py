"""Sensors and estimators of a robot: how wrong each is, for how long, and that the truth stays what it is."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from worlds import environment, plane_tile, state

from envs.frames import roll_pitch_quaternion, rotate_inverse
from envs.height_noise import LEVELS, HeightNoiseConfig
from envs.sensor_noise import SensorNoise, SensorNoiseConfig

ROBOTS = 2000
ROWS = torch.arange(ROBOTS)
PERFECT = SensorNoiseConfig(**{field.name: 0.0 for field in fields(SensorNoiseConfig) if field.name != "drift_seconds"})
WHITE = {
    "joint_position": ("joint_position", 0.01),
    "joint_velocity": ("joint_velocity", 1.5),
    "linear_velocity": ("linear_velocity_b", 0.1),
    "angular_velocity": ("angular_velocity_b", 0.2),
}
"""Setting -> what it disturbs, and legged_gym's half-width."""


def sensors(seed: int = 0, **changes: Any) -> SensorNoise:
    """Sensors with these errors alone, in an episode's first step."""
    cfg = replace(PERFECT, scale=1.0, **changes)
    noise = SensorNoise(cfg, ROBOTS, 0.02, torch.Generator().manual_seed(seed))
    noise.reset(ROWS)
    return noise


def errors(noise: SensorNoise, quantity: str) -> Tensor:
    s = state(ROBOTS)
    return noise.measure(s, ROWS)[quantity] - getattr(s, quantity)


@pytest.mark.parametrize("setting", WHITE)
def test_white_noise_is_uniform_with_the_numbers_of_legged_gym(setting: str) -> None:
    quantity, width = WHITE[setting]
    assert getattr(SensorNoiseConfig(), setting) == width
    noise = sensors(**{setting: width})
    first, second = errors(noise, quantity), errors(noise, quantity)
    assert first.abs().max().item() == pytest.approx(width, rel=0.01)
    assert first.std(dim=0).tolist() == pytest.approx([width / 3**0.5] * first.shape[1], rel=0.06)
    assert first.mean().abs() < 0.03 * width
    together = torch.corrcoef(torch.cat([first, second], dim=1).T) - torch.eye(2 * first.shape[1])
    assert together.abs().max() < 0.12
    for other in (name for name, _ in WHITE.values() if name != quantity):
        assert not errors(noise, other).any()


def test_gravity_leans_but_stays_a_unit_vector() -> None:
    assert SensorNoiseConfig().gravity == 0.05
    seen = sensors(gravity=0.05).measure(state(ROBOTS), ROWS)["gravity_b"]
    assert_close(seen.norm(dim=-1), torch.ones(ROBOTS))
    assert seen[:, :2].abs().max().item() == pytest.approx(0.05, rel=0.08)
    assert seen[:, :2].std(dim=0).tolist() == pytest.approx([0.05 / 3**0.5] * 2, rel=0.06)
    assert (seen[:, 2] < -0.99).all()


def test_the_estimated_tilt_is_wrong_by_an_angle() -> None:
    noise = sensors(tilt_drift=0.02)
    seen = noise.measure(state(ROBOTS), ROWS)["gravity_b"]
    roll, pitch = -0.02 * noise.drift[:, 4], 0.02 * noise.drift[:, 3]
    down = torch.tensor([0.0, 0.0, -1.0]).expand(ROBOTS, 3)
    assert_close(seen, rotate_inverse(roll_pitch_quaternion(roll, pitch), down), atol=2e-3, rtol=0)
    assert seen[:, :2].std(dim=0).tolist() == pytest.approx([0.02] * 2, rel=0.06)


def test_velocity_drifts_slowly_and_equally_far_at_any_time() -> None:
    noise = sensors(velocity_drift=0.05, drift_seconds=2.0)
    start = errors(noise, "linear_velocity_b")
    assert torch.equal(errors(noise, "linear_velocity_b"), start)
    for _ in range(100):
        noise.advance()
    later = errors(noise, "linear_velocity_b")
    for each in (start, later):
        assert each.std(dim=0).tolist() == pytest.approx([0.05] * 3, rel=0.06)
    correlation = (start * later).mean() / (start.std() * later.std())
    assert correlation.item() == pytest.approx(torch.exp(torch.tensor(-1.0)).item(), abs=0.05)


def test_encoder_offsets_last_an_episode() -> None:
    noise = sensors(joint_offset=0.01)
    first = errors(noise, "joint_position")
    noise.advance()
    assert torch.equal(errors(noise, "joint_position"), first)
    assert first.abs().max().item() == pytest.approx(0.01, rel=0.01)
    noise.reset(torch.tensor([5]))
    same = (errors(noise, "joint_position") == first).all(dim=-1)
    assert torch.nonzero(~same).flatten().tolist() == [5]


def test_scale_zero_is_the_truth() -> None:
    noise = SensorNoise(SensorNoiseConfig(scale=0.0), ROBOTS, 0.02, torch.Generator())
    noise.reset(ROWS)
    noise.advance()
    s = state(ROBOTS)
    for name, value in noise.measure(s, ROWS).items():
        assert torch.equal(value, getattr(s, name))


def test_scale_multiplies_every_error() -> None:
    s = state(ROBOTS)
    seen = []
    for scale in (1.0, 0.5):
        noise = SensorNoise(SensorNoiseConfig(scale=scale), ROBOTS, 0.02, torch.Generator().manual_seed(4))
        noise.reset(ROWS)
        seen.append({name: value - getattr(s, name) for name, value in noise.measure(s, ROWS).items()})
    for name in ("joint_position", "joint_velocity", "linear_velocity_b", "angular_velocity_b"):
        assert_close(seen[1][name], 0.5 * seen[0][name])


def test_measuring_leaves_the_truth_alone_and_reads_the_rows_it_is_asked_for() -> None:
    s = state(ROBOTS, joint_position=torch.arange(float(ROBOTS)).unsqueeze(-1))
    before = s.gravity_b.clone()
    rows = torch.tensor([7, 3])
    seen = sensors(gravity=0.05, joint_position=0.01).measure(s, rows)
    assert torch.equal(s.gravity_b, before)
    assert seen["joint_position"].round()[:, 0].tolist() == [7, 3]


def test_resume_of_sensors_is_bit_exact() -> None:
    noise, other = sensors(1, velocity_drift=1.0, joint_offset=1.0), sensors(2, velocity_drift=1.0, joint_offset=1.0)
    other.load_state_dict(noise.state_dict())
    other.generator.set_state(noise.generator.get_state())
    for _ in range(3):
        noise.advance(), other.advance()
        for name in ("linear_velocity_b", "joint_position"):
            assert torch.equal(errors(noise, name), errors(other, name))


def test_what_maps_show_changes_nothing_that_is_felt() -> None:
    """Over the ends of episodes, too, and whatever the maps draw."""

    def felt(maps: HeightNoiseConfig) -> list[Tensor]:
        env = environment(4, [plane_tile()], noisy_groups=True, height_noise=maps, episode_seconds=0.2)
        generator, seen = torch.Generator().manual_seed(0), []
        for _ in range(25):
            observed = env.step(0.5 * torch.randn(4, 16, generator=generator))[0]
            seen += [observed[group] for group in ("proprio_noisy", "proprio")]
        return [*seen, env.get_observations()["extero_noisy"]]

    *expected, heights = felt(LEVELS["nominal"])
    for maps in (LEVELS["covered"], LEVELS["drift"], LEVELS["dropout"], HeightNoiseConfig(factor=1.0, map_rate=50.0)):
        *seen, other = felt(maps)
        assert all(torch.equal(a, b) for a, b in zip(seen, expected, strict=True))
        assert not torch.equal(other, heights)
