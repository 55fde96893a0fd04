"""The left-right mirror maps, against the gait's kinematics, geometry and the network they serve."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import torch
from tensordict import TensorDict

from agents.symmetry import MIRRORS, OTHER_LEG, PSEUDOVECTOR, VECTOR, augment, mirror, mirror_map
from anymal_policy import gait, layout
from envs.robot import robot_spec

VECTORS = {**layout.GROUPS, "action": layout.ACTION}


@pytest.mark.parametrize("name", VECTORS)
def test_mirroring_twice_changes_nothing(name: str) -> None:
    values = torch.randn(5, layout.size(VECTORS[name]))
    image = mirror(values, VECTORS[name])
    assert not torch.equal(image, values)
    assert torch.equal(mirror(image, VECTORS[name]), values)


@pytest.mark.parametrize("name", VECTORS)
def test_every_entry_has_one_image(name: str) -> None:
    index, sign = mirror_map(VECTORS[name])
    assert sorted(index.tolist()) == list(range(layout.size(VECTORS[name])))
    assert set(sign.tolist()) <= {-1.0, 1.0}


def test_every_term_of_the_layout_is_mirrored_within_itself() -> None:
    for terms in VECTORS.values():
        index, _ = mirror_map(terms)
        for place in layout.slices(terms).values():
            assert sorted(index[place].tolist()) == list(range(place.start, place.stop))
    assert set(MIRRORS) == {term.name for terms in VECTORS.values() for term in terms}


def reflected(points: torch.Tensor) -> torch.Tensor:
    """Points (..., 4, 3) across the x-z plane, left and right legs exchanged."""
    return points[..., [1, 0, 3, 2], :] * torch.tensor([1.0, -1.0, 1.0])


def test_mirrored_joints_put_the_feet_at_the_mirrored_places() -> None:
    joints = torch.from_numpy(layout.DEFAULT_JOINT_POSITION).float() + 0.3 * torch.randn(7, 12)
    term = (next(term for term in layout.PROPRIO if term.name == "joint_position"),)
    feet, image = gait.leg_fk(joints), gait.leg_fk(mirror(joints, term))
    torch.testing.assert_close(image, reflected(feet), atol=1e-5, rtol=0)


def test_mirrored_actions_give_mirrored_joint_targets() -> None:
    cfg = gait.GaitConfig()
    phase, action = 2 * torch.pi * torch.rand(6, 4), torch.randn(6, 16)
    image = mirror(action, layout.ACTION)
    targets = gait.joint_targets(
        gait.advance(phase, action[:, :4], torch.zeros(6, dtype=torch.bool), cfg), action[:, 4:], cfg
    )
    swapped = gait.advance(phase[:, [1, 0, 3, 2]], image[:, :4], torch.zeros(6, dtype=torch.bool), cfg)
    joints = (next(term for term in layout.PROPRIO if term.name == "joint_position"),)
    torch.testing.assert_close(
        gait.joint_targets(swapped, image[:, 4:], cfg), mirror(targets, joints), atol=1e-5, rtol=0
    )


def test_heights_of_a_mirrored_terrain_are_the_mirrored_heights() -> None:
    def terrain(xy: np.ndarray) -> np.ndarray:
        return np.sin(3 * xy[..., 0]) + 0.7 * xy[..., 1] + np.cos(5 * xy[..., 1] + xy[..., 0])

    feet = np.array([[0.4, 0.3], [0.5, -0.2], [-0.3, 0.25], [-0.4, -0.35]])
    flip = np.array([1, -1])
    points = feet[:, None] + layout.ring_offsets()
    image_points = (feet * flip)[[1, 0, 3, 2]][:, None] + layout.ring_offsets()
    heights, image = terrain(points).ravel(), terrain(image_points * flip).ravel()
    np.testing.assert_allclose(mirror(torch.from_numpy(heights), layout.EXTERO).numpy(), image, atol=1e-6)


def test_pushing_left_and_turning_left_become_right() -> None:
    proprio = torch.zeros(layout.size(layout.PROPRIO))
    places = layout.slices(layout.PROPRIO)
    proprio[places["command"]] = torch.tensor([1.0, 2.0, 3.0])
    proprio[places["linear_velocity_b"]] = torch.tensor([1.0, 2.0, 3.0])
    proprio[places["angular_velocity_b"]] = torch.tensor([1.0, 2.0, 3.0])
    image = mirror(proprio, layout.PROPRIO)
    assert image[places["command"]].tolist() == [1, -2, -3]
    assert image[places["linear_velocity_b"]].tolist() == [1, -2, 3]
    assert image[places["angular_velocity_b"]].tolist() == [-1, 2, -3]


def test_torque_is_mirrored_like_lever_cross_force() -> None:
    lever, force = torch.randn(3), torch.randn(3)
    flip = torch.tensor([1.0, -1.0, 1.0])
    privileged = torch.zeros(layout.size(layout.PRIVILEGED))
    places = layout.slices(layout.PRIVILEGED)
    privileged[places["external_force_b"]] = force
    privileged[places["external_torque_b"]] = torch.linalg.cross(lever, force)
    image = mirror(privileged, layout.PRIVILEGED)
    torque = torch.linalg.cross(lever * flip, image[places["external_force_b"]])
    torch.testing.assert_close(image[places["external_torque_b"]], torque)


def test_augmentation_appends_the_image_of_every_group() -> None:
    groups = {name: torch.randn(3, layout.size(terms)) for name, terms in layout.GROUPS.items()}
    obs, actions = augment(None, TensorDict(groups, batch_size=[3]), torch.randn(3, 16))
    assert obs is not None and actions is not None and obs.batch_size[0] == len(actions) == 6
    for name, values in groups.items():
        assert torch.equal(obs[name][:3], values)
        assert torch.equal(obs[name][3:], mirror(values, layout.GROUPS[name]))


def symmetric_robot() -> mujoco.MjModel:
    """The robot on a plane, its small left-right differences in mass distribution averaged out."""
    spec = robot_spec(visual=False)
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], contype=0, conaffinity=1)
    model = spec.compile()
    bodies = ["base", *(f"{leg}_{link}" for leg in layout.LEGS for link in ("HIP", "THIGH", "SHANK"))]
    others = ["base", *(f"{layout.LEGS[i]}_{link}" for i in OTHER_LEG for link in ("HIP", "THIGH", "SHANK"))]
    flip = np.array([1, -1, 1])
    moments, centres, masses = {}, {}, {}
    for name in bodies:
        body = model.body(name)
        axes = np.zeros(9)
        mujoco.mju_quat2Mat(axes, body.iquat)
        axes = axes.reshape(3, 3)
        moments[name], centres[name], masses[name] = axes * body.inertia @ axes.T, body.ipos.copy(), body.mass[0]
    for name, other in zip(bodies, others, strict=True):
        body = model.body(name)
        body.mass = (masses[name] + masses[other]) / 2
        body.ipos = (centres[name] + flip * centres[other]) / 2
        moment = (moments[name] + moments[other] * np.outer(flip, flip)) / 2
        body.inertia, axes = np.linalg.eigh(moment)
        axes[:, 2] *= np.sign(np.linalg.det(axes))
        mujoco.mju_mat2Quat(body.iquat, axes.ravel())
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def fall(
    model: mujoco.MjModel, qpos: np.ndarray, qvel: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """State after 0.2 s under constant joint targets."""
    data = mujoco.MjData(model)
    data.qpos, data.qvel, data.ctrl = qpos, qvel, targets
    mujoco.mj_step(model, data, nstep=40)
    assert data.ncon > 0
    return data.qpos.copy(), data.qvel.copy()


def mirrored_joints(values: np.ndarray) -> np.ndarray:
    term = (next(term for term in layout.PROPRIO if term.name == "joint_position"),)
    return mirror(torch.from_numpy(values), term).numpy()


def test_mirrored_robot_with_mirrored_targets_moves_like_the_mirror_image() -> None:
    model, generator = symmetric_robot(), np.random.default_rng(0)
    joints = layout.DEFAULT_JOINT_POSITION + 0.2 * generator.standard_normal(12)
    targets = joints + 0.3 * generator.standard_normal(12)
    quaternion = np.array([1.0, 0.1, -0.05, 0.2]) / np.linalg.norm([1.0, 0.1, -0.05, 0.2])
    velocity, rate, joint_rate = (
        generator.standard_normal(3),
        generator.standard_normal(3),
        generator.standard_normal(12),
    )
    vector, pseudovector = np.array(VECTOR), np.array(PSEUDOVECTOR)

    def image(qpos: np.ndarray, qvel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turn = np.array([1, *pseudovector])
        return (
            np.concatenate([qpos[:3] * vector, qpos[3:7] * turn, mirrored_joints(qpos[7:])]),
            np.concatenate([qvel[:3] * vector, qvel[3:6] * pseudovector, mirrored_joints(qvel[6:])]),
        )

    start = np.concatenate([[0.1, 0.2, 0.55], quaternion, joints]), np.concatenate([velocity, rate, joint_rate])
    end = image(*fall(model, *start, targets))
    end_of_image = fall(model, *image(*start), mirrored_joints(targets))
    np.testing.assert_allclose(end_of_image[0], end[0], atol=1e-4)
    np.testing.assert_allclose(end_of_image[1], end[1], atol=1e-2)
