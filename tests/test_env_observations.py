"""What the environment observes of its robots: of which step, of which place, from the first step of an episode on."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from einops import rearrange
from rollouts import actions
from torch import Tensor
from torch.testing import assert_close
from worlds import TAME, environment, observed

from anymal_policy import gait, layout
from envs.commands import CommandConfig
from envs.randomization import NONE
from envs.robot import FOOT_RADIUS
from envs.terrains import make_tile


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def test_commands_are_seen_and_rewarded_from_the_first_step_on() -> None:
    env = environment(2, **TAME)
    command = torch.tensor([[0.5, 0.0, 0.2]]).expand(2, 3)
    assert_close(observed(env, "command"), command)
    env.step(torch.zeros(2, 16))
    assert_close(env.state.command, command)
    standing = environment(2, commands=CommandConfig(fixed=(0, 0, 0)), randomization=NONE)
    assert_close(observed(standing, "base_frequency"), torch.zeros(2, 1))
    assert_close(observed(env, "base_frequency"), torch.full((2, 1), 1.25))


def test_histories_are_one_two_and_three_policy_steps_old() -> None:
    env = environment(2, **TAME)
    seen: list[dict[str, Tensor]] = []
    for action in actions(env, 5):
        env.step(0.3 * action)
        names = ("joint_position", "joint_velocity", "joint_target_history")
        seen.append({name: observed(env, name) for name in names})
    positions, velocities = observed(env, "joint_position_history"), observed(env, "joint_velocity_history")
    for age in (1, 2, 3):
        assert torch.equal(positions[:, 12 * age - 12 : 12 * age], seen[-1 - age]["joint_position"])
    for age in (1, 2):
        assert torch.equal(velocities[:, 12 * age - 12 : 12 * age], seen[-1 - age]["joint_velocity"])
    assert torch.equal(seen[-1]["joint_target_history"][:, 12:], seen[-2]["joint_target_history"][:, :12])
    assert not torch.equal(seen[-1]["joint_target_history"][:, 12:], seen[-1]["joint_target_history"][:, :12])
    assert torch.equal(env.state.joint_target_history[:, 1], seen[-3]["joint_target_history"][:, :12])


def test_an_action_moves_phase_and_joint_targets_of_the_same_step() -> None:
    env = environment(2, **TAME)
    phase, action = env.state.phase.clone(), actions(env, 1)[0]
    env.step(action)
    moved = gait.advance(phase, action[:, :4], torch.zeros(2, dtype=torch.bool), env.cfg.gait)
    assert_close(observed(env, "phase_cos"), moved.cos())
    assert_close(observed(env, "phase_offset"), action[:, :4])
    assert_close(observed(env, "joint_target_history")[:, :12], gait.joint_targets(moved, action[:, 4:], env.cfg.gait))
    controls = torch.from_numpy(env.simulation.control[:, env.simulation.actuators]).float()
    assert_close(controls, env.state.joint_target)


def test_air_time_counts_steps_without_contact() -> None:
    env = environment(1, **TAME)
    contacts, airs = [], []
    for _ in range(60):
        env.step(torch.zeros(1, 16))
        contacts.append(observed(env, "contact_state")[0])
        airs.append(observed(env, "air_time")[0])
    expected = torch.zeros(4)
    for contact, air in zip(contacts, airs, strict=True):
        expected = torch.where(contact > 0, 0.0, expected + 0.02)
        assert_close(air, expected)
    assert torch.stack(airs).max() > 0.2


def test_heights_are_those_of_the_surface_around_each_foot_turned_with_the_robot() -> None:
    env = environment(6, [make_tile("stairs_standard", 0.7, size=(4.0, 4.0), height=0.12)], randomization=NONE)
    for action in actions(env, 8):
        env.step(0.2 * action)
    offsets = layout.ring_offsets()
    samples = rearrange(env.get_observations()["extero"], "n (foot point) -> n foot point", foot=4)
    assert samples.std() > 0.02
    for row in range(6):
        matrix = np.zeros(9)
        mujoco.mju_quat2Mat(matrix, env.simulation.qpos[row, 3:7])
        forward = matrix.reshape(3, 3)[:2, 0] / np.linalg.norm(matrix.reshape(3, 3)[:2, 0])
        left = np.array([-forward[1], forward[0]])
        for foot in range(4):
            x, y, z = env.state.foot_position_w[row, foot].double().numpy()
            points = np.array([x, y]) + offsets[:, :1] * forward + offsets[:, 1:] * left
            expected = env.surface.height(points) - (z - FOOT_RADIUS)
            np.testing.assert_allclose(samples[row, foot].numpy(), expected, atol=1e-4)


def test_heights_around_a_standing_foot_on_level_ground_are_zero() -> None:
    env = environment(1, commands=CommandConfig(fixed=(0, 0, 0)), randomization=NONE)
    for _ in range(80):
        env.step(torch.zeros(1, 16))
    assert_close(env.get_observations()["extero"], torch.zeros(1, 208), atol=3e-3, rtol=0)


def test_a_finished_episode_shows_the_first_observation_of_the_next() -> None:
    env = environment(3, **TAME, episode_seconds=0.2)
    for action in actions(env, 9):
        assert not env.step(action)[2].any()
    env.episode_length_buf[2] = 0
    done = env.step(actions(env, 1)[0])[2]
    assert done.tolist() == [True, True, False]
    for row in range(2):
        position = observed(env, "joint_position")[row]
        assert_close(observed(env, "joint_position_history")[row], position.repeat(3))
        assert_close(observed(env, "joint_velocity_history")[row], observed(env, "joint_velocity")[row].repeat(2))
        targets = observed(env, "joint_target_history")[row]
        assert_close(targets[:12], targets[12:])
        assert_close(position, targets[:12])
        assert not observed(env, "phase_offset")[row].any() and not observed(env, "air_time")[row].any()
        assert not observed(env, "linear_velocity_b")[row].any()
    assert observed(env, "phase_offset")[2].any()
    assert not torch.equal(observed(env, "phase_cos")[0], observed(env, "phase_cos")[1])
    fresh = env.simulation.read()
    assert_close(env.state.foot_position_w, fresh.foot_position_w)
    assert_close(env.state.foot_force_w[:2], torch.zeros(2, 4, 3))
