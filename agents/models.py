"""The Teacher as rsl_rl's actor and critic: rsl_rl's interface around our network and normaliser."""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules import HiddenState
from tensordict import TensorDict
from torch import nn

from anymal_policy.normalizer import Normalizer
from anymal_policy.teacher import Teacher

NORMALIZED = "normalized"
"""Observation group that is already normalised and concatenated."""


class SplitTeacher(nn.Module):
    """The Teacher on one flat vector of its normalised observation groups."""

    def __init__(self, sizes: list[int], num_outputs: int) -> None:
        """`sizes` of proprio, extero and privileged, in this order."""
        super().__init__()
        self.sizes = sizes
        self.teacher = Teacher(num_outputs)

    def forward(self, observations: torch.Tensor) -> torch.Tensor:
        """Normalised observations (n, 391) to outputs (n, num_outputs), float32 under autocast, too."""
        proprio, extero, privileged = observations.split(self.sizes, dim=-1)
        return self.teacher(proprio, extero, privileged).float()


class TeacherModel(MLPModel):
    """Actor: a Gaussian around the Teacher's output, its deviation learned per action; critic: one output alone."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        normalizer_until: int,
        head_scale: float = 1.0,
        **kwargs: Any,
    ) -> None:
        """Put the Teacher in place of rsl_rl's MLP; `head_scale` shrinks its last layer."""
        super().__init__(obs, obs_groups, obs_set, output_dim, hidden_dims=[1], **kwargs)
        self.obs_normalization = True
        self.obs_normalizer = Normalizer(self.obs_dim, until=normalizer_until)
        self.mlp = SplitTeacher([obs[group].shape[-1] for group in self.obs_groups], output_dim)
        with torch.no_grad():
            for parameter in last_linear(self.mlp.teacher.head).parameters():
                parameter.mul_(head_scale)

    def get_latent(
        self, obs: TensorDict, masks: torch.Tensor | None = None, hidden_state: HiddenState = None
    ) -> torch.Tensor:
        """Normalised observations (n, 391), unless `obs` brings them along."""
        groups = obs.keys()
        return obs[NORMALIZED] if NORMALIZED in groups else super().get_latent(obs, masks, hidden_state)

    def update_normalization(self, obs: TensorDict) -> None:
        """Nothing: TeacherPPO updates the normaliser, which actor and critic share."""


def last_linear(network: nn.Module) -> nn.Linear:
    """The output layer of an MLP."""
    return [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
