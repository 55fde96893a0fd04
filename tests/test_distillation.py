"""Distillation: what the Student learns from, and how far gradients and memory reach."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from fake_run import start_student, teacher_record
from tensordict import TensorDict
from torch.nn.functional import mse_loss

from agents.runner import StudentRunner
from agents.student import faster_uphill
from anymal_policy import layout
from anymal_policy.normalizer import Normalizer
from anymal_policy.student import Student, StudentConfig, StudentOutput
from anymal_policy.teacher import Teacher

STILL = {"learning_rate": 1e-12, "num_learning_epochs": 1, "num_mini_batches": 1, "max_grad_norm": 1e9, "uphill": 0.0}
"""An update that changes no weight and clips no gradient, with the Teacher's own labels."""


def collect(runner: StudentRunner, steps: int = 8) -> None:
    """A rollout whose robots end their episodes at different times."""
    runner.env.episode_length_buf = torch.arange(8) % 7 + 1
    obs = runner.env.get_observations()
    with torch.inference_mode():
        for _ in range(steps):
            obs, rewards, dones, extras = runner.env.step(runner.alg.act(obs))
            runner.alg.process_env_step(obs, rewards, dones, extras)


def by_hand(runner: StudentRunner, hidden: torch.Tensor) -> tuple[list[torch.Tensor], dict[str, float]]:
    """Losses of the windows of 4 steps, one step and one robot's row after the other, and the means of their parts."""
    student, storage, record = runner.alg.student.network, runner.alg.storage, teacher_record()
    teacher, normalizer = Teacher(16), Normalizer(391)
    teacher.load_state_dict(record["network"])
    normalizer.load_state_dict(record["normalizer"])
    windows, sums = [], dict.fromkeys(("behaviour", "heights", "privileged", "privileged/friction"), 0.0)
    for window in range(2):
        total, hidden = torch.zeros(()), hidden.detach()
        for step in range(4 * window, 4 * window + 4):
            obs = storage.observations[step]
            clean = normalizer(torch.cat([obs["proprio"], obs["extero"], obs["privileged"]], -1))
            noisy = normalizer(torch.cat([obs["proprio_noisy"], obs["extero_noisy"], obs["privileged"]], -1))
            proprio, extero, privileged = clean.split((133, 208, 50), -1)
            output = student(*noisy.split((133, 208, 50), -1)[:2], hidden)
            parts = {
                "behaviour": mse_loss(output.action, teacher(proprio, extero, privileged)),
                "heights": mse_loss(output.heights, extero),
                "privileged": mse_loss(output.privileged, privileged),
                "privileged/friction": mse_loss(output.privileged[:, 28:32], privileged[:, 28:32]),
            }
            total = total + parts["behaviour"] + 0.5 * (parts["heights"] + parts["privileged"])
            sums = {name: sums[name] + parts[name].item() / 8 for name in sums}
            rows = [
                hidden_row * (0.0 if done else 1.0)
                for hidden_row, done in zip(output.hidden.unbind(1), storage.dones[step, :, 0], strict=True)
            ]
            hidden = torch.stack(rows, dim=1)
        windows.append(total / 4)
    return windows, sums


def test_losses_and_gradients_are_those_of_a_loop_written_by_hand(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1, **STILL)
    collect(runner)
    collect_start = torch.zeros(2, 8, 50)
    assert runner.alg.storage.dones.sum() > 3
    windows, parts = by_hand(runner, collect_start)
    windows[1].backward()
    network = runner.alg.student.network
    expected = {name: parameter.grad.clone() for name, parameter in network.named_parameters()}  # type: ignore
    network.zero_grad()
    losses = runner.alg.update()
    assert losses["total"] == pytest.approx(sum(windows).item() / 2, rel=1e-5)  # type: ignore
    assert {name: losses[name] for name in parts} == pytest.approx(parts, rel=1e-5)
    for name, parameter in network.named_parameters():  # of the last window: cut at its start and where episodes end
        torch.testing.assert_close(parameter.grad, expected[name], rtol=1e-4, atol=1e-7)


