"""The robot of a URDF file in plain MuJoCo: a robot with our figures must be ours, and what is none is refused."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from urdf_files import CAMERA, TAIL, write_urdf
from worlds import environment, hold, plane_tile, pose, put, simulation

from anymal_policy.layout import DEFAULT_JOINT_POSITION, LEGS
from envs.drives import DriveConfig
from envs.height_noise import LEVELS
from envs.robot import STANDING_HEIGHT, robot_spec
from envs.sensor_noise import SensorNoiseConfig
from envs.simulation import PARAMETERS, Simulation
from envs.state import RobotState
from envs.terrains import Surface, build_map, make_tile
from evaluation.urdf.ground import add_ground, levels
from evaluation.urdf.robot import find_parts, load_robot
from evaluation.urdf.sensors import Sensors
from evaluation.urdf.walk import OF_DRIVES
from evaluation.urdf.walker import Body, Walker

PARTS = ("HIP", "THIGH", "SHANK")
ANYBOTICS = Path(__file__).parents[2] / "shared" / "data" / "anymal_c.urdf"


@pytest.fixture(scope="module")
def urdf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_urdf(tmp_path_factory.mktemp("urdf") / "robot.urdf")


def walker(urdf: Path, friction: float = 0.8, base_mass: float = 0.0, links: float = 1.0) -> Walker:
    """A robot on a flat tile around the world's origin."""
    return placed(load_robot(urdf), friction, base_mass, links)


def placed(spec: mujoco.MjSpec, friction: float = 0.8, base_mass: float = 0.0, links: float = 1.0) -> Walker:
    """The same with a robot that has been loaded."""
    add_ground(spec, build_map([make_tile("flat", size=(4.0, 4.0))]), 0)
    model = spec.compile()
    body = Body(np.full(4, friction), base_mass, np.full(12, links), {})
    return Walker(model, find_parts(model, Path("robot.urdf")), body)


