from __future__ import annotations

from typing import Any

import pytest
import torch
from policy_files import write_policy, write_student
from tensordict import TensorDict

from envs.config import EnvConfig
from evaluation import agents
from evaluation.agents import load_agent


def test_a_policy_acts_through_the_gait_it_was_trained_with(tmp_path: Any) -> None:
    gait = EnvConfig().gait
    trained = EnvConfig(num_envs=3, action_limit=2.0, gait=type(gait)(residual_scale=0.5))
    write_policy(tmp_path / "policy.pt", trained)
    agent = load_agent(tmp_path)
    assert (agent.env.gait.residual_scale, agent.env.action_limit) == (0.5, 2.0)
    assert agent.env.num_envs == EnvConfig().num_envs
    assert agent.meta["hash"] and agent.name == str(tmp_path)


def test_the_pretrained_student_is_preferred_to_the_teacher(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "ROOT", tmp_path)
    with pytest.raises(ValueError, match="train a policy"):
        load_agent()
    write_policy(tmp_path / "pretrained" / "teacher.pt", EnvConfig())
    assert load_agent().name == "pretrained/teacher.pt"
    (tmp_path / "pretrained" / "student.pt").touch()
    assert agents.find_pretrained() == "pretrained/student.pt"


def test_controls_are_zero_and_repeatable_noise() -> None:
    obs = TensorDict({"proprio": torch.zeros(500, 133)}, batch_size=[500])
    assert not load_agent("zero").act(obs).any()
    noise = load_agent("random")
    noise.start(500, 4)
    first, second = noise.act(obs), noise.act(obs)
    noise.start(500, 4)
    assert torch.equal(noise.act(obs), first) and not torch.equal(first, second)
    assert first.shape == (500, 16) and first.abs().max() <= 1
    assert first.square().mean().item() == pytest.approx(1 / 3, abs=0.02)


def test_only_students_need_the_noisy_groups_and_they_are_stateful(tmp_path: Any) -> None:
    write_policy(tmp_path / "teacher.pt", EnvConfig(noisy_groups=True))
    write_student(tmp_path / "student.pt", EnvConfig())
    assert not load_agent(tmp_path / "teacher.pt").env.noisy_groups
    student = load_agent(tmp_path / "student.pt")
    assert student.env.noisy_groups
    groups = {"proprio_noisy": torch.ones(2, 133), "extero_noisy": torch.ones(2, 208)}
    obs = TensorDict(groups, batch_size=[2])
    student.start(2, 0)
    first, second = student.act(obs), student.act(obs)
    student.reset(torch.tensor([True, False]))
    third = student.act(obs)
    assert torch.equal(third[0], first[0]) and not torch.equal(second[0], first[0])
    assert not torch.equal(third[1], first[1])
    student.start(2, 0)
    assert torch.equal(student.act(obs), first)