def test_parts_of_the_loss_make_up_the_total(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    collect(runner)
    losses = runner.alg.update()
    assert losses["total"] == pytest.approx(
        losses["behaviour"] + 0.5 * (losses["heights"] + losses["privileged"]), rel=1e-5
    )
    terms = sum(term.size * losses[f"privileged/{term.name}"] for term in layout.PRIVILEGED)
    assert terms == pytest.approx(50 * losses["privileged"], rel=1e-5)


def test_without_reconstruction_only_actions_count(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1, network=StudentConfig(reconstruct=False))
    collect(runner)
    losses = runner.alg.update()
    assert losses["total"] == pytest.approx(losses["behaviour"], rel=1e-6) and "heights" not in losses


def variants() -> list[StudentConfig]:
    return [StudentConfig(), StudentConfig(gate=False), StudentConfig(memory="mlp"), StudentConfig(reconstruct=False)]


@pytest.mark.parametrize("cfg", variants())
def test_unrolling_equals_one_step_after_the_other(cfg: StudentConfig) -> None:
    torch.manual_seed(0)
    student = Student(cfg)
    proprio, extero, hidden = torch.randn(5, 3, 133), torch.randn(5, 3, 208), torch.randn(2, 3, 50)
    dones = torch.tensor([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]]).bool()
    whole = student.unroll(proprio, extero, hidden, dones)
    steps: list[StudentOutput] = []
    for step in range(5):
        steps.append(student(proprio[step], extero[step], hidden))
        hidden = steps[-1].hidden.clone()
        hidden[:, dones[step]] = 0.0
    torch.testing.assert_close(whole.hidden, hidden)
    for name in ("action", "belief", "privileged", "heights", "gate"):
        expected = torch.stack([getattr(step, name) for step in steps])
        torch.testing.assert_close(getattr(whole, name), expected, rtol=1e-5, atol=1e-6)


def test_no_gradient_and_no_memory_cross_the_end_of_an_episode() -> None:
    torch.manual_seed(0)
    student = Student()
    proprio, extero = torch.randn(4, 2, 133, requires_grad=True), torch.randn(4, 2, 208)
    dones = torch.zeros(4, 2).bool()
    dones[1, 0] = True
    output = student.unroll(proprio, extero, student.initial_hidden(2), dones)
    output.action[2:].sum().backward()
    reach = proprio.grad.abs().sum(-1) > 0  # type: ignore
    assert reach.tolist() == [[False, True], [False, True], [True, True], [True, True]]
    fresh = student.unroll(proprio[2:], extero[2:], student.initial_hidden(2), dones[2:])
    torch.testing.assert_close(output.action[2:, 0], fresh.action[:, 0])
    assert (output.action[2:, 1] - fresh.action[:, 1]).abs().max() > 1e-4


