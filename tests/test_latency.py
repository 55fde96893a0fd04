"""Delays of drives and of what a Student feels: exactly as long as asked for, each robot's own, gone after a reset."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.testing import assert_close
from worlds import DEFAULT, environment, plane_tile, pose, put, state

from anymal_policy import layout
from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.config import EnvConfig, TerrainConfig
from envs.height_noise import LEVELS, HeightNoiseConfig
from envs.latency import FELT, OF_STUDENTS, DelayedProprioception, LatencyConfig
from envs.per_episode import PerEpisode
from envs.randomization import NONE
from envs.sensor_noise import SensorNoiseConfig
from envs.sensors import NoisySensors
from envs.simulation import Simulation
from envs.terrains import Surface, build_map

PLACES = layout.slices(layout.PROPRIO)

PERFECT: dict[str, Any] = {
    "noisy_groups": True,
    "height_noise": LEVELS["none"],
    "sensor_noise": SensorNoiseConfig(scale=0.0),
}
ERRONEOUS: dict[str, Any] = {"noisy_groups": True, "height_noise": HeightNoiseConfig(factor=1.0, redraw_seconds=0.3)}
BOTH = LatencyConfig(action=(0.0, 0.045), proprioception=(0.0, 0.045))
SHORT: dict[str, Any] = {
    "commands": CommandConfig(resample_seconds=0.3),
    "episode_seconds": 0.5,
    "terrain": TerrainConfig(types=("slope_up", "flat"), tile_size=4.0),
}
"""Many episodes, in which all is random."""


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def late(longest: float, num_envs: int = 1, decimation: int = 4) -> Simulation:
    """Robots in the air over a plane."""
    surface = Surface(build_map([plane_tile()]))
    sim = Simulation(surface, num_envs, 1, decimation=decimation, longest_delay=longest)
    put(sim, pose(1.5, count=num_envs))
    return sim


def targets(steps: int, num_envs: int = 1, seed: int = 0) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [DEFAULT + 0.3 * torch.randn(num_envs, 12, generator=generator) for _ in range(steps)]


def serial(delay: int, given: list[Tensor], decimation: int = 4) -> np.ndarray:
    """Joint positions after each policy step of one robot that gets its targets `delay` physics steps late."""
    sim, seen = late(0.0, decimation=decimation), []
    queue = [DEFAULT.expand(1, 12)] * delay
    for target in given:
        for _ in range(decimation):
            queue.append(target)
            sim.control[:, sim.actuators] = queue.pop(0).numpy()
            sim.batch.step(nstep=1)
        seen.append(sim.qpos[0, 7:].copy())
    return np.stack(seen)


@pytest.mark.parametrize("delay", [0, 1, 3, 4, 5, 8])
def test_drives_get_their_targets_as_many_physics_steps_late_as_asked_for(delay: int) -> None:
    given, sim, seen = targets(30), late(0.04), []
    sim.set_delay(torch.tensor([0]), torch.tensor([0.005 * delay]))
    for target in given:
        sim.step(target)
        seen.append(sim.qpos[0, 7:].copy())
    np.testing.assert_array_equal(np.stack(seen), serial(delay, given))
    for wrong in (delay - 1, delay + 1):
        assert wrong < 0 or np.abs(np.stack(seen) - serial(wrong, given)).max() > 0.01


def test_a_delay_is_a_time_whatever_the_physics_step() -> None:
    given, sim, seen = targets(10), late(0.01, decimation=8), []
    sim.set_delay(torch.tensor([0]), torch.tensor([0.01]))
    for target in given:
        sim.step(target)
        seen.append(sim.qpos[0, 7:].copy())
    np.testing.assert_array_equal(np.stack(seen), serial(4, given, decimation=8))


def test_delays_are_rounded_to_the_nearest_physics_step() -> None:
    sim = late(0.02, num_envs=4)
    sim.set_delay(torch.arange(4), torch.tensor([0.0024, 0.0026, 0.0074, 0.0126]))
    steps = np.ceil(sim.delay[:, 0] / 0.005)
    assert steps.tolist() == [0, 1, 1, 3] and (sim.delay == sim.delay[:, :1]).all()


def test_each_robot_has_its_own_delay() -> None:
    given = targets(12)
    sim = late(0.02, num_envs=3)
    sim.set_delay(torch.arange(3), torch.tensor([0.02, 0.0, 0.005]))
    for target in given:
        sim.step(target.expand(3, 12))
    for row, delay in enumerate((4, 0, 1)):
        np.testing.assert_array_equal(sim.qpos[row, 7:], serial(delay, given)[-1])


def test_a_robot_that_is_reset_knows_no_target_of_before() -> None:
    given = targets(12)
    used, fresh = late(0.04, num_envs=2), late(0.04, num_envs=2)
    for sim, earlier in ((used, targets(5, seed=9)), (fresh, [])):
        for target in earlier:
            sim.step(target.expand(2, 12))
        rows = put(sim, pose(1.5, count=2))
        sim.set_delay(rows, torch.tensor([0.04, 0.01]))
        for target in given:
            sim.step(target.expand(2, 12))
    np.testing.assert_array_equal(used.qpos, fresh.qpos)
    np.testing.assert_array_equal(used.qpos[0, 7:], serial(8, given)[-1])


def test_a_simulation_that_remembers_targets_without_delay_has_the_bits_of_one_that_does_not() -> None:
    plain, remembering = late(0.0), late(0.04)
    for target in targets(20):
        plain.step(target)
        remembering.step(target)
    np.testing.assert_array_equal(plain.qpos, remembering.qpos)
    np.testing.assert_array_equal(plain.qvel, remembering.qvel)


def seen(env: AnymalEnv, term: str, group: str = "proprio_noisy") -> Tensor:
    return env.get_observations()[group][:, PLACES[term]]


def act(env: AnymalEnv, steps: int, seed: int = 0) -> list[dict[str, Tensor]]:
    """Random actions; the truth after each step, the present one first."""
    generator = torch.Generator().manual_seed(seed)
    truth = [{name: seen(env, name, "proprio") for name in FELT}]
    for _ in range(steps):
        env.step(0.5 * torch.randn(env.num_envs, 16, generator=generator))
        truth.append({name: seen(env, name, "proprio") for name in FELT})
    return truth[::-1]


@pytest.mark.parametrize("steps", [1, 2])
def test_a_delay_of_whole_policy_steps_shows_the_truth_of_then(steps: int) -> None:
    fixed = LatencyConfig(proprioception=(0.02 * steps, 0.02 * steps))
    env = environment(3, **PERFECT, latency=fixed, randomization=NONE)
    truth = act(env, 8)
    for name in FELT:
        assert_close(seen(env, name), truth[steps][name], atol=1e-6, rtol=0)
    for name, count in (("joint_position", 3), ("joint_velocity", 2)):
        then = torch.cat([truth[steps + age][name] for age in range(1, count + 1)], dim=1)
        assert_close(seen(env, f"{name}_history"), then, atol=1e-6, rtol=0)
    for name in ("command", "joint_target_history", "phase_offset", "phase_cos", "phase_sin", "base_frequency"):
        assert torch.equal(seen(env, name), seen(env, name, "proprio"))


def test_between_two_policy_steps_the_nearer_one_counts_more() -> None:
    env = environment(3, **PERFECT, latency=LatencyConfig(proprioception=(0.025, 0.025)), randomization=NONE)
    truth = act(env, 8)
    for name in ("joint_position", "joint_velocity", "linear_velocity_b", "angular_velocity_b"):
        assert_close(seen(env, name), 0.75 * truth[1][name] + 0.25 * truth[2][name], atol=1e-5, rtol=0)


def test_each_robot_feels_its_own_delay_and_a_new_one_in_every_episode() -> None:
    delayed = DelayedProprioception((0.0, 0.04), 400, dt=0.02, seed=3, stream=4)
    rows = torch.arange(400)
    for position in (0.0, 1.0, 2.0, 3.0):
        s = state(400, joint_position=position)
        delayed.advance(s) if position else delayed.reset(rows, s)
    age = (3.0 - delayed.felt(s).joint_position[:, 0]) * 0.02
    assert_close(age, delayed.delay.values, atol=1e-5, rtol=0)
    assert (age.min().item(), age.max().item()) == pytest.approx((0.0, 0.04), abs=5e-4)
    assert age.mean().item() == pytest.approx(0.02, abs=0.002)
    delayed.reset(rows[:100], state(400, joint_position=7.0))
    again = delayed.felt(s)
    assert (again.joint_position[:100] == 7.0).all()  # nothing of before
    assert_close(delayed.delay.values[100:], age[100:], atol=1e-5, rtol=0)
    assert (delayed.delay.values[:100] - age[:100]).abs().max() > 0.01


def test_what_is_not_felt_is_never_late_and_no_delay_gives_the_state_itself() -> None:
    delayed = DelayedProprioception((0.02, 0.02), 2, dt=0.02, seed=0, stream=4)
    delayed.reset(torch.arange(2), state(2))
    s = state(2, **{name: 0.5 for name in (*FELT, "foot_position_w", "heading", "foot_contact")})
    delayed.advance(s)
    old = delayed.felt(s)
    assert all((getattr(old, name) == getattr(state(2), name)).all() for name in FELT)
    assert all((getattr(old, name) == 0.5).all() for name in ("foot_position_w", "heading", "foot_contact"))
    off = DelayedProprioception((0.0, 0.0), 2, dt=0.02, seed=0, stream=4)
    off.reset(torch.arange(2), state(2))
    off.advance(s)
    assert off.felt(s) is s


def rollout(env: AnymalEnv, steps: int) -> list[Tensor]:
    generator, given = torch.Generator().manual_seed(5), []
    for _ in range(steps):
        observed, reward, done, extras = env.step(0.5 * torch.randn(env.num_envs, 16, generator=generator))
        given += [*(group for _, group in sorted(observed.items())), reward, done, *extras.values()]
    return given


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_delays_of_the_senses_change_no_other_draw_and_nothing_that_happens() -> None:
    late_senses = LatencyConfig(proprioception=(0.0, 0.045))
    walking = SHORT | {"commands": CommandConfig(fixed=(0.7, 0.0, 0.0))}
    quick, slow = (environment(6, **walking, **ERRONEOUS, latency=each) for each in (LatencyConfig(), late_senses))
    for _ in range(4):
        rollout(quick, 10), rollout(slow, 10)
        assert torch.equal(quick.state.joint_position, slow.state.joint_position)
        assert torch.equal(quick.generator.get_state(), slow.generator.get_state())
    noise = [env.sensors for env in (quick, slow)]
    assert isinstance(noise[0], NoisySensors) and isinstance(noise[1], NoisySensors)
    assert torch.equal(noise[0].generator.get_state(), noise[1].generator.get_state())
    assert not torch.equal(seen(quick, "joint_position"), seen(slow, "joint_position"))


def test_late_drives_change_no_draw_of_start_states_and_bodies() -> None:
    quick, slow = (environment(20, latency=each) for each in (LatencyConfig(), BOTH))
    assert torch.equal(quick.state.joint_position, slow.state.joint_position)
    assert torch.equal(quick.generator.get_state(), slow.generator.get_state())
    np.testing.assert_array_equal(quick.simulation.mass, slow.simulation.mass)
    steps = np.ceil(slow.simulation.delay[:, 0] / 0.005 - 1e-9)
    assert len(set(steps)) > 4 and steps.max() <= 9
    rollout(quick, 1), rollout(slow, 1)
    assert not torch.equal(quick.state.joint_position, slow.state.joint_position)


def test_resume_with_delays_is_bit_exact_at_any_thread_count() -> None:
    env, other = (environment(6, **SHORT, **ERRONEOUS, latency=BOTH, seed=seed) for seed in (1, 2))
    rollout(env, 21), rollout(other, 8)
    file = io.BytesIO()
    torch.save(env.state_dict(), file)
    expected = rollout(env, 40)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert same(rollout(other, 40), expected)
    threaded = environment(6, **SHORT, **ERRONEOUS, latency=BOTH, seed=1, threads=2)
    alone = environment(6, **SHORT, **ERRONEOUS, latency=BOTH, seed=1)
    assert same(rollout(threaded, 40), rollout(alone, 40))


def test_a_run_from_before_there_were_delays_can_be_resumed() -> None:
    env, other = (environment(3, **ERRONEOUS, seed=seed) for seed in (1, 2))
    old = {name: value for name, value in env.state_dict().items() if name not in ("delay", "stiffness")}
    old["senses"] = {name: value for name, value in old["senses"].items() if name != "delayed"}
    for name in ("delay", "contact"):
        del old["simulation"][name]
    other.load_state_dict(old)
    assert same(rollout(other, 3), rollout(env, 3))


def test_draws_are_uniform_within_their_bounds_and_a_constant_draws_nothing() -> None:
    drawn, constant = PerEpisode((0.5, 2.0), 4000, 0, 2), PerEpisode((3, 3), 5, 0, 2)
    values = drawn.draw(torch.arange(4000))
    assert (values.min().item(), values.max().item()) == pytest.approx((0.5, 2.0), abs=0.005)
    assert values.mean().item() == pytest.approx(1.25, abs=0.03)
    before = constant.generator.get_state()
    assert (constant.draw(torch.tensor([1, 4])) == 3.0).all() and torch.equal(constant.generator.get_state(), before)
    other = PerEpisode((0.5, 2.0), 4000, 0, 3).draw(torch.arange(4000))
    assert abs(torch.corrcoef(torch.stack([values, other]))[0, 1].item()) < 0.05
    drawn.seed(0)
    assert torch.equal(drawn.draw(torch.arange(4000)), values)
    assert 0 < PerEpisode((0, 1), 3, 0, 2).draw(torch.arange(3)).min() < 1  # bounds may be whole numbers


@pytest.mark.parametrize("bounds", [(0.02, 0.01), (-0.01, 0.02), (0.0, 0.5)])
def test_delays_that_are_no_range_are_refused(bounds: tuple[float, float]) -> None:
    for name in ("action", "proprioception"):
        with pytest.raises(ValueError, match=f"latency.{name} takes two numbers"):
            LatencyConfig(**{name: bounds})


def test_delays_are_off_unless_asked_for() -> None:
    cfg = EnvConfig()
    assert cfg.latency == LatencyConfig(action=(0.0, 0.0), proprioception=(0.0, 0.0))
    assert replace(cfg.latency, action=(0.0, 0.02), proprioception=(0.0, 0.02)) == OF_STUDENTS
