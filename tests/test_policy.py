"""Networks and normaliser of the Teacher."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

import anymal_policy
from anymal_policy.mlp import mlp
from anymal_policy.normalizer import Normalizer
from anymal_policy.teacher import Teacher


def parameters(module: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(p.numel() for p in module.parameters())


def observations(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Random normalised proprio, extero and privileged observations."""
    proprio, extero, privileged = torch.randn(count, 391, generator=torch.Generator().manual_seed(0)).split(
        [133, 208, 50], 1
    )
    return proprio, extero, privileged


def test_networks_have_the_paper_s_sizes() -> None:
    teacher = Teacher()
    assert parameters(teacher.height_encoder) == 10_564
    assert parameters(teacher.privileged_encoder) == 6_136
    assert parameters(teacher.head) == 128_816
    assert parameters(teacher) == 10_564 + 6_136 + 128_816


@pytest.mark.parametrize("outputs", [16, 1])
def test_teacher_keeps_leading_dimensions(outputs: int) -> None:
    teacher, batch = Teacher(outputs), observations(6)
    flat = teacher(*batch)
    assert flat.shape == (6, outputs)
    sequence = teacher(*(x.unflatten(0, (2, 3)) for x in batch))
    torch.testing.assert_close(sequence, flat.unflatten(0, (2, 3)))


def test_feet_share_the_height_encoder_and_keep_their_order() -> None:
    encoder, heights = Teacher().height_encoder, observations(3)[1]
    latent = encoder(heights)
    swapped = encoder(heights.unflatten(1, (4, 52))[:, [1, 0, 2, 3]].flatten(1))
    assert latent.shape == (3, 96)
    torch.testing.assert_close(swapped.unflatten(1, (4, 24)), latent.unflatten(1, (4, 24))[:, [1, 0, 2, 3]])
    moved = heights.clone()
    moved[:, 52:104] += 1
    assert ((encoder(moved) != latent).any(dim=0).nonzero().squeeze(-1) // 24).unique().tolist() == [1]


def test_head_reads_proprio_then_height_latent_then_privileged_latent() -> None:
    teacher, (proprio, extero, privileged) = Teacher(), observations(2)
    l_e, l_priv = teacher.height_encoder(extero), teacher.privileged_encoder(privileged)
    expected = teacher.head(torch.cat([proprio, l_e, l_priv], dim=-1))
    torch.testing.assert_close(teacher(proprio, extero, privileged), expected)


def test_mlp_bends_between_its_layers_and_not_after_the_last() -> None:
    kinds = [type(layer) for layer in mlp(2, 3, 4, 1)]
    assert kinds == [nn.Linear, nn.LeakyReLU, nn.Linear, nn.LeakyReLU, nn.Linear]
    assert [layer.negative_slope for layer in mlp(2, 3, 1) if isinstance(layer, nn.LeakyReLU)] == [0.01]


def test_normalizer_without_samples_only_clips() -> None:
    normalizer = Normalizer(2, eps=0.0)
    torch.testing.assert_close(normalizer(torch.tensor([[3.0, -40.0]])), torch.tensor([[3.0, -10.0]]))


def test_running_statistics_are_those_of_all_samples_at_once() -> None:
    samples = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([1e-3, 1.0, 50.0]) + 7
    normalizer = Normalizer(3)
    for batch in samples.split([1, 2, 197, 800]):
        normalizer.update(batch)
    torch.testing.assert_close(normalizer.mean, samples.mean(dim=0))
    torch.testing.assert_close(normalizer.var, samples.double().var(dim=0, correction=0).float(), rtol=1e-4, atol=1e-9)
    assert normalizer.count == 1000


def test_statistics_survive_many_small_batches_far_from_zero() -> None:
    samples = 1000 + 0.1 * torch.randn(20_000, 1, generator=torch.Generator().manual_seed(0))
    normalizer = Normalizer(1)
    for batch in samples.split(10):
        normalizer.update(batch)
    torch.testing.assert_close(normalizer.var.sqrt(), torch.tensor([0.1]), rtol=0.02, atol=0)


def test_normalizer_divides_by_deviation_plus_eps() -> None:
    normalizer = Normalizer(1, eps=0.5)
    normalizer.update(torch.tensor([[1.0], [5.0]]))
    torch.testing.assert_close(normalizer(torch.tensor([[6.0]])), torch.tensor([[3.0 / 2.5]]))


def test_statistics_freeze_after_the_given_samples() -> None:
    normalizer = Normalizer(1, until=10)
    normalizer.update(torch.ones(4, 2, 1))
    normalizer.update(torch.full((4, 1), 4.0))
    frozen = {name: buffer.clone() for name, buffer in normalizer.state_dict().items()}
    normalizer.update(torch.full((100, 1), 9.0))
    assert frozen["count"] == 12
    torch.testing.assert_close(normalizer.state_dict(), frozen)
    torch.testing.assert_close(frozen["mean"], torch.tensor([2.0]))


def test_normalising_never_learns() -> None:
    normalizer = Normalizer(1).train()
    normalizer(torch.full((5, 1), 3.0))
    assert normalizer.count == 0 and normalizer.mean == 0


def test_statistics_travel_with_the_state_dict() -> None:
    normalizer, loaded = Normalizer(2), Normalizer(2)
    normalizer.update(torch.randn(50, 2, generator=torch.Generator().manual_seed(0)))
    loaded.load_state_dict(normalizer.state_dict())
    x = torch.tensor([[0.3, -2.0]])
    torch.testing.assert_close(loaded(x), normalizer(x), rtol=0, atol=0)
    assert loaded.count == 50


def test_package_exports_its_networks_without_importing_torch_first() -> None:
    code = "import sys, anymal_policy as p; assert 'torch' not in sys.modules; p.Teacher; assert 'torch' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert all(name in dir(anymal_policy) and getattr(anymal_policy, name) for name in anymal_policy.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = anymal_policy.no_such_name
