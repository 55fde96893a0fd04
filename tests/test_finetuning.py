"""Fine-tuning: PPO goes on with a Student's head, and with nothing else of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import rows, start_finetuning, student_record, teacher_record, training_hash
from refusals import refusal

import train
from agents.archive import CheckpointError
from agents.checkpoint import load_policy, read_policy, read_resume
from agents.policies import StudentPolicy
from agents.ppo import LEAST_LEARNING_RATE
from anymal_policy.student import StudentConfig


def resume(path: Path, iterations: int, precision: str) -> Any:
    """Continue in a process that knows other random numbers and starts from another Student."""
    continued = start_finetuning(path, iterations, precision, seed=99)
    continued.alg.begin_with(student_record(seed=8)["network"])
    continued.restore(read_resume(path))
    return continued


def test_only_the_head_learns_and_it_learns_what_is_rewarded(tmp_path: Path) -> None:
    runner = start_finetuning(tmp_path, 60, num_steps_per_env=16, desired_kl=0.5, averaging=1)
    runner.train()
    before, after = student_record()["network"], read_policy(tmp_path)["network"]
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {name for name in after if name.startswith("head.")}
    rewards = [float(row["train/reward"]) for row in rows(tmp_path)]
    assert sum(rewards[-5:]) > 1.05 * sum(rewards[:5])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_four_iterations_equal_two_and_resumed_two(tmp_path: Path, precision: str) -> None:
    start_finetuning(tmp_path / "whole", 4, precision).train()
    start_finetuning(tmp_path / "parts", 2, precision).train()
    assert read_resume(tmp_path / "parts")["hidden"].abs().max() > 0.01
    resume(tmp_path / "parts", 4, precision).train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")
    record = read_policy(tmp_path / "parts")
    assert (record["teacher_hash"], record["student_hash"]) == ("of the Teacher", "of the Student")


@pytest.mark.parametrize("network", [StudentConfig(), StudentConfig(extero=False), StudentConfig(memory="mlp")])
def test_robots_of_a_rollout_act_as_the_policy_would_through_ends_of_episodes(
    tmp_path: Path, network: StudentConfig
) -> None:
    runner = start_finetuning(tmp_path, 1, network=network)
    runner.save(str(tmp_path / "resume.pt"))
    policy, alg, env = load_policy(tmp_path), runner.alg, runner.env
    assert isinstance(policy, StudentPolicy)
    obs = env.get_observations()
    for _ in range(12):  # an episode takes 10
        alg.storage.clear()
        alg.act(obs)
        mean = alg.transition.distribution_params[0]  # type: ignore
        torch.testing.assert_close(mean, policy.act(obs))
        obs, reward, dones, extras = env.step(torch.zeros(8, 16))
        alg.process_env_step(obs, reward, dones, extras)
        policy.reset(dones)


def test_updates_read_what_the_rollout_read(tmp_path: Path) -> None:
    runner = start_finetuning(tmp_path, 1)
    alg, obs = runner.alg, runner.env.get_observations()
    alg.act(obs)
    inputs = alg.network_inputs(alg.transition.observations)  # type: ignore
    torch.testing.assert_close(alg.actor(inputs), alg.transition.distribution_params[0])  # type: ignore
    torch.testing.assert_close(alg.critic(inputs), alg.transition.values)


def test_it_starts_with_the_teachers_critic_and_noise_gently(tmp_path: Path) -> None:
    runner, teacher = start_finetuning(tmp_path, 1), teacher_record()
    networks: Any = runner.alg.networks()
    for name, value in networks["critic"].teacher.state_dict().items():
        assert torch.equal(value, teacher["critic"][name])
    assert torch.equal(runner.alg.actor.distribution.state_dict()["log_std_param"], teacher["std"]["log_std_param"])  # type: ignore
    assert runner.alg.learning_rate == LEAST_LEARNING_RATE
    assert runner.env.level == 4  # type: ignore


def test_a_student_of_another_teacher_is_refused(tmp_path: Path) -> None:
    other = student_record() | {"normalizer": teacher_record(seed=6)["normalizer"]}
    with pytest.raises(CheckpointError, match="another Teacher"):
        start_finetuning(tmp_path, 1).init_from(other)


def test_command_line_takes_the_students_variant_and_goes_on_after_a_stop(tmp_path: Path, capsys: Any) -> None:
    size = "--num-envs 4 --threads 1 --seed 7 --task anymal_flat --agent.num-steps-per-env 4 --agent.warm-up-steps 2"
    small = "--student.num-steps-per-env 4 --student.gradient-length 2 --student.network.no-extero --max-iterations 1"
    both, path = str(tmp_path / "both"), str(tmp_path / "finetuned")
    distilled = [*size.split(), *small.split(), "--student.max-iterations", "1", "--run-dir", both]
    assert train.main(distilled) == 0
    stage = ["--stage", "finetune", "--run-dir", path, "--num-envs", "8", "--threads", "1", "--max-iterations", "1"]
    assert "with --teacher" in refusal(capsys, *stage, "--init-from", both)
    assert "with --init-from" in refusal(capsys, *stage, "--teacher", both)
    teacher = ["--teacher", both, "--init-from", f"{both}/teacher/policy.pt"]
    assert "a student is needed" in refusal(capsys, *stage, *teacher)
    assert train.main([*stage, "--teacher", both, "--init-from", both, "--finetune.num-steps-per-env", "4"]) == 0
    record = read_policy(path)
    assert record["kind"] == "student" and not record["student"]["extero"]
    assert record["env"]["noisy_groups"] and record["env"]["height_noise"]["factor"] == 1.0
    assert "--finetune.gamma" in refusal(capsys, "--resume", path, "--finetune.gamma", "0.9")
    assert train.main(["--resume", path, "--max-iterations", "2"]) == 0
    assert read_resume(path)["iteration"] == 2 and isinstance(load_policy(path), StudentPolicy)


def test_many_robots_are_the_default() -> None:
    stage = ["--stage", "finetune", "--teacher", "pretrained/teacher.pt", "--init-from", "pretrained/blind.pt"]
    args = train.parse(stage)
    assert args.env.num_envs == 4096 and not args.finetune.network.extero
