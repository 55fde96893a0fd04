"""The engine warp against MuJoCo's own, on Warp's CPU device: the same robots, step by step, within single precision.

Accelerations differ by float32 in the positions of contacts (5e-7 m of a penetration of 1e-5 to 1e-2 m) and by a solver
that stops at a tolerance of 1e-6: of 64 robots at most some 1e-4 of the largest one was seen; 2e-3 are allowed.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import warp_worlds as ww
from worlds import DEFAULT, environment, hold, plane_tile, pose, put

from envs.anymal import AnymalEnv
from envs.commands import CommandConfig
from envs.drives import PD, DriveConfig
from envs.engines import warp_engine
from envs.latency import LatencyConfig
from envs.randomization import NONE
from envs.robot import STANDING_HEIGHT
from envs.simulation import Simulation
from envs.terrains import Surface, build_map, make_tile
from evaluation.agents import load_agent

pytestmark = pytest.mark.slow
ROBOTS = 2048
CLOSE = 2e-3
"""Fraction of the largest number by which both engines may differ."""
PUSH = 120.0
"""N on the base, a quarter of its weight; friction holds 0.8 of that."""


def flat() -> Surface:
    return Surface(build_map([plane_tile()]))


@pytest.fixture(scope="module")
def scattered() -> tuple[Simulation, Simulation]:
    """The same robots in contact with all kinds of ground."""
    ground = ww.surface()
    both = ww.pair(ROBOTS, ground=ground)
    for sim in both:
        sim.accelerations = sim.batch.bind("qacc") if hasattr(sim.batch, "get_data") else None  # type: ignore
        ww.anywhere(sim, ground, seed=0)
    return both


def test_accelerations_and_forces_are_those_of_c_where_contacts_are(scattered: tuple[Simulation, Simulation]) -> None:
    """Contacts are in all but one of 150 robots (tests/test_warp_collider.py), and then nearly all forces are."""
    ours, theirs = scattered
    expected, found = ours.accelerations, theirs.batch.d.qacc.numpy()  # type: ignore
    tables = zip(*map(ww.contacts, scattered), strict=True)
    same = [ww.alone(a, b, normal=2e-4) == ww.alone(b, a, normal=2e-4) == 0 for a, b in tables]
    close = (abs(theirs.readings.torque - ours.readings.torque) < 1e-3).all(1)
    for a, b, least in ((expected, found, 50.0), (ours.readings.sensors, theirs.readings.sensors, 500.0)):
        close &= (abs(b - a) < CLOSE * np.maximum(least, abs(a).max(1, keepdims=True))).all(1)
    assert np.mean(same) > 0.98
    assert close[same].mean() > 0.99
    assert (abs(ours.readings.sensors).max(1) > 500).mean() > 0.25


@pytest.fixture(scope="module", params=["pd", "anydrive"])
def standing(request: pytest.FixtureRequest) -> tuple[Simulation, Simulation]:
    """Robots that have held their pose for four seconds, the second one pushed to its left."""
    both = ww.pair(2, PD if request.param == "pd" else DriveConfig(), flat())
    for sim in both:
        env_ids = put(sim, pose(count=2))
        sim.set_wrench(env_ids, torch.tensor([[0.0, 0.0, 0.0], [0.0, PUSH, 0.0]]), torch.zeros(2, 3))
        hold(sim, 4.0)
    return both


def test_a_standing_robots_feet_carry_its_weight_upwards(standing: tuple[Simulation, Simulation]) -> None:
    """With C within 2e-4 of it; after one second only within 0.03, since robots still settle."""
    for sim in standing:
        state, weight = sim.read(), 9.81 * float(sim.mass[0].sum())
        force = state.foot_force_w[0]
        assert (force[:, 2] > 0.15 * weight).all()
        assert float(force[:, 2].sum()) == pytest.approx(weight, rel=0.005)
        assert force[:, :2].sum(0).abs().max() < 0.01 * weight
        assert (state.foot_normal_w - torch.tensor([0.0, 0.0, 1.0])).abs().max() < 1e-5
        assert state.foot_contact.all() and not state.shank_contact.any() and not state.base_contact.any()


def test_friction_holds_against_a_push(standing: tuple[Simulation, Simulation]) -> None:
    """With C within 5 N: with PD drives the robot still sways back, by 0.1 m/s^2."""
    for sim in standing:
        along = sim.read().foot_force_w[1, :, :2].sum(0)
        torch.testing.assert_close(along, torch.tensor([0.0, -PUSH]), atol=10.0, rtol=0.0)


def test_robots_that_stand_are_where_c_has_them(standing: tuple[Simulation, Simulation]) -> None:
    """Soles sink in by 0.16 mm, which float32 knows to 1e-7 m; along the ground pushed feet creep."""
    ours, theirs = standing
    states = [sim.read() for sim in standing]
    expected, found = (state.foot_position_w for state in states)
    np.testing.assert_allclose(found[..., 2], expected[..., 2], atol=5e-5)
    np.testing.assert_allclose(found[..., :2], expected[..., :2], atol=2e-3)
    np.testing.assert_allclose(theirs.qpos[:, :7], ours.qpos[:, :7], atol=5e-3)
    np.testing.assert_allclose(theirs.qpos[:, 7:], ours.qpos[:, 7:], atol=1e-2)
    force, other = (state.foot_force_w for state in states)
    torch.testing.assert_close(other, force, atol=5.0, rtol=0.0)  # N, of 511


def test_slippery_feet_slide_as_with_c_and_others_hold() -> None:
    """What a foot feels along the ground is its friction times its load, or times root 2 on a pyramid's edge."""
    both, moved = ww.pair(2, ground=flat()), []
    for sim in both:
        env_ids = put(sim, pose(count=2))
        sim.set_friction(env_ids, torch.tensor([[0.8, 0.8, 0.1, 0.8], [0.05, 0.05, 0.05, 0.05]]))
        start = hold(sim, 0.1).foot_position_w
        state = hold(sim, 0.2)
        shear = state.foot_force_w[0, :, :2].norm(dim=-1) / state.foot_force_w[0, :, 2]
        assert 0.09 < shear[2] < 0.1 * math.sqrt(2) + 0.01
        assert (shear[[0, 1, 3]] > 0.15).all()
        moved.append((state.foot_position_w - start)[1, :, :2])
    assert (moved[0].norm(dim=-1) > 0.05).all()
    torch.testing.assert_close(moved[1], moved[0], atol=2e-3, rtol=0.0)