def random_state(seed: int, height: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Position (19,) and velocity (18,) of a robot that tumbles through the air."""
    generator = np.random.default_rng(seed)
    quaternion = generator.normal(size=4)
    joints = DEFAULT_JOINT_POSITION + generator.uniform(-0.4, 0.4, 12)
    qpos = np.concatenate([generator.normal(size=2), [height], quaternion / np.linalg.norm(quaternion), joints])
    return qpos, generator.normal(size=18)


@pytest.mark.parametrize("seed", range(3))
def test_a_robot_with_our_figures_accelerates_like_ours(urdf: Path, seed: int) -> None:
    ours, theirs = robot_spec(visual=False).compile(), walker(urdf)
    data, (qpos, qvel) = mujoco.MjData(ours), random_state(seed)
    target = qpos[7:] + np.random.default_rng(seed + 10).uniform(-0.5, 0.5, 12)
    data.qpos[:], data.qvel[:], data.ctrl[:] = qpos, qvel, target
    theirs.start(qpos, qvel)
    theirs.data.ctrl[theirs.parts.drives] = target
    for model, each in ((ours, data), (theirs.model, theirs.data)):
        mujoco.mj_forward(model, each)
    np.testing.assert_allclose(theirs.data.actuator_force[theirs.parts.drives], data.actuator_force, atol=1e-9)
    np.testing.assert_allclose(theirs.data.qacc[:6], data.qacc[:6], atol=1e-5)
    np.testing.assert_allclose(theirs.data.qacc[theirs.parts.velocity], data.qacc[6:], rtol=1e-5, atol=1e-4)


def test_its_state_is_what_the_environment_would_read(urdf: Path) -> None:
    sim, robot = simulation(), walker(urdf)
    filled = {"foot_contact", "base_contact", "joint_torque"}
    unfilled = {"foot_velocity_w", "foot_force_w", "foot_normal_w", "thigh_contact", "shank_contact"}
    for seed in range(3):
        qpos, qvel = random_state(seed)
        put(sim, torch.from_numpy(qpos)[None], torch.from_numpy(qvel)[None])
        robot.start(qpos, qvel)
        theirs = sim.read()
        for name in set(vars(theirs)) - unfilled - filled:
            np.testing.assert_allclose(getattr(robot.state, name), getattr(theirs, name), atol=1e-5, err_msg=name)


def test_our_robot_moves_on_boxes_as_in_the_environment() -> None:
    sim, robot = simulation(), placed(robot_spec(visual=False))
    start = pose()
    put(sim, start)
    robot.start(start[0].numpy(), np.zeros(18))
    for step in range(60):
        push = torch.tensor([[0.5, 0.3]]) * (step == 20)
        sim.add_velocity(push)
        robot.push(push[0].numpy())
        target = DEFAULT_JOINT_POSITION + 0.2 * np.sin(0.3 * step) * np.tile([0, 1, -1], 4)
        sim.step(torch.from_numpy(target).float()[None])
        robot.step(target.astype(np.float32), 4)
    theirs = sim.read()
    for name in (
        "base_position_w",
        "joint_position",
        "joint_velocity",
        "joint_torque",
        "foot_contact",
        "foot_position_w",
    ):
        np.testing.assert_allclose(getattr(robot.state, name), getattr(theirs, name), atol=1e-3, err_msg=name)
    assert theirs.base_position_w[0, 0] > 0.05


def test_a_robot_with_our_figures_stands_about_as_ours(urdf: Path) -> None:
    """Not to the bit: MuJoCo gives contacts of a foot that is part of the shank another softness."""
    sim, robot = simulation(), walker(urdf)
    start = pose()
    put(sim, start)
    theirs = hold(sim, 1.0)
    robot.start(start[0].numpy(), np.zeros(18))
    for _ in range(50):
        robot.step(DEFAULT_JOINT_POSITION, 4)
    assert float(robot.state.base_position_w[0, 2] - theirs.base_position_w[0, 2]) == pytest.approx(0, abs=0.015)
    assert robot.state.foot_contact.sum() == 4 and not robot.fell


def test_masses_and_friction_are_those_of_the_episode(urdf: Path) -> None:
    plain, loaded = walker(urdf), walker(urdf, friction=0.4, base_mass=5.0, links=1.1)
    legs = sum(robot_spec(visual=False).compile().body(f"{leg}_{part}").mass[0] for leg in LEGS for part in PARTS)
    assert float(plain.mass) == pytest.approx(52.13485) and float(loaded.mass - plain.mass) == pytest.approx(
        5 + legs / 10
    )
    moment = [each.model.body_inertia[each.parts.base, 0] for each in (plain, loaded)]
    assert moment[1] / moment[0] == pytest.approx(1 + 5 / 26.37317)
    assert (loaded.model.geom_friction[loaded.parts.feet, 0] == 0.4).all()
    assert plain.model.geom_friction[plain.parts.feet, 0] == pytest.approx(0.8)


def test_slippery_feet_slip_though_the_ground_does_not(urdf: Path) -> None:
    def slid(friction: float) -> float:
        robot = walker(urdf, friction)
        robot.start(np.concatenate([[0, 0, STANDING_HEIGHT, 1, 0, 0, 0], DEFAULT_JOINT_POSITION]), np.zeros(18))
        for step in range(25):
            if step == 5:
                robot.push(np.array([1.0, 0.0]))
            robot.step(DEFAULT_JOINT_POSITION, 4)
        return float(robot.state.foot_position_w[0, :, 0].mean())

    assert slid(0.05) - slid(1.0) > 0.1


def test_its_drives_are_those_of_the_episode_and_have_their_dynamics(urdf: Path) -> None:
    drive, rows = DriveConfig(), torch.arange(1)
    sim = Simulation(Surface(build_map([plane_tile()])), 1, 1, 4, drive=drive)
    strong, body = placed(load_robot(urdf, drive)), Body(np.full(4, 0.8), 0.0, np.ones(12), {})
    sim.set_strength(rows, torch.linspace(0.3, 1.0, 12)[None])
    drives = {PARAMETERS[name]: getattr(sim, name)[0][sim.actuators] for name in OF_DRIVES}
    weak = Walker(strong.model, strong.parts, body._replace(drives=drives))
    start = pose(2.0)
    put(sim, start)
    target = DEFAULT_JOINT_POSITION + 0.4
    for robot in (weak, strong):
        robot.start(start[0].numpy(), np.zeros(18))
    for _ in range(4):
        sim.step(torch.from_numpy(target).float()[None])
        for robot in (weak, strong):
            robot.step(target.astype(np.float32), 4)
    theirs = sim.read()
    np.testing.assert_allclose(weak.state.joint_position, theirs.joint_position, atol=1e-3)
    np.testing.assert_allclose(weak.state.joint_torque, theirs.joint_torque, atol=0.5)
    assert (weak.state.joint_position - strong.state.joint_position).abs().max() > 0.02


def test_it_has_fallen_when_its_base_touches_the_ground_or_leans(urdf: Path) -> None:
    robot = walker(urdf)
    lying = pose(0.09)[0].numpy()
    robot.start(lying, np.zeros(18))
    assert robot.state.base_contact == 1 and robot.fell
    robot.start(pose(2.0, torch.tensor([np.cos(0.6), np.sin(0.6), 0, 0]))[0].numpy(), np.zeros(18))
    assert robot.state.base_contact == 0 and robot.fell
    robot.start(pose(2.0)[0].numpy(), np.zeros(18))
    assert not robot.fell


def test_an_inertia_that_no_body_can_have_keeps_its_mass(urdf: Path, tmp_path: Path) -> None:
    plain, more = (load_robot(path).compile() for path in (urdf, write_urdf(tmp_path / "camera.urdf", CAMERA)))
    assert more.body_mass.sum() - plain.body_mass.sum() == pytest.approx(0.16)


@pytest.mark.skipif(not ANYBOTICS.is_file(), reason="ANYbotics' file is not here")
def test_anybotics_own_file_has_our_masses() -> None:
    theirs, ours = load_robot(ANYBOTICS).compile(), robot_spec(visual=False).compile()
    assert theirs.ngeom > 40
    for name in ("base", *(f"{leg}_{part}" for leg in LEGS for part in PARTS)):
        assert theirs.body(name).mass[0] == pytest.approx(ours.body(name).mass[0])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "no robot that MuJoCo can read"),
        ("<robot", "no robot that MuJoCo can read"),
        ("few legs", "lacks LF_HAA, LF_HFE, LF_KFE"),
        ("tail", "moves by more than that: wag"),
        ("feet", "no sphere of 0.03 m where the gait expects the LF foot"),
    ],
)
def test_what_is_no_anymal_is_refused_in_one_sentence(text: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "robot.urdf"
    if text in ("few legs", "tail", "feet"):
        write_urdf(
            path,
            TAIL if text == "tail" else "",
            ("RH", "LH", "RF") if text == "few legs" else LEGS,
            0.02 if text == "feet" else 0.03,
        )
    elif text is not None:
        path.write_text(text)
    with pytest.raises(ValueError, match=words) as refusal:
        load_robot(path)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("family", ["stairs_up", "stairs_down", "step_up", "flat"])
def test_boxes_are_as_high_as_the_surface(family: str) -> None:
    terrain = build_map([make_tile(family, 0.5, seed) for seed in range(3)])
    surface, generator = Surface(terrain), np.random.default_rng(0)
    for tile in range(3):
        low = terrain.tile_corner_w[tile].astype(np.float64)
        points = low + generator.uniform(0.1, 0.9, (500, 2)) * terrain.tile_size[tile]
        pieces = levels(terrain, tile)
        walls = np.array([piece.low for piece in pieces])
        clear = (np.abs(points[:, :1] - walls) > 1e-3).all(-1)
        tops = np.array([piece.height for piece in pieces])[np.searchsorted(walls, points[:, 0]) - 1]
        np.testing.assert_allclose(tops[clear], surface.height(points)[clear], atol=1e-6)
        assert all(ends.low == starts.high for starts, ends in zip(pieces[:-1], pieces[1:], strict=True))


def test_ground_that_is_not_made_of_boxes_is_refused() -> None:
    with pytest.raises(ValueError, match="rough is not made of level pieces"):
        levels(build_map([make_tile("rough", 0.5)]), 0)


def sensed(level: str, scale: float) -> tuple[Sensors, RobotState]:
    env = environment(
        1, [make_tile("stairs_up", 0.5)], noisy_groups=True, height_noise=LEVELS[level],
        sensor_noise=SensorNoiseConfig(scale=scale),
    )  # fmt: skip
    return Sensors(env, 0), env.state


def test_without_noise_the_runner_is_told_the_truth() -> None:
    perfect, s = sensed("none", 0.0)
    measurement, points = perfect.measure(s), np.random.default_rng(0).uniform(-1, 1, (208, 2))
    for name in ("joint_position", "joint_velocity", "linear_velocity_b", "angular_velocity_b", "gravity_b"):
        np.testing.assert_allclose(getattr(measurement, name), getattr(s, name)[0], atol=1e-6)
    np.testing.assert_array_equal(perfect.height(points), perfect.surface.height(points))


def test_maps_err_and_are_held_between_their_renewals() -> None:
    noisy, s = sensed("nominal", 1.0)
    points = np.zeros((208, 2))
    seen = []
    for _ in range(50):
        assert np.abs(noisy.measure(s).joint_position - s.joint_position[0].numpy()).max() > 1e-4
        seen.append(noisy.height(points).copy())
    renewals = sum((one != other).any() for one, other in zip(seen[:-1], seen[1:], strict=True))
    assert renewals == pytest.approx(20, abs=2)
    assert 0.01 < np.abs(seen[0] - noisy.surface.height(points)).mean() < 0.5
