"""Action noise against rsl_rl's Gaussian."""

from __future__ import annotations

import pytest
import torch
from rsl_rl.modules.distribution import GaussianDistribution
from torch.testing import assert_close

from agents.distribution import ActionNoise


@pytest.fixture
def both() -> tuple[ActionNoise, GaussianDistribution]:
    own, theirs = ActionNoise(16, 0.7), GaussianDistribution(16, 0.7, std_type="log")
    with torch.no_grad():
        own.log_std_param += torch.linspace(-0.5, 0.3, 16)
    theirs.load_state_dict(own.state_dict())
    mean = torch.randn(50, 16, generator=torch.Generator().manual_seed(0))
    for noise in (own, theirs):
        noise.update(mean.clone().requires_grad_())
    return own, theirs


def test_density_entropy_and_their_gradients_are_rsl_rls(both: tuple[ActionNoise, GaussianDistribution]) -> None:
    own, theirs = both
    actions = torch.randn(50, 16, generator=torch.Generator().manual_seed(1))
    assert_close(own.params, theirs.params)
    assert_close(own.entropy, theirs.entropy)
    assert_close(own.log_prob(actions), theirs.log_prob(actions))
    gradients = []
    for noise in both:
        (noise.log_prob(actions) + 0.3 * noise.entropy).sum().backward()
        gradients.append((noise.log_std_param.grad, noise.mean.grad))
    assert_close(*gradients)


def test_samples_are_rsl_rls_of_the_same_seed(both: tuple[ActionNoise, GaussianDistribution]) -> None:
    drawn = []
    for noise in both:
        torch.manual_seed(3)
        drawn.append(noise.sample())
    assert_close(drawn[0], drawn[1])
    assert not drawn[0].requires_grad