@pytest.mark.parametrize(
    ("drive", "decimation"), [(PD, 4), (DriveConfig(), 4), (DriveConfig(lag=0.01), 2), (DriveConfig(), 8)]
)
def test_drives_give_the_torques_of_c_in_the_air(drive: DriveConfig, decimation: int) -> None:
    """Nothing touches, so both engines stay together; physics steps of 10, 5 and 2.5 ms meet the drives' 5 ms."""
    both = [
        Simulation(flat(), 4, 1, decimation, drive=drive, longest_delay=0.02, engine=engine)
        for engine in ("mujoco", "warp")
    ]
    for sim in both:
        env_ids = put(sim, pose(5.0, count=4))
        sim.set_strength(env_ids, 1 + 0.2 * ww.symmetric(4, 12, seed=1))
        sim.set_delay(env_ids, torch.tensor([0.0, 0.005, 0.01, 0.02]))
        sim.settle(env_ids)
        sim.seen = []  # type: ignore
        for k in range(12):
            sim.step(DEFAULT + 0.5 * ww.symmetric(4, 12, seed=10 + k))
            sim.seen.append(np.array(sim.readings.torque))  # type: ignore
    np.testing.assert_allclose(both[1].seen, both[0].seen, atol=0.05)  # type: ignore
    assert abs(np.array(both[0].seen)).max() > 20  # type: ignore


def test_a_robot_that_is_dropped_upside_down_falls_and_lies_as_with_c() -> None:
    both = ww.pair(1, ground=flat())
    for sim in both:
        put(sim, pose(0.5, torch.tensor([0.0, 1.0, 0.0, 0.0])))
    ours, theirs = (hold(sim, 1.5) for sim in both)
    assert ours.base_contact[0] == theirs.base_contact[0] == 1
    torch.testing.assert_close(theirs.gravity_b, ours.gravity_b, atol=0.02, rtol=0.0)


