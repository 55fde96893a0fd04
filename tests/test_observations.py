"""Every quantity of a state lands in its place of the layout, in its frame."""

from __future__ import annotations

import math

import torch
from einops import rearrange
from torch import Tensor
from torch.testing import assert_close
from worlds import state

from anymal_policy import layout
from envs import observations
from envs.frames import roll_pitch_quaternion, yaw_quaternion
from envs.state import State, push

N = 3


def random_state(seed: int = 0) -> State:
    """Robots whose every number is another one, but for their upright pose."""
    generator = torch.Generator().manual_seed(seed)
    s = state(N)
    for name, value in vars(s).items():
        if isinstance(value, Tensor) and name not in ("base_quaternion", "gravity_b"):
            value.copy_(torch.randn(value.shape, generator=generator))
    s.gravity_b[:] = torch.randn(N, 3, generator=generator)
    return s


def term(s: State, group: str, name: str) -> Tensor:
    return observations.observe(s)[group][:, layout.slices(layout.GROUPS[group])[name]]


def test_groups_have_the_sizes_of_the_paper() -> None:
    groups = observations.observe(random_state())
    assert {name: tuple(group.shape) for name, group in groups.items()} == {
        "proprio": (N, 133),
        "extero": (N, 208),
        "privileged": (N, 50),
    }
    assert all(group.dtype == torch.float32 for group in groups.values())


def test_each_group_computes_the_terms_of_the_layout_and_no_others() -> None:
    s = random_state()
    for name, group in observations.GROUPS.items():
        terms = group(s)
        assert terms.keys() == {term.name for term in layout.GROUPS[name]}
        assert all(terms[term.name].shape == (N, term.size) for term in layout.GROUPS[name])


def test_proprioception_is_raw_and_in_the_order_of_the_paper() -> None:
    s = random_state()
    proprio = observations.observe(s)["proprio"]
    assert_close(proprio[:, 0:3], s.command)
    assert_close(proprio[:, 3:6], s.gravity_b)
    assert_close(proprio[:, 6:9], s.linear_velocity_b)
    assert_close(proprio[:, 9:12], s.angular_velocity_b)
    assert_close(proprio[:, 12:24], s.joint_position)
    assert_close(proprio[:, 24:36], s.joint_velocity)


def test_histories_are_newest_first() -> None:
    s = random_state()
    for age in range(3):
        one = term(s, "proprio", "joint_position_history")[:, 12 * age : 12 * age + 12]
        assert_close(one, s.joint_position_history[:, age])
    for age in range(2):
        one = term(s, "proprio", "joint_velocity_history")[:, 12 * age : 12 * age + 12]
        assert_close(one, s.joint_velocity_history[:, age])


def test_target_history_is_the_last_target_and_the_one_before() -> None:
    s = random_state()
    targets = term(s, "proprio", "joint_target_history")
    assert_close(targets[:, :12], s.joint_target)
    assert_close(targets[:, 12:], s.joint_target_history[:, 0])


def test_a_pushed_history_has_the_newest_entry_in_front_and_forgets_the_oldest() -> None:
    history = torch.arange(3.0).reshape(1, 3, 1)
    pushed = push(history, torch.tensor([[9.0]]))
    assert pushed.flatten().tolist() == [9, 0, 1]
    assert history.flatten().tolist() == [0, 1, 2]


def test_gait_phase_is_seen_as_offset_cosine_sine_and_frequency() -> None:
    s = random_state()
    gait = observations.observe(s)["proprio"][:, 120:]
    assert_close(gait[:, 0:4], s.phase_offset)
    assert_close(gait[:, 4:8], torch.cos(s.phase))
    assert_close(gait[:, 8:12], torch.sin(s.phase))
    assert_close(gait[:, 12], s.base_frequency)


def test_heights_are_grouped_by_foot() -> None:
    s = random_state()
    extero = observations.observe(s)["extero"]
    for foot in range(4):
        assert_close(extero[:, 52 * foot : 52 * foot + 52], s.height_samples[:, foot].clamp(-1, 1))


def test_privileged_scalars_are_in_the_order_of_the_paper() -> None:
    s = random_state()
    privileged = observations.observe(s)["privileged"]
    assert_close(privileged[:, 0:4], s.foot_contact)
    assert_close(privileged[:, 28:32], s.friction)
    assert_close(privileged[:, 32:36], s.thigh_contact)
    assert_close(privileged[:, 36:40], s.shank_contact)
    assert_close(privileged[:, 46:50], s.air_time)


VECTORS = {
    "contact_force": "foot_force_w",
    "contact_normal": "foot_normal_w",
    "external_force_b": "external_force_w",
    "external_torque_b": "external_torque_w",
}


def test_an_upright_robot_that_faces_along_x_sees_world_vectors() -> None:
    s = random_state()
    for name, quantity in VECTORS.items():
        expected = getattr(s, quantity).reshape(N, -1)
        assert_close(term(s, "privileged", name), expected, atol=1e-6, rtol=0)


def test_a_robot_that_faces_left_sees_the_worlds_y_axis_ahead_and_x_to_its_right() -> None:
    s = random_state()
    s.base_quaternion[:] = yaw_quaternion(torch.tensor(math.pi / 2))
    for name, quantity in VECTORS.items():
        world = getattr(s, quantity).reshape(N, -1, 3)
        seen = rearrange(term(s, "privileged", name), "n (vector xyz) -> n vector xyz", xyz=3)
        assert_close(seen, torch.stack([world[..., 1], -world[..., 0], world[..., 2]], -1), atol=1e-5, rtol=0)


def test_a_robot_with_its_nose_down_sees_an_upright_normal_lean_backwards() -> None:
    s = state(1, foot_normal_w=torch.tensor([0.0, 0.0, 1.0]))
    s.base_quaternion[:] = roll_pitch_quaternion(torch.tensor(0.0), torch.tensor(0.3))
    seen = term(s, "privileged", "contact_normal")[0, :3]
    assert_close(seen, torch.tensor([-math.sin(0.3), 0.0, math.cos(0.3)]), atol=1e-6, rtol=0)


def test_a_foot_without_contact_has_no_normal() -> None:
    assert_close(term(state(1), "privileged", "contact_normal"), torch.zeros(1, 12))


def test_observations_share_no_memory_with_the_state() -> None:
    s = random_state()
    seen = observations.observe(s)
    before = {name: group.clone() for name, group in seen.items()}
    for value in vars(s).values():
        if isinstance(value, Tensor):
            value.zero_()
    assert all(torch.equal(seen[name], before[name]) for name in seen)
