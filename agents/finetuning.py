"""Fine-tuning of a distilled Student: PPO goes on with its head, on the belief that the distillation has given it."""

from __future__ import annotations

from typing import Any

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from rsl_rl.models import MLPModel
from rsl_rl.modules import HiddenState
from tensordict import TensorDict
from torch import Tensor, nn

from agents.config import EMBEDDING, STUDENT_GROUPS, TEACHER_GROUPS
from agents.models import NORMALIZED
from agents.ppo import TeacherPPO
from agents.student import StudentModel
from anymal_policy.normalizer import Normalizer
from anymal_policy.sizes import PAPER
from anymal_policy.student import StudentConfig


class Head(nn.Module):
    """The Student's head, whose actions are float32 under autocast, too."""

    def __init__(self, head: nn.Module) -> None:
        """Around the head of a Student."""
        super().__init__()
        self.head = head

    def forward(self, embedding: Tensor) -> Tensor:
        """Actions (n, 16) for proprioception and belief (n, 253)."""
        return self.head(embedding).float()


class BelievingActor(MLPModel):
    """Actor: a Gaussian around the Student's head; what comes before the head, the belief, learns no more."""

    student: StudentModel
    """The whole Student with the hidden state of its robots."""

    def __init__(
        self,
        obs: TensorDict,
        obs_groups: dict[str, list[str]],
        obs_set: str,
        output_dim: int,
        network: StudentConfig,
        **kwargs: Any,
    ) -> None:
        """A blank Student in place of rsl_rl's MLP."""
        super().__init__(obs, obs_groups, obs_set, output_dim, hidden_dims=[1], **kwargs)
        self.obs_normalizer = Normalizer(sum(obs[group].shape[-1] for group in TEACHER_GROUPS), until=0)
        groups: dict[str, list[str]] = {obs_set: [*STUDENT_GROUPS]}
        self.student = StudentModel(obs, groups, obs_set, output_dim, self.obs_normalizer, network, std=0.0)
        self.student.network.requires_grad_(False)
        self.mlp = Head(self.student.network.head)
        self.mlp.requires_grad_(True)

    @torch.no_grad()
    def perceive(self, obs: TensorDict) -> TensorDict:
        """The observations with what the head reads; moves the hidden state on."""
        proprio, extero = self.student.normalized(obs)
        embedding, self.student.hidden = self.student.network.embed(proprio, extero, self.student.hidden)
        return with_embedding(obs, embedding)

    def get_latent(self, obs: TensorDict, masks: Tensor | None = None, hidden_state: HiddenState = None) -> Tensor:
        """What `perceive` has added."""
        return obs[EMBEDDING]

    def reset(self, dones: Tensor | None = None, hidden_state: HiddenState = None) -> None:
        """Zero the hidden state of the robots whose episode is over, (n,) bool."""
        if dones is not None:
            self.student.reset(dones)


class StudentPPO(TeacherPPO):
    """The Teacher's PPO for a Student's head: the critic, which does not act, still knows what the Teacher knows."""

    actor: BelievingActor

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> PPO:
        """Build actor and critic around one normaliser."""
        example = with_embedding(obs, torch.zeros(len(obs), PAPER.proprio + PAPER.belief))
        return TeacherPPO.construct_algorithm(example, env, cfg, device)

    def act(self, obs: TensorDict) -> Tensor:
        """Sample actions on the belief, which is as exact as it will be on the robot."""
        return super().act(self.actor.perceive(obs))

    def update_normalizer(self, obs: TensorDict) -> None:
        """Nothing: the Student's belief rests on it."""

    def network_inputs(self, obs: TensorDict) -> TensorDict:
        """Observations (n, ...) as critic and head read them in an update."""
        inputs = super().network_inputs(obs)
        inputs[EMBEDDING] = obs[EMBEDDING].to(inputs[NORMALIZED].dtype)
        return inputs

    @property
    def student(self) -> StudentModel:
        """The Student with the hidden state of its robots."""
        return self.actor.student

    def continue_from(self, hidden: Tensor) -> None:
        """Go on with robots that have this hidden state (2, n, 50)."""
        self.student.hidden = hidden.to(self.device)

    def averaged_student(self) -> dict[str, Tensor]:
        """Tensors of the Student's network with the running mean of its head."""
        networks: Any = self.averaged.module
        head = {f"head.{name}": tensor for name, tensor in networks["actor"].head.state_dict().items()}
        return self.student.network.state_dict() | head

    def begin_with(self, network: dict[str, Tensor]) -> None:
        """Go on from the network of a distilled Student."""
        self.student.network.load_state_dict(network)
        self._begin()

    def teach(self, teacher: dict[str, Any]) -> None:
        """Take up normaliser, critic and action noise of a Teacher's policy record."""
        self.actor.obs_normalizer.load_state_dict(teacher["normalizer"])
        self.actor.distribution.load_state_dict(teacher["std"])  # type: ignore
        networks: Any = self.networks()
        networks["critic"].teacher.load_state_dict(teacher["critic"])
        self._begin()

    def _begin(self) -> None:
        self.averaged.module.load_state_dict(self.networks().state_dict())
        self.start_gently()


def with_embedding(obs: TensorDict, embedding: Tensor) -> TensorDict:
    """Observations with what a Student's head reads, (n, 253)."""
    return TensorDict({**obs, EMBEDDING: embedding}, obs.batch_size)