def test_a_reset_touches_its_robots_alone_and_forgets_what_was_before() -> None:
    sim = Simulation(flat(), 3, 1, 4, drive=DriveConfig(), engine="warp")
    put(sim, pose(count=3))
    first = [np.array(hold(sim, 0.1).joint_torque) for _ in range(2)]
    kept = np.array(sim.qpos)
    env_ids = torch.tensor([1])
    sim.reset(env_ids, pose(), torch.zeros(1, 18))
    sim.settle(env_ids)
    np.testing.assert_array_equal(sim.qpos[[0, 2]], kept[[0, 2]])
    again = [np.array(hold(sim, 0.1).joint_torque) for _ in range(2)]
    np.testing.assert_array_equal([torque[1] for torque in again], [torque[1] for torque in first])


def test_robots_that_are_no_numbers_are_counted_and_hurt_nobody() -> None:
    seen = []
    for broken in (False, True):
        sim = Simulation(flat(), 3, 1, 4, engine="warp")
        put(sim, pose(count=3))
        if broken:
            sim.qvel[1, 8] = np.inf
        sim.step(DEFAULT.expand(3, 12))
        assert sim.failed.tolist() == [False, broken, False]
        sim.reset(torch.tensor([1]), pose(), torch.zeros(1, 18))
        sim.settle(torch.tensor([1]))
        hold(sim, 0.1)
        assert not sim.failed.any()
        seen.append(np.array(sim.qpos))
    np.testing.assert_array_equal(seen[0][[0, 2]], seen[1][[0, 2]])


@pytest.mark.parametrize(("room", "size", "failed"), [("ROWS", 8, [True, False]), ("CONTACTS", 1, [True, True])])
def test_contacts_without_room_are_failures_and_said_once(
    room: str, size: int, failed: list[bool], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Four feet need 16 rows, which each robot has for itself, and more contacts than the two that both share."""
    monkeypatch.setattr(warp_engine, room, size)
    sim = Simulation(flat(), 2, 1, 4, engine="warp")
    put(sim, pose(torch.tensor([STANDING_HEIGHT, 5.0]), count=2))
    hold(sim, 0.06)
    assert sim.failed.tolist() == failed
    assert capsys.readouterr().err.count("count as failed") == 1


def test_resume_on_the_warp_engine_is_bit_exact() -> None:
    settings = {"engine": "warp", "latency": LatencyConfig(action=(0.0, 0.02))}
    one, other = (environment(3, seed=seed, **settings) for seed in (1, 2))
    actions = ww.symmetric(8, 3, 16, seed=0)
    for action in actions[:4]:
        one.step(action)
    other.load_state_dict(one.state_dict())
    for action in actions[4:]:
        first, second = one.step(action), other.step(action)
        assert torch.equal(first[1], second[1])
        assert all(torch.equal(first[0][name], second[0][name]) for name in tuple(first[0].keys()))


def test_eight_robots_walk_with_the_shipped_teacher_as_with_c() -> None:
    teacher = load_agent("pretrained/teacher.pt")
    tiles = [make_tile("rough", difficulty=0.5, size=(8.0, 8.0), seed=seed) for seed in range(4)]
    walked = {}
    for engine in ("mujoco", "warp"):
        world = {"engine": engine, "commands": CommandConfig(fixed=(0.7, 0.0, 0.0)), "randomization": NONE}
        env = AnymalEnv(replace(teacher.env, num_envs=8, threads=1, seed=0, **world), tiles)
        teacher.start(8, 0)
        start, falls = env.state.base_position_w[:, :2].clone(), 0
        for _ in range(200):
            _, _, done, info = env.step(teacher.act(env.observations))
            falls += int(info["falls"].sum())
            teacher.reset(done)
        moved = (env.state.base_position_w[:, :2] - start).norm(dim=-1)
        walked[engine] = falls, float(moved.median())
    assert walked["warp"][0] <= walked["mujoco"][0] + 1
    assert walked["warp"][1] == pytest.approx(walked["mujoco"][1], abs=0.3)
    assert walked["warp"][1] > 2.0


def test_each_process_of_a_machine_takes_a_gpu_of_its_own_and_says_if_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ww.warp, "get_cuda_devices", lambda: ["first", "second"])
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert warp_engine.best_device() == "first"
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert warp_engine.best_device() == "second"
    assert not capsys.readouterr().err
    monkeypatch.setattr(ww.warp, "get_cuda_devices", list)
    assert warp_engine.best_device().is_cpu
    assert "finds no GPU" in capsys.readouterr().err
