"""Our networks against the published package, part by part with the same weights."""

from __future__ import annotations

import anymal_belief_state_encoder_decoder_pytorch as published
import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical

from anymal_policy import Anymal, Student, Teacher

SMALL = {
    "num_actions": 3,
    "proprio_dim": 9,
    "extero_dim": 6,
    "privileged_dim": 5,
    "num_legs": 2,
    "latent_extero_dim": 4,
    "latent_privileged_dim": 5,
    "teacher_extero_encoder_hidden": (8, 7),
    "teacher_privileged_encoder_hidden": (6,),
    "student_extero_gate_encoder_hiddens": (11, 12),
    "student_belief_state_encoder_hiddens": (13,),
    "student_belief_state_dim": 13,
    "student_gru_num_layers": 3,
    "student_gru_hidden_size": 10,
    "student_privileged_decoder_hiddens": (14,),
    "student_extero_decoder_hiddens": (15, 16),
    "student_extero_encoder_hidden": (8, 7),
    "mlp_hidden": (20, 18),
    "recon_loss_weight": 0.3,
}


def observations(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Random proprioception, heights per foot, and privileged state."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(count, 133), (count, 4, 52), (count, 50)]
    proprio, extero, privileged = (torch.randn(shape, generator=generator) for shape in shapes)
    return proprio, extero, privileged


def hiddens(count: int) -> Tensor:
    return torch.randn(count, 2, 50, generator=torch.Generator().manual_seed(7))


def copy(target: nn.Module, *sources: nn.Module) -> None:
    """Give a network the parameters of others that are its layers, in order."""
    values = [parameter for source in sources for parameter in source.parameters()]
    with torch.no_grad():
        for parameter, value in zip(target.parameters(), values, strict=True):
            parameter.copy_(value)


def copy_teacher(ours: Teacher, theirs: nn.Module) -> None:
    copy(ours.network.height_encoder, theirs.extero_encoder)
    copy(ours.network.privileged_encoder, theirs.privileged_encoder)
    copy(ours.network.head, theirs.to_logits, theirs.to_action_head)
    copy(ours.value_head, theirs.to_value_head)


def copy_student(ours: Student, theirs: nn.Module) -> None:
    """The published weights, with the belief's entries rolled: there the zeros are before the heights, here behind."""
    network = ours.network
    copy(network.height_encoder, theirs.extero_encoder)
    copy(network.encoder.memory, *theirs.gru_cells)
    copy(network.encoder.belief, theirs.belief_state_encoder)
    copy(network.encoder.gate, theirs.to_latent_extero_attn_gate)
    copy(network.decoder.privileged, theirs.privileged_decoder)
    copy(network.decoder.heights, theirs.extero_decoder)
    copy(network.decoder.gate, theirs.to_extero_attn_gate)
    copy(network.head, theirs.to_logits, theirs.to_action_head)
    g_b, head, sizes = network.encoder.belief[-1], network.head[0], ours.sizes
    with torch.no_grad():
        g_b.weight.copy_(g_b.weight.roll(-sizes.privileged_latent, 0))
        g_b.bias.copy_(g_b.bias.roll(-sizes.privileged_latent, 0))
        belief = head.weight[:, sizes.proprio :]
        belief.copy_(belief.roll(-sizes.privileged_latent, 1))


def twins(**kwargs) -> tuple[Anymal, nn.Module]:
    """Our Anymal and the published one, with the same weights."""
    kwargs = kwargs or {"num_actions": 16}
    ours, theirs = Anymal(**kwargs), published.Anymal(**kwargs)
    copy_teacher(ours.teacher, theirs.teacher)
    copy_student(ours.student, theirs.student)
    return ours, theirs


def test_sizes_of_every_layer_agree_with_the_published_package() -> None:
    ours, theirs = twins()
    shapes = [sorted(tuple(p.shape) for p in model.parameters()) for model in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_teacher_and_its_value_head_agree_with_the_published_package() -> None:
    ours, theirs = twins()
    batch = observations(6)
    torch.testing.assert_close(ours.forward_teacher(*batch), theirs.forward_teacher(*batch))
    torch.testing.assert_close(
        ours.forward_teacher(*batch, return_value_head=True), theirs.forward_teacher(*batch, return_value_head=True)
    )


def test_memory_gate_belief_and_both_reconstructions_agree_with_the_published_package() -> None:
    ours, theirs = twins()
    proprio, extero, _ = observations(6)
    hidden = {"ours": None, "theirs": None}
    for _ in range(3):
        action, hidden["ours"], estimates = ours.forward_student(proprio, extero, hidden["ours"], True)
        expected, hidden["theirs"], reference = theirs.forward_student(proprio, extero, hidden["theirs"], True)
        torch.testing.assert_close(hidden["ours"], hidden["theirs"])
        torch.testing.assert_close(estimates, reference)
        torch.testing.assert_close(action, expected)


def test_only_the_side_of_the_zeros_differs_from_the_published_belief() -> None:
    """There the gated l_e takes entries 24 to 119, but the head copied from the Teacher reads l_e in 0 to 95."""
    ours, theirs = twins()
    copy(ours.student.network.encoder.belief, theirs.student.belief_state_encoder)
    copy(ours.student.network.head, theirs.student.to_logits, theirs.student.to_action_head)
    proprio, extero, _ = observations(4)
    action, expected = ours.forward_student(proprio, extero)[0], theirs.forward_student(proprio, extero)[0]
    assert (action - expected).abs().max() > 1e-4


@pytest.mark.parametrize("seen", [None, observations(5, seed=1)[:2]], ids=["same", "teacher_states"])
def test_loss_and_its_gradients_agree_with_the_published_package(seen: tuple[Tensor, Tensor] | None) -> None:
    ours, theirs = twins()
    kwargs = {"teacher_states": seen, "hiddens": hiddens(5), "noise_strength": 0.0}
    (loss, following), (expected, reference) = ours(*observations(5), **kwargs), theirs(*observations(5), **kwargs)
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(following, reference)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(
        ours.student.network.encoder.gate[0].weight.grad, theirs.student.to_latent_extero_attn_gate.net[0].weight.grad
    )
    assert all(parameter.grad is None for parameter in ours.teacher.parameters())


def test_other_sizes_agree_with_the_published_package() -> None:
    ours, theirs = twins(**SMALL)
    generator = torch.Generator().manual_seed(0)
    batch = [torch.randn(shape, generator=generator) for shape in [(4, 9), (4, 2, 6), (4, 5)]]
    torch.testing.assert_close(ours(*batch, noise_strength=0.0), theirs(*batch, noise_strength=0.0))
    ours.init_student_with_teacher()


def test_student_starts_from_the_same_parts_of_the_teacher() -> None:
    ours, theirs = twins()
    ours.init_student_with_teacher()
    theirs.init_student_with_teacher()
    for mine, yours in [
        (ours.student.network.height_encoder, theirs.student.extero_encoder),
        (ours.student.network.head[0], theirs.student.to_logits.net[0]),
        (ours.student.network.head[-1], theirs.student.to_action_head),
    ]:
        for parameter, expected in zip(mine.parameters(), yours.parameters(), strict=True):
            torch.testing.assert_close(parameter, expected, rtol=0, atol=0)


def test_outputs_can_be_logits_of_discrete_actions() -> None:
    ours, theirs = twins()
    proprio, extero, privileged = observations(3)
    dist, _ = ours.forward_student(proprio, extero, return_action_categorical_dist=True)
    expected, _ = theirs.forward_student(proprio, extero, return_action_categorical_dist=True)
    torch.testing.assert_close(dist.probs, expected.probs)
    assert isinstance(
        ours.forward_teacher(proprio, extero, privileged, return_action_categorical_dist=True), Categorical
    )
