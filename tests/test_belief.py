"""Belief encoder and decoder (Miki et al. Fig. 6 C, D)."""

from __future__ import annotations

from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from anymal_policy.belief import BeliefDecoder, BeliefEncoder


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def inputs(count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Random proprioception, latent heights and hidden state."""
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(shape, generator=generator) for shape in [(count, 133), (count, 96), (2, count, 50)])


def set_gate(network: BeliefEncoder | BeliefDecoder, logit: float | Tensor) -> None:
    """Fix the gate's logits, whatever the memory says."""
    last = network.gate[-1]
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.as_tensor(logit))


def test_belief_networks_have_the_paper_s_sizes() -> None:
    encoder = BeliefEncoder()
    assert parameters(encoder.memory) == 57_450
    assert parameters(encoder.belief) == 15_224
    assert parameters(encoder.gate) == 13_664
    assert parameters(encoder) == 57_450 + 15_224 + 13_664


def test_memoryless_variant_is_as_large_as_the_gru() -> None:
    assert parameters(BeliefEncoder(memory="mlp").memory) == pytest.approx(57_450, rel=0.01)


def test_closed_gate_lets_no_height_pass_but_through_the_memory() -> None:
    encoder, batch = BeliefEncoder(), inputs(4)
    set_gate(encoder, -200.0)
    belief, gate, summary, _ = encoder(*batch)
    assert (gate == 0).all()
    torch.testing.assert_close(belief, encoder.belief(summary), rtol=0, atol=0)


def test_open_gate_adds_the_latent_heights_at_the_front_and_zeros_at_the_end() -> None:
    encoder, (proprio, l_e, hidden) = BeliefEncoder(), inputs(4)
    set_gate(encoder, 200.0)
    belief, gate, summary, _ = encoder(proprio, l_e, hidden)
    assert (gate == 1).all()
    added = belief - encoder.belief(summary)
    torch.testing.assert_close(added[:, :96], l_e)
    assert (added[:, 96:] == 0).all()


def test_each_latent_height_has_its_own_gate() -> None:
    encoder, (proprio, l_e, hidden) = BeliefEncoder(), inputs(2)
    logits = torch.full((96,), -200.0)
    logits[30] = 0.0
    set_gate(encoder, logits)
    belief, gate, summary, _ = encoder(proprio, l_e, hidden)
    added = belief - encoder.belief(summary)
    assert added.nonzero()[:, 1].unique().tolist() == [30]
    torch.testing.assert_close(added[:, 30], 0.5 * l_e[:, 30], rtol=1e-5, atol=1e-6)
    assert gate[0, 30] == 0.5


def test_gate_belief_and_decoder_read_the_memory_s_top_layer() -> None:
    encoder, batch = BeliefEncoder(), inputs(3)
    _, gate, summary, hidden = encoder(*batch)
    torch.testing.assert_close(summary, hidden[1], rtol=0, atol=0)
    torch.testing.assert_close(gate, torch.sigmoid(encoder.gate(hidden[1])))


def test_without_gate_heights_reach_the_belief_through_the_memory_alone() -> None:
    encoder, (proprio, l_e, hidden) = BeliefEncoder(gate=False), inputs(3)
    belief, gate, summary, _ = encoder(proprio, l_e, hidden)
    torch.testing.assert_close(belief, encoder.belief(summary), rtol=0, atol=0)
    assert gate.shape == (3, 96) and (gate == 0).all()
    assert (encoder(proprio, l_e + 1, hidden)[0] != belief).any()
    assert parameters(encoder) == 57_450 + 15_224


def test_closed_decoder_gate_ignores_the_noisy_heights() -> None:
    decoder, summary = BeliefDecoder(), torch.randn(3, 50, generator=torch.Generator().manual_seed(0))
    set_gate(decoder, -200.0)
    first, second = decoder(summary, torch.zeros(3, 208)), decoder(summary, torch.full((3, 208), 9.0))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


def test_open_decoder_gate_adds_the_raw_heights_to_those_from_memory() -> None:
    decoder, extero = BeliefDecoder(), torch.randn(3, 208, generator=torch.Generator().manual_seed(0))
    set_gate(decoder, 200.0)
    privileged, heights = decoder(torch.ones(3, 50), extero)
    torch.testing.assert_close(heights, decoder.heights(torch.ones(3, 50)) + extero)
    torch.testing.assert_close(privileged, decoder.privileged(torch.ones(3, 50)))
    assert privileged.shape == (3, 50)


def test_decoder_without_gate_knows_the_memory_alone() -> None:
    decoder = BeliefDecoder(gate=False)
    _, heights = decoder(torch.ones(3, 50), torch.full((3, 208), torch.nan))
    assert heights.isfinite().all()


@pytest.mark.parametrize("memory", ["gru", "mlp"])
def test_unrolled_steps_are_those_taken_one_by_one(memory: Literal["gru", "mlp"]) -> None:
    torch.manual_seed(0)
    encoder = BeliefEncoder(memory=memory)
    proprio, l_e, hidden = torch.randn(8, 6, 133), torch.randn(8, 6, 96), torch.randn(2, 6, 50)
    dones = torch.rand(8, 6) < 0.3
    belief, gate, summary, last = encoder.unroll(proprio, l_e, hidden, dones)
    for step, done in enumerate(dones):
        *own, hidden = encoder(proprio[step], l_e[step], hidden)
        for unrolled, alone in zip((belief, gate, summary), own, strict=True):
            torch.testing.assert_close(unrolled[step], alone)
        hidden = hidden.masked_fill(done.unsqueeze(-1), 0.0)
    torch.testing.assert_close(last, hidden)
