"""The Student, its start from the Teacher, and what each ablation takes from it."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import Tensor, nn

from anymal_policy.student import Student, StudentConfig, StudentOutput
from anymal_policy.teacher import Teacher

CORE = 10_564 + 15_224 + 128_816  # height encoder, g_b, head
GRU, MLP, GATE = 57_450, 57_106, 13_664
DECODER, DECODER_GATE = 10_674 + 20_944, 20_944


def observations(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random normalised proprioception and heights."""
    proprio, extero = torch.randn(count, 341, generator=torch.Generator().manual_seed(seed)).split([133, 208], dim=1)
    return proprio, extero


def walk(student: Student, steps: int, count: int = 2) -> list[StudentOutput]:
    """Outputs over some time steps from the start of an episode."""
    hidden, outputs = student.initial_hidden(count), []
    for step in range(steps):
        outputs.append(student(*observations(count, step), hidden))
        hidden = outputs[-1].hidden
    return outputs


@pytest.mark.parametrize(
    ("cfg", "count"),
    [
        (StudentConfig(), CORE + GRU + GATE + DECODER + DECODER_GATE),
        (StudentConfig(gate=False), CORE + GRU + DECODER),
        (StudentConfig(memory="mlp"), CORE + MLP + GATE + DECODER + DECODER_GATE),
        (StudentConfig(reconstruct=False), CORE + GRU + GATE),
        (StudentConfig(extero=False), CORE + GRU + GATE + DECODER + DECODER_GATE),
        (StudentConfig(gate=False, memory="mlp", reconstruct=False, extero=False), CORE + MLP),
    ],
    ids=str,
)
def test_every_variant_has_the_same_outputs_and_only_its_own_parameters(cfg: StudentConfig, count: int) -> None:
    student = Student(cfg)
    assert sum(p.numel() for p in student.parameters()) == count
    shapes = [tuple(x.shape) for x in walk(student, 1, count=3)[0]]
    assert shapes == [(3, 16), (2, 3, 50), (3, 120), (3, 50), (3, 208), (3, 96)]


def test_student_with_a_true_belief_acts_as_the_teacher() -> None:
    student, teacher, (proprio, extero) = Student(), Teacher(), observations(5)
    privileged = torch.randn(5, 50, generator=torch.Generator().manual_seed(1))
    student.imitate(teacher)

    class TrueBelief(nn.Module):
        def forward(self, proprio: Tensor, l_e: Tensor, hidden: Tensor) -> tuple[Tensor, ...]:
            return torch.cat([l_e, teacher.privileged_encoder(privileged)], dim=-1), l_e, hidden[1], hidden

    student.encoder = TrueBelief()
    action = student(proprio, extero, student.initial_hidden(5)).action
    torch.testing.assert_close(action, teacher(proprio, extero, privileged), rtol=0, atol=0)


def test_imitating_copies_weights_and_leaves_the_teacher_alone() -> None:
    student, teacher = Student(), Teacher()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    student.imitate(teacher)
    with torch.no_grad():
        for parameter in student.parameters():
            parameter.add_(1)
    torch.testing.assert_close(teacher.state_dict(), before, rtol=0, atol=0)


def test_memory_carries_the_past_and_a_zeroed_row_is_a_new_episode() -> None:
    student = Student()
    hidden = walk(student, 4)[-1].hidden.clone()
    hidden[:, 0] = 0
    batch = observations(2, seed=9)
    action, fresh = student(*batch, hidden).action, student(*batch, student.initial_hidden(2)).action
    torch.testing.assert_close(action[0], fresh[0])
    assert (action[1] - fresh[1]).abs().max() > 1e-4


def test_gradients_reach_back_through_the_steps_of_the_gru() -> None:
    student, first = Student(), torch.zeros(1, 133, requires_grad=True)
    _, extero = observations(1)
    hidden = student(first, extero, student.initial_hidden(1)).hidden
    for _ in range(9):
        hidden = student(torch.zeros(1, 133), extero, hidden).hidden
    student(torch.zeros(1, 133), extero, hidden).action.sum().backward()
    assert first.grad is not None and first.grad.abs().max() > 0


def test_mlp_variant_remembers_nothing() -> None:
    student, batch = Student(StudentConfig(memory="mlp")), observations(2)
    hidden = torch.randn(2, 2, 50, generator=torch.Generator().manual_seed(1))
    first, second = student(*batch, hidden), student(*batch, student.initial_hidden(2))
    torch.testing.assert_close(first.action, second.action, rtol=0, atol=0)
    torch.testing.assert_close(first.hidden, hidden, rtol=0, atol=0)


def test_blind_variant_gives_the_same_whatever_the_heights() -> None:
    student, (proprio, extero) = Student(StudentConfig(extero=False)), observations(2)
    blind = student(proprio, torch.full_like(extero, torch.nan), student.initial_hidden(2))
    level = Student()
    level.load_state_dict(student.state_dict())
    expected = level(proprio, torch.zeros_like(extero), level.initial_hidden(2))
    torch.testing.assert_close(blind, expected, rtol=0, atol=0)


def test_without_reconstruction_the_estimates_are_the_mean() -> None:
    output = walk(Student(StudentConfig(reconstruct=False)), 2)[-1]
    assert (output.privileged == 0).all() and (output.heights == 0).all()


def test_robots_do_not_influence_each_other() -> None:
    student, (proprio, extero) = Student(), observations(3)
    hidden = torch.randn(2, 3, 50, generator=torch.Generator().manual_seed(1))
    alone = student(proprio[1:2], extero[1:2], hidden[:, 1:2])
    together = student(proprio, extero, hidden)
    torch.testing.assert_close(together.action[1:2], alone.action)
    torch.testing.assert_close(together.hidden[:, 1:2], alone.hidden)


@pytest.mark.slow
@pytest.mark.parametrize("cfg", [StudentConfig(), StudentConfig(gate=False, memory="mlp", extero=False)], ids=str)
def test_onnx_gives_the_same_as_torch_for_any_number_of_robots(cfg: StudentConfig, tmp_path: Path) -> None:
    student, names = Student(cfg).eval(), ["proprio", "extero", "hidden"]
    example = (*observations(2), student.initial_hidden(2))
    n = torch.export.Dim("n")
    program = torch.onnx.export(
        student, example, dynamo=True, verbose=False, input_names=names, dynamic_shapes=({0: n}, {0: n}, {1: n})
    )
    assert program is not None
    program.save(tmp_path / "student.onnx")
    evaluator = ReferenceEvaluator(onnx.load(tmp_path / "student.onnx"))
    for count in (1, 5):
        batch = (*observations(count), torch.randn(2, count, 50, generator=torch.Generator().manual_seed(1)))
        outputs = evaluator.run(None, {name: x.numpy() for name, x in zip(names, batch, strict=True)})
        for ours, expected in zip(outputs, student(*batch), strict=True):
            torch.testing.assert_close(torch.from_numpy(ours), expected.detach(), rtol=1e-4, atol=1e-5)
