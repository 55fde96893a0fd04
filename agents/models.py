"""The Teacher as rsl_rl's actor, and a critic that is a second head on the actor's encoders."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import torch
from rsl_rl.models import MLPModel
from rsl_rl.modules import HiddenState
from tensordict import TensorDict
from torch import Tensor, nn
from torch.nn.functional import linear

from agents.config import TEACHER_GROUPS
from anymal_policy.layout import CAUTION
from anymal_policy.mlp import mlp
from anymal_policy.normalizer import Normalizer
from anymal_policy.sizes import PAPER, NetworkSizes
from anymal_policy.teacher import Teacher

NORMALIZED = {group: f"normalized_{group}" for group in TEACHER_GROUPS}
"""Names of the observation groups once they are normalised."""
LATENTS = "latents"
"""Name under which normalised observations keep what the encoders made of them, for actor and critic."""


class Features(NamedTuple):
    """What a head reads, in two parts: proprioception (n, 133), which needs no gradient, and latents (n, 120)."""

    proprio: Tensor
    latents: Tensor


def sizes_for(obs: TensorDict) -> NetworkSizes:
    """Sizes of the paper's networks for these observations, which may have an own task's terms besides."""
    caution = CAUTION in obs.keys()  # noqa: SIM118  # a TensorDict without `keys` looks for values, not names
    return NetworkSizes(proprio=obs["proprio"].shape[-1], privileged=obs["privileged"].shape[-1], caution=caution)


def read_features(head: nn.Sequential, features: Features) -> Tensor:
    """Outputs of a head (n, k), float32 under autocast, too; nothing is computed backwards into the proprioception."""
    first: Any = head[0]
    of_proprio, of_latents = first.weight.split([part.shape[-1] for part in features], dim=1)
    hidden = linear(features.proprio, of_proprio, first.bias) + linear(features.latents, of_latents)
    return head[1:](hidden).float()


class ActorNetwork(nn.Module):
    """The Teacher's head, and with it the encoders, whose latents the critic reads, too."""

    def __init__(self, num_outputs: int, sizes: NetworkSizes = PAPER) -> None:
        """Create the Teacher."""
        super().__init__()
        self.teacher = Teacher(num_outputs, sizes)

    def forward(self, features: Features) -> Tensor:
        """Actions (n, num_outputs)."""
        return read_features(self.teacher.head, features)


class CriticNetwork(nn.Module):
    """A head like the Teacher's, for the value."""

    def __init__(self, sizes: NetworkSizes = PAPER) -> None:
        """Create the head."""
        super().__init__()
        self.head = mlp(sizes.proprio + sizes.belief, *sizes.head_hidden, 1)

    def forward(self, features: Features) -> Tensor:
        """Values (n, 1)."""
        return read_features(self.head, features)


class TeacherModel(MLPModel):
    """Actor: a Gaussian around the Teacher's output, its deviation learned per action."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        normalizer_until: int,
        head_scale: float,
        **kwargs: Any,
    ) -> None:
        """Put the Teacher in place of rsl_rl's MLP; `head_scale` shrinks its last layer."""
        super().__init__(obs, obs_groups, obs_set, output_dim, hidden_dims=[1], **kwargs)
        self.obs_normalization = True
        self.obs_normalizer = Normalizer(self.obs_dim, until=normalizer_until)
        ends = accumulate((obs[group].shape[-1] for group in self.obs_groups), initial=0)
        self.entries = [slice(*both) for both in pairwise(ends)]
        self.mlp = ActorNetwork(output_dim, sizes_for(obs))
        with torch.no_grad():
            for parameter in last_linear(self.mlp.teacher.head).parameters():
                parameter.mul_(head_scale)

    def normalized(self, obs: TensorDict) -> TensorDict:
        """The observation groups, each normalised, and caution as it is."""
        places = zip(self.obs_groups, self.entries, strict=True)
        groups = {NORMALIZED[group]: self.obs_normalizer(obs[group], entries) for group, entries in places}
        asked = obs.select(CAUTION, strict=False).to_dict()
        return TensorDict({**groups, **asked}, obs.batch_size)  # type: ignore  # tensordict types its own sizes too narrowly

    def get_latent(  # type: ignore  # rsl_rl types one tensor, and hands on whatever its network takes
        self, obs: TensorDict, masks: Tensor | None = None, hidden_state: HiddenState = None
    ) -> Features:
        """What the heads read of observations; normalised ones keep their latents, so that these are computed once."""
        proprio, extero, privileged = NORMALIZED.values()
        # a TensorDict without `keys` looks for values, not names
        inputs = obs if proprio in obs.keys() else self.normalized(obs)  # noqa: SIM118
        if LATENTS not in inputs.keys():  # noqa: SIM118
            inputs[LATENTS] = self.mlp.teacher.latents(inputs[extero], inputs[privileged], inputs.get(CAUTION, 0.0))
        return Features(inputs[proprio], inputs[LATENTS])

    def update_normalization(self, obs: TensorDict) -> None:
        """Nothing: TeacherPPO updates the normaliser."""


class CriticModel(MLPModel):
    """Critic: the value, read from the actor's features (decision 47)."""

    actor: tuple[TeacherModel]
    """In a tuple, so that its parameters are not the critic's, too."""

    def __init__(
        self, obs: TensorDict, obs_groups: dict[str, list[str]], obs_set: str, output_dim: int, **kwargs: Any
    ) -> None:
        """Put the head in place of rsl_rl's MLP."""
        super().__init__(obs, obs_groups, obs_set, output_dim, hidden_dims=[1], **kwargs)
        self.mlp = CriticNetwork(sizes_for(obs))

    def get_latent(  # type: ignore  # rsl_rl types one tensor, and hands on whatever its network takes
        self, obs: TensorDict, masks: Tensor | None = None, hidden_state: HiddenState = None
    ) -> Features:
        """The actor's."""
        return self.actor[0].get_latent(obs)


def last_linear(network: nn.Module) -> nn.Linear:
    """The output layer of an MLP."""
    return [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
