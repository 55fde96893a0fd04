"""The Student's training run and the policy that it leaves behind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import rows, start_student, teacher_record, training_hash
from torch import Tensor

import evaluate
import train
from agents.archive import CheckpointError
from agents.checkpoint import load_policy, read_policy, read_resume
from agents.config import LEAST_LEARNING_RATE
from agents.distillation import TENFOLD
from agents.models import sizes_for
from agents.policies import StudentPolicy
from agents.runner import StudentRunner
from anymal_policy.student import StudentConfig
from envs.anymal import AnymalEnv
from envs.height_noise import HeightNoiseConfig
from envs.tasks import TASKS


def resume(path: Path, iterations: int, precision: str = "fp32", env: Any = None) -> StudentRunner:
    """Continue in a process that knows another Teacher and other random numbers."""
    continued = start_student(path, iterations, precision, seed=99, env=env)
    continued.teach(teacher_record(seed=6, sizes=sizes_for(continued.env.get_observations())))
    continued.restore(read_resume(path))
    return continued


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_four_iterations_equal_two_and_resumed_two(tmp_path: Path, precision: str) -> None:
    start_student(tmp_path / "whole", 4, precision).train()
    start_student(tmp_path / "parts", 2, precision).train()
    assert read_resume(tmp_path / "parts")["hidden"].abs().max() > 0.01
    resume(tmp_path / "parts", 4, precision).train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")
    names = ("iteration", "train/samples", "policy/learning_rate", "loss/total", "loss/privileged/friction")
    for whole, parts in zip(rows(tmp_path / "whole"), rows(tmp_path / "parts"), strict=True):
        assert [whole[name] for name in names] == [parts[name] for name in names]
    assert read_policy(tmp_path / "parts")["teacher_hash"] == "of the Teacher"


def test_resume_of_a_noisy_environment_is_bit_exact(tmp_path: Path) -> None:
    noise = HeightNoiseConfig(start_steps=50, full_steps=100)
    cfg = replace(TASKS["anymal_flat"], num_envs=8, threads=1, episode_seconds=0.2, noisy_groups=True)

    def env() -> AnymalEnv:
        return AnymalEnv(replace(cfg, height_noise=noise, curriculum=replace(cfg.curriculum, flat_steps=100)))

    start_student(tmp_path / "whole", 4, env=env()).train()
    start_student(tmp_path / "parts", 2, env=env()).train()
    resume(tmp_path / "parts", 4, env=env()).train()
    assert training_hash(tmp_path / "parts") == training_hash(tmp_path / "whole")


def test_policys_weights_are_their_running_mean(tmp_path: Path) -> None:
    runner, name = start_student(tmp_path, 4), "head.0.weight"
    update, after = runner.alg.update, [runner.alg.student.network.state_dict()[name].clone()]

    def recorded() -> dict[str, float]:
        losses = update()
        after.append(runner.alg.student.network.state_dict()[name].clone())
        return losses

    assert torch.equal(runner.policy_record()["network"][name], after[0])
    runner.alg.update = recorded  # type: ignore
    runner.train()
    mean = after[1]
    for updates, weight in enumerate(after[2:], start=1):
        mean = mean + 5 / (updates + 5) * (weight - mean)
    torch.testing.assert_close(read_policy(tmp_path)["network"][name], mean)
    assert not torch.equal(mean, after[-1])


@pytest.mark.parametrize("cfg", [StudentConfig(), StudentConfig(gate=False, memory="mlp"), StudentConfig(extero=False)])
def test_loaded_policy_acts_like_the_trained_one_through_ends_of_episodes(tmp_path: Path, cfg: StudentConfig) -> None:
    runner = start_student(tmp_path, 2, network=cfg, averaging=1)
    runner.train()
    policy, student = load_policy(tmp_path), runner.alg.student
    student.reset(torch.ones(8))
    policy.reset(torch.ones(8, dtype=torch.bool))
    for step in range(4):
        obs = runner.env.get_observations()
        torch.testing.assert_close(policy.act(obs), student(obs).detach(), atol=0, rtol=0)
        dones = torch.arange(8) % 3 == step
        policy.reset(dones)
        student.reset(dones)
        runner.env.step(torch.zeros(8, 16))
    assert policy.meta["kind"] == "student" and policy.meta["teacher_hash"] == "of the Teacher"


def test_policy_forgets_finished_robots_alone_and_starts_anew_with_another_number(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    runner.train()
    policy, obs = load_policy(tmp_path), runner.env.get_observations()
    first = policy.act(obs)
    second = policy.act(obs)
    policy.reset(torch.arange(8) < 2)
    third = policy.act(obs)
    assert torch.equal(third[:2], first[:2]) and (second[:2] - first[:2]).abs().max() > 1e-4
    assert (third[2:] - first[2:]).abs().max() > 1e-4
    torch.testing.assert_close(policy.act(obs[:3]), first[:3])


def test_blind_student_ignores_heights_and_a_seeing_one_does_not(tmp_path: Path) -> None:
    for blind in (True, False):
        runner = start_student(tmp_path / str(blind), 1, network=StudentConfig(extero=not blind))
        runner.train()
        policy, obs = load_policy(tmp_path / str(blind)), runner.env.get_observations()
        action = policy.act(obs)
        obs["extero_noisy"] = obs["extero_noisy"] + 1.0
        policy.reset(torch.ones(8))
        assert torch.equal(policy.act(obs), action) == blind


def test_policy_reads_neither_the_truth_nor_the_privileged_state(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    runner.train()
    policy, obs = load_policy(tmp_path), runner.env.get_observations()
    action = policy.act(obs)
    policy.reset(torch.ones(8))
    assert torch.equal(policy.act(obs.select("proprio_noisy", "extero_noisy")), action)


def test_reconstruction_of_a_loaded_policy_is_in_the_teachers_units(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    runner.train()
    policy = load_policy(tmp_path)
    assert isinstance(policy, StudentPolicy)
    policy.act(runner.env.get_observations())
    assert policy.output.heights.shape == (8, 208) and policy.output.privileged.shape == (8, 50)
    for name, value in teacher_record()["normalizer"].items():
        assert torch.equal(policy.normalizer.state_dict()[name], value)


def test_student_starts_on_its_teachers_terrain(tmp_path: Path) -> None:
    assert start_student(tmp_path, 1).env.level == 3  # type: ignore


def test_files_are_small_and_name_what_they_are(tmp_path: Path) -> None:
    start_student(tmp_path, 1).train()
    assert (tmp_path / "policy.pt").stat().st_size < 5_000_000
    with pytest.raises(CheckpointError, match="holds a student, but a teacher is needed"):
        read_policy(tmp_path, "teacher")


def test_what_cannot_be_taught_is_refused(tmp_path: Path) -> None:
    record = teacher_record()
    record["network"]["head.0.weight"] = torch.zeros(3, 3)
    with pytest.raises(CheckpointError, match="another shape"):
        start_student(tmp_path, 1).teach(record)
    with pytest.raises(ValueError, match="raise --num-envs"):
        start_student(tmp_path, 1, num_mini_batches=9)
    with pytest.raises(ValueError, match="multiple of gradient_length"):
        start_student(tmp_path, 1, num_steps_per_env=9)


def begun(path: Path, iterations: int, **settings: Any) -> StudentRunner:
    """A Student that goes on from one which has learnt something."""
    if not (path / "first").exists():
        start_student(path / "first", 3, averaging=1).train()
    runner = start_student(path / "second", iterations, **settings)
    assert runner.init_from(read_policy(path / "first")) == []
    return runner


def test_a_student_of_another_teacher_begins_with_this_ones_normaliser_which_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start_student(tmp_path / "first", 1).train()
    runner = start_student(tmp_path / "second", 1)
    runner.teach(teacher_record(seed=6))
    assert runner.init_from(read_policy(tmp_path / "first")) == []
    assert "scaled by this Teacher's normaliser" in capsys.readouterr().err


def test_a_student_with_other_observations_is_no_beginning(tmp_path: Path) -> None:
    start_student(tmp_path / "first", 1).train()
    record = read_policy(tmp_path / "first")
    record["network"] = {name: tensor[..., :1].clone() for name, tensor in record["network"].items()}
    with pytest.raises(CheckpointError, match="observations of other sizes"):
        start_student(tmp_path / "second", 1).init_from(record)


def weights(runner: StudentRunner) -> Tensor:
    return torch.cat([weight.detach().flatten().clone() for weight in runner.alg.student.network.parameters()])


def test_a_student_that_goes_on_from_another_begins_with_small_steps(tmp_path: Path) -> None:
    """Adam's first steps have the size of the learning rate, whatever the gradient."""
    runner, steps = begun(tmp_path, 1), 2 * 4 * 2  # passes, groups of robots, parts of the rollout
    before = weights(runner)
    runner.train()
    change = (weights(runner) - before).abs().max()
    assert 0 < change < 1.1 * steps * LEAST_LEARNING_RATE
    anew = start_student(tmp_path / "anew", 1)
    before = weights(anew)
    anew.train()
    assert (weights(anew) - before).abs().max() > 10 * change


