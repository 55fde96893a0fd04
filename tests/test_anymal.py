"""The published package's interface around our networks."""

from __future__ import annotations

import inspect

import anymal_belief_state_encoder_decoder_pytorch as published
import pytest
import torch
from anymal_belief_state_encoder_decoder_pytorch.trainer import StudentTrainer
from torch import Tensor

import anymal_policy
from anymal_policy import Anymal, Student


def observations(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Random proprioception, heights per foot, and privileged state."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(count, 133), (count, 4, 52), (count, 50)]
    proprio, extero, privileged = (torch.randn(shape, generator=generator) for shape in shapes)
    return proprio, extero, privileged


@pytest.mark.parametrize("name", ["Anymal", "Teacher", "Student"])
def test_constructors_take_the_published_arguments_with_their_defaults(name: str) -> None:
    ours, theirs = (inspect.signature(getattr(package, name)) for package in (anymal_policy, published))
    assert [(p.name, p.default) for p in ours.parameters.values()] == [
        (p.name, p.default) for p in theirs.parameters.values()
    ]


@pytest.mark.parametrize("name", ["Anymal", "Teacher", "Student"])
def test_calls_take_the_published_arguments_with_their_defaults(name: str) -> None:
    ours, theirs = (
        inspect.signature(getattr(package, name).forward).parameters for package in (anymal_policy, published)
    )
    assert [(p.name, p.default) for p in ours.values()][: len(theirs)] == [(p.name, p.default) for p in theirs.values()]


def test_noise_on_the_heights_is_zero_mean_of_the_given_deviation() -> None:
    """The published noise is uniform in [0, strength): its mean lifts the whole terrain."""
    anymal, seen = Anymal(16), []
    handle = anymal.student.network.register_forward_pre_hook(lambda _, args: seen.append(args[1]))
    proprio, extero, privileged = observations(200)
    anymal(proprio, extero, privileged, noise_strength=0.3, generator=torch.Generator().manual_seed(0))
    handle.remove()
    noise = seen[0].unflatten(1, (4, 52)) - extero
    assert noise.mean().abs() < 0.01
    torch.testing.assert_close(noise.std(), torch.tensor(0.3), rtol=0.02, atol=0)


def test_heights_are_reconstructed_without_their_noise() -> None:
    """A Student that passes its noisy heights on pays for the noise: 0.5 times its variance."""
    anymal, (proprio, extero, privileged) = Anymal(16), observations(500)
    with torch.no_grad():
        for parameter in anymal.parameters():
            parameter.zero_()
        anymal.student.network.decoder.gate[-1].bias.fill_(200.0)
    kwargs = {"noise_strength": 0.4, "generator": torch.Generator().manual_seed(0)}
    loss, _ = anymal(proprio, extero, torch.zeros_like(privileged), **kwargs)
    torch.testing.assert_close(loss, torch.tensor(0.5 * 0.4**2), rtol=0.02, atol=0)


def test_imitating_leaves_the_teacher_trainable() -> None:
    """The published package freezes it in passing, for good."""
    anymal = Anymal(16)
    anymal(*observations(2))
    assert all(parameter.requires_grad for parameter in anymal.teacher.parameters())


def test_running_stats_are_those_of_all_observations_since_clear() -> None:
    """The published ones are averages over about the last hundred."""
    stats = Anymal(16).get_observation_running_stats()
    assert [x.norm(torch.zeros(x.shape)).shape for x in stats] == [(133,), (4, 52)]
    heights = 3 + 2 * torch.randn(500, 4, 52, generator=torch.Generator().manual_seed(0))
    stats[1].push(torch.zeros(4, 52))
    stats[1].clear()
    for one in heights:
        stats[1].push(one)
    torch.testing.assert_close(stats[1].mean(), heights.mean(0))
    torch.testing.assert_close(stats[1].variance(), heights.var(0, correction=0))
    torch.testing.assert_close(stats[1].norm(heights[0]), (heights[0] - stats[1].mean()) * stats[1].rstd())


def test_running_stats_of_a_steady_signal_agree_with_the_published_package() -> None:
    ours, theirs = (package.Anymal(16).get_observation_running_stats()[0] for package in (anymal_policy, published))
    proprio = observations(1)[0][0]
    for _ in range(5):
        ours.push(proprio)
        theirs.push(proprio)
    torch.testing.assert_close(ours.mean(), theirs.mean())
    torch.testing.assert_close(ours.norm(proprio), theirs.norm(proprio), rtol=0, atol=1e-3)


def test_the_published_student_trainer_trains_our_anymal() -> None:
    torch.manual_seed(0)
    anymal = Anymal(4)
    before = {name: value.clone() for name, value in anymal.state_dict().items()}
    env = published.MockEnv(proprio_dim=133, extero_dim=52, privileged_dim=50)
    trainer = StudentTrainer(anymal=anymal, env=env, max_timesteps=160, update_timesteps=160, minibatch_size=16)
    trainer(noise_strength=0.1)
    changed = {name.split(".")[0] for name, value in anymal.state_dict().items() if (value != before[name]).any()}
    assert changed == {"student"}


def test_a_belief_too_small_for_the_heights_is_refused() -> None:
    with pytest.raises(ValueError, match="belief_state_dim is 96"):
        Student(16, belief_state_dim=96)