def test_rollouts_zero_the_memory_of_finished_robots_alone(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    runner.env.episode_length_buf = torch.tensor([9, 0, 0, 9, 0, 0, 0, 0])
    with torch.inference_mode():
        obs, rewards, dones, extras = runner.env.step(runner.alg.act(runner.env.get_observations()))
        runner.alg.process_env_step(obs, rewards, dones, extras)
    finished = (runner.alg.student.hidden == 0).all(-1).all(0)
    assert finished.tolist() == dones.tolist() == [True, False, False, True, False, False, False, False]


def test_replay_starts_from_the_memory_with_which_the_rollout_began(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1, **STILL)
    collect(runner)
    runner.alg.update()
    began = runner.alg.student.hidden.clone()
    assert began.abs().max() > 0.01
    collect(runner)
    windows, _ = by_hand(runner, began)
    assert runner.alg.update()["total"] == pytest.approx(sum(windows).item() / 2, rel=1e-5)  # type: ignore


def test_student_starts_as_its_teacher_and_leaves_it_alone(tmp_path: Path) -> None:
    runner, record = start_student(tmp_path, 2), teacher_record()
    student = runner.alg.student.network.state_dict()
    copied = [name for name in record["network"] if name.startswith(("head", "height_encoder"))]
    assert len(copied) == 14
    for name in copied:
        assert torch.equal(student[name], record["network"][name])
    runner.train()
    for name, weight in runner.alg.teacher.network.state_dict().items():
        assert torch.equal(weight, record["network"][name])
    for name, value in runner.policy_record()["normalizer"].items():
        assert torch.equal(value, record["normalizer"][name])
    assert not torch.equal(student["head.0.weight"], record["network"]["head.0.weight"])


def test_faster_uphill_raises_the_forward_command_by_the_pitch_of_a_nose_that_points_up() -> None:
    pitch = torch.deg2rad(torch.tensor([0.0, 20.0, -20.0, 60.0]))
    proprio = torch.randn(4, 133)
    proprio[:, 0] = torch.tensor([0.7, 0.7, 0.7, -0.5])
    proprio[:, 3] = -pitch.sin()
    asked = faster_uphill(proprio, 2.5)
    assert asked[:, 0].tolist() == pytest.approx([0.7, 0.7 / 0.9396926**2.5, 0.7, -0.5 / 0.8**2.5], rel=1e-5)
    assert torch.equal(asked[:, 1:], proprio[:, 1:])
    assert torch.equal(faster_uphill(proprio, 0.0), proprio)


def test_labels_are_the_teachers_at_the_raised_command_and_targets_stay(tmp_path: Path) -> None:
    teachers = [start_student(tmp_path / str(uphill), 1, uphill=uphill).alg.teacher for uphill in (0.0, 2.5)]
    plain, asked = teachers
    obs = start_student(tmp_path / "obs", 1).env.get_observations()
    raised = obs.clone()
    raised["proprio"] = faster_uphill(obs["proprio"], 2.5)
    assert torch.equal(asked(obs), plain(raised)) and not torch.equal(asked(obs), plain(obs))
    assert all(torch.equal(a, b) for a, b in zip(asked.normalized(obs), plain.normalized(obs), strict=True))


def test_losses_fall(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1, learning_rate=2e-3)
    losses = []
    for _ in range(12):
        collect(runner)
        losses.append(runner.alg.update())
    assert losses[-1]["behaviour"] < 0.9 * losses[0]["behaviour"]
    assert losses[-1]["heights"] < 0.8 * losses[0]["heights"]


def perturbed(obs: TensorDict, *groups: str) -> TensorDict:
    return TensorDict({name: group + (name in groups) for name, group in obs.items()}, obs.batch_size)


def test_student_acts_on_what_the_robot_perceives_alone(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    student, obs = runner.alg.student, runner.env.get_observations()

    def act(obs: TensorDict) -> Any:
        student.reset(torch.ones(8))
        return student(obs).detach()

    assert torch.equal(act(obs), act(perturbed(obs, "proprio", "extero", "privileged")))
    assert not torch.equal(act(obs), act(perturbed(obs, "proprio_noisy")))
    assert not torch.equal(act(obs), act(perturbed(obs, "extero_noisy")))


def test_noise_of_the_rollouts_has_the_configured_deviation(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1, std=0.07)
    student, obs = runner.alg.student, runner.env.get_observations()
    noise = []
    for _ in range(60):
        student.reset(torch.ones(8))
        mean = student(obs)
        student.reset(torch.ones(8))
        noise.append(student(obs, stochastic_output=True) - mean)
    assert torch.stack(noise).std().item() == pytest.approx(0.07, rel=0.04)


def test_learning_rate_decays_with_samples(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1, learning_rate=1e-3, lr_decay=0.5)
    runner.alg.samples = 500_000 - 64
    collect(runner)
    runner.alg.update()
    assert runner.alg.learning_rate == pytest.approx(2.5e-4)
    assert runner.alg.optimizer.param_groups[0]["lr"] == pytest.approx(2.5e-4)


def test_divergence_is_an_error(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    collect(runner)
    runner.alg.storage.observations["proprio_noisy"][0] = torch.nan
    with pytest.raises(FloatingPointError, match="smaller learning rate"):
        runner.alg.update()
