"""Student and Teacher as rsl_rl's distillation meets them: one acts and remembers, the other labels."""

from __future__ import annotations

from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor, nn

from agents.models import sizes_for
from anymal_policy import layout
from anymal_policy.normalizer import Normalizer
from anymal_policy.student import Student, StudentConfig
from anymal_policy.teacher import Teacher

STEEPEST = 0.6
"""Sine of the pitch, 37 degrees, beyond which the command is raised no further."""


class FrozenTeacher(nn.Module):
    """The frozen Teacher and its normaliser: they give the labels, and the targets of the reconstruction."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        uphill: float,
        blind: bool = False,
    ) -> None:
        """Blank, until a trained Teacher's tensors are loaded; `uphill` is the exponent of `faster_uphill`.

        For a `blind` Student it always walks with caution, if it has learnt that.
        """
        super().__init__()
        self.groups = obs_groups[obs_set]
        self.sizes = [obs[group].shape[-1] for group in self.groups]
        self.uphill, self.blind = uphill, blind
        self.network = Teacher(output_dim, sizes_for(obs)).requires_grad_(False)
        self.normalizer = Normalizer(sum(self.sizes), until=0)

    def normalized(self, obs: TensorDict) -> tuple[Tensor, ...]:
        """Proprioception (..., 133), heights (..., 208) and privileged state (..., 50) without noise, normalised."""
        values = torch.cat([obs[group] for group in self.groups], dim=-1)
        return self.normalizer(values).split(self.sizes, dim=-1)

    def forward(self, obs: TensorDict) -> Tensor:
        """Labels: the Teacher's actions, (..., 16)."""
        proprio = self.groups[0]
        asked = obs.replace({proprio: faster_uphill(obs[proprio], self.uphill)})
        return self.network(*self.normalized(asked), 1.0 if self.blind else obs.get(layout.CAUTION, 0.0))

    def reset(self, dones: Tensor | None = None, hidden_state: Any = None) -> None:
        """Nothing: it has no memory."""

    def get_hidden_state(self) -> None:
        """Nothing: it has no memory."""


class StudentModel(nn.Module):
    """The Student with the hidden state of its robots; it sees its noisy groups through the Teacher's normaliser."""

    output_std: Tensor
    """Deviation of the noise on the actions of a rollout, (16,) in action units."""
    hidden: Tensor
    """Hidden state of the robots, (2, n, 50)."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        normalizer: Normalizer,
        network: StudentConfig,
        std: float,
    ) -> None:
        """Act with noise of deviation `std` in rollouts, for robots whose episodes begin."""
        super().__init__()
        self.groups = obs_groups[obs_set]
        self.sizes = [obs[group].shape[-1] for group in self.groups]
        self.network = Student(network, output_dim, sizes_for(obs))
        self.normalizer = normalizer
        self.register_buffer("output_std", torch.full((output_dim,), std), persistent=False)
        self.register_buffer("hidden", self.network.initial_hidden(len(obs)), persistent=False)

    def normalized(self, obs: TensorDict) -> tuple[Tensor, ...]:
        """Proprioception (..., 133) and heights (..., 208) as they are perceived, normalised."""
        values = torch.cat([obs[group] for group in self.groups], dim=-1)
        return self.normalizer(values, slice(sum(self.sizes))).split(self.sizes, dim=-1)

    def forward(self, obs: TensorDict, stochastic_output: bool = False) -> Tensor:
        """Actions (n, 16) for the next time step; moves the hidden state on."""
        output = self.network(*self.normalized(obs), self.hidden)
        self.hidden = output.hidden
        noise = self.output_std * torch.randn_like(output.action) if stochastic_output else 0.0
        return output.action + noise

    def reset(self, dones: Tensor) -> None:
        """Zero the hidden state of the robots whose episode is over, (n,) bool."""
        self.hidden = forget(self.hidden, dones)


def faster_uphill(proprio: Tensor, exponent: float) -> Tensor:
    """Raw proprioception (..., 133) with the forward command over cos(pitch)^`exponent` where the nose points up.

    A Teacher that keeps its speed along its pitched body is thereby asked to keep it over the ground (decision 46).
    """
    terms = layout.slices(layout.PROPRIO)
    asked = proprio.clone()
    sine = (-proprio[..., terms["gravity_b"].start]).clamp(0.0, STEEPEST)
    asked[..., terms["command"].start] *= (1.0 - sine.square()) ** (-exponent / 2)
    return asked


def forget(hidden: Tensor, dones: Tensor) -> Tensor:
    """Hidden state (layers, n, entries), zero for the robots whose episode is over, (n,) bool; no gradient passes."""
    return hidden.masked_fill(dones.bool().unsqueeze(-1), 0.0)