def test_its_learning_rate_rises_with_samples_up_to_the_schedule(tmp_path: Path) -> None:
    alg, rates = begun(tmp_path, 1).alg, []
    for alg.samples in (0, TENFOLD, 10 * TENFOLD):
        alg._decay_learning_rate()
        rates.append(alg.optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-5, 1e-4, 5e-4 * 0.98 ** (10 * TENFOLD / 250_000)])


def test_its_policy_is_the_mean_of_a_window_that_begins_with_the_other(tmp_path: Path) -> None:
    runner = begun(tmp_path, 1, averaging=6400)
    runner.train()
    old, new = read_policy(tmp_path / "first")["network"], runner.alg.student.network.state_dict()
    for name, mean in read_policy(tmp_path / "second")["network"].items():
        torch.testing.assert_close(mean, torch.lerp(old[name], new[name], 8 * 8 / 6400), rtol=0, atol=1e-7)


def test_resume_of_a_gentle_start_is_bit_exact(tmp_path: Path) -> None:
    begun(tmp_path, 2).train()
    resumed = start_student(tmp_path / "second", 4, seed=99)
    resumed.restore(read_resume(tmp_path / "second"))
    resumed.train()
    parts = training_hash(tmp_path / "second")
    begun(tmp_path, 4).train()
    assert training_hash(tmp_path / "second") == parts


@pytest.mark.slow
def test_the_shipped_student_is_no_worse_after_a_few_iterations(tmp_path: Path) -> None:
    """On stairs of 0.15 m, with the weights as they are after every update and as policy.pt averages them."""
    root = Path(train.__file__).parent
    teacher, student = (str(root / "pretrained" / f"{name}.pt") for name in ("teacher", "student"))
    runs = [str(tmp_path / name) for name in ("mean", "last")]
    for run, averaging in zip(runs, ("4000000", "1"), strict=True):
        size = (
            f"--preset smoke --max-iterations 4 --processes 1 --student.averaging {averaging} --run-dir {run}".split()
        )
        assert train.main(["--stage", "student", "--teacher", teacher, "--init-from", student, *size]) == 0
    table = tmp_path / "table.json"
    ground = ["--terrains", "stairs_up", "--height", "0.15", "--episodes", "40"]
    assert evaluate.main(["--checkpoint", student, *runs, *ground, "--json", str(table)]) == 0
    before, mean, last = (row["success"] for row in json.loads(table.read_text())["cells"])
    assert mean >= before - 0.026 and last >= before - 0.051  # one and two of 40
