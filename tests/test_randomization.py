"""How robots, feet and disturbances are randomised, and what of it grows with c_k."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from einops import rearrange
from torch import Tensor
from torch.testing import assert_close
from worlds import environment

from anymal_policy import gait
from envs import randomization
from envs.anymal import AnymalEnv
from envs.config import CurriculumConfig
from envs.drives import PD
from envs.drives.marks import LAG, POSITION_GAIN, VELOCITY_GAIN
from envs.randomization import NONE, RandomizationConfig
from envs.robot import FOOT_RADIUS, STANDING_HEIGHT, TORQUE_LIMIT
from envs.terrains import make_tile

MANY = 20_000
CFG = RandomizationConfig()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_symmetric_samples_are_uniform_between_minus_one_and_one() -> None:
    samples = randomization.symmetric((MANY, 2), seeded())
    assert samples.abs().max() <= 1
    assert samples.mean().abs() < 0.02
    assert samples.std().item() == pytest.approx(1 / 3**0.5, rel=0.02)


def test_feet_share_a_friction_unless_they_slip() -> None:
    cfg = replace(CFG, friction=(0.5, 1.25), slippery_probability=0.1, slippery_friction=(0.15, 0.45))
    friction = randomization.friction(cfg, MANY, seeded())
    slippery = friction < 0.5
    assert slippery.float().mean().item() == pytest.approx(0.1, abs=0.01)
    assert_close(slippery.float().mean(0), torch.full((4,), 0.1), atol=0.015, rtol=0)
    assert friction.min() >= 0.15 and friction[slippery].max() <= 0.45
    assert friction[slippery].mean().item() == pytest.approx(0.3, abs=0.01)
    ordinary = friction[~slippery]
    assert ordinary.max() <= 1.25
    assert ordinary.mean().item() == pytest.approx(0.875, abs=0.01)
    both = ~slippery[:, 0] & ~slippery[:, 3]
    assert torch.equal(friction[both, 0], friction[both, 3])


def test_a_share_of_robots_feels_a_constant_wrench_that_grows_with_c_k() -> None:
    cfg = replace(CFG, force=30.0, torque=6.0, wrench_probability=0.25)
    force, torque = randomization.wrench(cfg, MANY, 0.5, seeded())
    applied = (force != 0).any(-1)
    assert torch.equal(applied, (torque != 0).any(-1))
    assert applied.float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert_close(force[applied].std(0), torch.full((3,), 15.0), rtol=0.04, atol=0)
    assert_close(torque[applied].std(0), torch.full((3,), 3.0), rtol=0.04, atol=0)
    assert (force[applied].mean(0).abs() < 1.0).all()
    assert randomization.wrench(cfg, MANY, 0.0, seeded())[0].abs().max() == 0


def test_pushes_are_rare_horizontal_and_grow_with_c_k() -> None:
    cfg = replace(CFG, push_velocity=0.8, push_seconds=0.4)
    push = randomization.push(cfg, MANY, 0.02, 0.5, seeded())
    pushed = (push != 0).any(-1)
    assert push.shape == (MANY, 2)
    assert pushed.float().mean().item() == pytest.approx(0.05, abs=0.005)
    assert push.abs().max() <= 0.4
    assert_close(push[pushed].std(0), torch.full((2,), 0.4 / 3**0.5), rtol=0.06, atol=0)


def test_no_randomisation_is_none() -> None:
    assert_close(randomization.friction(NONE, 50, seeded()), torch.full((50, 4), 0.8))
    assert not torch.stack(randomization.wrench(NONE, 50, 1.0, seeded())).any()
    assert not randomization.push(NONE, 5000, 0.02, 1.0, seeded()).any()


def constant(factor: float) -> CurriculumConfig:
    """A curriculum whose c_k stays at `factor`."""
    return CurriculumConfig(initial_factor=factor, factor_exponent=1.0)


ROBOTS = 60


@pytest.fixture(scope="module", params=[0.3, 1.0])
def world(request: pytest.FixtureRequest) -> AnymalEnv:
    """Robots at their first state, at the start and at the end of the curriculum."""
    return environment(ROBOTS, curriculum=constant(request.param))


def spread(world: AnymalEnv, samples: Tensor, width: float) -> None:
    """Claim that samples fill +-width x c_k evenly."""
    width *= world.cfg.curriculum.initial_factor
    largest = samples.abs().max().item()
    assert 0.85 * width <= largest <= width * 1.001
    assert samples.std().item() == pytest.approx(width / 3**0.5, rel=0.2)


def relative(world: AnymalEnv, field: str, names: Callable[[str], bool]) -> Tensor:
    """A model field of the named bodies, relative to the robot as it is built, minus 1, (n, bodies)."""
    model = world.simulation.model
    ids = [i for i in range(model.nbody) if names(model.body(i).name)]
    return torch.from_numpy(world.simulation.batch.expanded(field)[:, ids] / getattr(model, field)[ids] - 1)


def test_masses_of_base_and_every_link_spread_with_c_k(world: AnymalEnv) -> None:
    base = relative(world, "body_mass", lambda name: name == "base") * world.simulation.model.body("base").mass[0]
    spread(world, base, CFG.base_mass)
    links = relative(world, "body_mass", lambda name: name.endswith(("HIP", "THIGH", "SHANK")))
    assert links.shape == (ROBOTS, 12)
    spread(world, links, CFG.leg_mass)
    inertia = relative(world, "body_inertia", lambda name: name.endswith(("HIP", "THIGH", "SHANK")))
    assert_close(inertia[..., 0], links, atol=1e-9, rtol=0)


@pytest.mark.parametrize("factor", [0.3, 1.0])
def test_motor_strengths_of_every_joint_spread_with_c_k(factor: float) -> None:
    ideal = environment(ROBOTS, curriculum=constant(factor), drive=PD)
    limit = ideal.simulation.model.actuator_forcerange[:, 1]
    peak = torch.from_numpy(ideal.simulation.batch.expanded("actuator_forcerange")[..., 1] / limit - 1)
    assert peak.shape == (ROBOTS, 12)
    spread(ideal, peak, CFG.motor_strength)


def test_drives_differ_in_what_they_feel_and_in_their_limits_with_c_k(world: AnymalEnv) -> None:
    batch, factor = world.simulation.batch, world.cfg.curriculum.initial_factor
    dynamics = torch.from_numpy(batch.expanded("actuator_dynprm").copy())
    spread(world, dynamics[..., POSITION_GAIN] - 1, CFG.drive_position_gain)
    spread(world, dynamics[..., VELOCITY_GAIN] - 1, CFG.drive_velocity_gain)
    assert dynamics[..., LAG].min() >= 0
    spread(world, 2 * dynamics[..., LAG] - factor * CFG.drive_lag, CFG.drive_lag)
    gain, limit = (torch.from_numpy(batch.expanded(f"actuator_{name}").copy()) for name in ("gainprm", "forcerange"))
    strength = gain[..., 0]
    weak = strength < 1 - factor * CFG.motor_strength
    assert 0 < weak.float().mean() < 2 * CFG.weak_probability
    lowest = 1 - factor * (1 - CFG.weak_strength[0])
    assert strength.min() >= lowest * (1 - factor * CFG.motor_strength)
    reserve = limit[..., 1] / (TORQUE_LIMIT * strength)
    spread(world, 2 * (1 - reserve) - factor * CFG.torque_limit, CFG.torque_limit)


def test_feet_have_the_friction_that_the_teacher_is_told(world: AnymalEnv) -> None:
    model = world.simulation.model
    feet = [model.geom(f"{leg}_foot").id for leg in ("LF", "RF", "LH", "RH")]
    friction = torch.from_numpy(world.simulation.batch.expanded("geom_friction")[:, feet, 0]).float()
    assert torch.equal(friction, world.state.friction)
    assert friction.min() < 0.45 and friction.max() > 1.0


def test_the_wrench_that_acts_is_the_one_that_the_teacher_is_told(world: AnymalEnv) -> None:
    acting = torch.from_numpy(world.simulation.wrench[:, world.simulation.base]).float()
    assert torch.equal(acting, torch.cat([world.state.external_force_w, world.state.external_torque_w], -1))
    assert acting.any() and not world.simulation.wrench[:, world.simulation.base + 1 :].any()


def test_start_states_spread_with_c_k_around_the_gait(world: AnymalEnv) -> None:
    s = world.state
    spread(world, s.joint_position - s.joint_target, CFG.joint_position)
    spread(world, s.joint_velocity, CFG.joint_velocity)
    spread(world, torch.from_numpy(world.simulation.qvel[:, :6]), CFG.velocity)
    roll_like = torch.asin(-s.gravity_b[:, 1])
    assert roll_like.abs().max().item() == pytest.approx(CFG.tilt * world.cfg.curriculum.initial_factor, rel=0.15)
    start = world.placement.starts[world.placement.tile][:, :2]
    assert (s.base_position_w[:, :2] - start).abs().max().item() == pytest.approx(CFG.start_offset, rel=0.1)


def test_start_headings_and_gait_phases_are_anywhere(world: AnymalEnv) -> None:
    heading = world.state.heading
    assert torch.stack([heading.cos(), heading.sin()]).mean(dim=-1).norm() < 0.35
    assert world.state.phase.std() > 1.2
    common = torch.remainder(world.state.phase - gait.TROT, 2 * torch.pi)
    assert_close(common.cos(), common[:, :1].cos().expand(-1, 4), atol=1e-4, rtol=0)


def test_without_randomisation_robots_start_over_their_spot_in_the_pose_of_the_gait() -> None:
    world = environment(3, randomization=NONE)
    s = world.state
    assert_close(s.joint_position, s.joint_target)
    assert_close(s.base_position_w[:, :2], world.placement.starts[world.placement.tile][:, :2])
    assert_close(s.base_position_w[:, 2], torch.full((3,), STANDING_HEIGHT + 0.02), atol=1e-5, rtol=0)
    assert_close(s.gravity_b, torch.tensor([0.0, 0, -1]).expand(3, 3))
    assert not relative(world, "body_mass", lambda name: name not in ("world",) and "FOOT" not in name).any()


@pytest.mark.parametrize("name", ["flat", "rough", "stairs_up", "stairs_standard", "boxes"])
def test_no_sole_starts_under_the_ground_and_the_lowest_just_above_it(name: str) -> None:
    wide = replace(CFG, start_offset=0.3)
    tiles = [make_tile(name, 1.0, seed=seed) for seed in range(3)]
    world = environment(300, tiles, randomization=wide, curriculum=CurriculumConfig(initial_factor=1.0))
    soles = world.state.foot_position_w - torch.tensor([0.0, 0.0, FOOT_RADIUS])
    ground = world.surface.height(rearrange(soles[..., :2], "n foot xy -> (n foot) xy").numpy())
    above = soles[..., 2] - torch.from_numpy(ground).reshape(-1, 4)
    assert above.min() > 0.02 - 1e-4
    if name in ("flat", "stairs_up"):
        touching = world.surface.max_height(rearrange(soles[..., :2], "n foot xy -> (n foot) xy").numpy(), FOOT_RADIUS)
        clearance = soles[..., 2] - torch.from_numpy(touching).reshape(-1, 4)
        assert_close(clearance.amin(-1), torch.full((300,), 0.02), atol=1e-4, rtol=0)
    assert above.amin(-1).median() < 0.06, "robots are not dropped from high above"


def test_robots_in_training_are_pushed() -> None:
    pushes = replace(NONE, push_velocity=0.7, push_seconds=0.02)
    still, pushed = (
        environment(200, randomization=cfg, curriculum=CurriculumConfig(initial_factor=1.0)) for cfg in (NONE, pushes)
    )
    for world in (still, pushed):
        world.step(torch.zeros(200, 16))
    gained = torch.from_numpy(pushed.simulation.qvel[:, :2] - still.simulation.qvel[:, :2])
    assert gained.std(0).tolist() == pytest.approx([0.7 / 3**0.5] * 2, rel=0.15)
