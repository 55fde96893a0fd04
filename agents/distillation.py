"""Distillation of the Teacher into the Student (Miki et al. S3): imitate its actions, reconstruct what it knew."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from rsl_rl.algorithms import Distillation
from rsl_rl.env import VecEnv
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import Tensor, nn

from agents import distributed
from agents.averaging import go_on_from, running_mean
from agents.config import LEAST_LEARNING_RATE, PAPER_ITERATION
from agents.precision import bf16
from agents.rollout import rollout_samples
from agents.student import FrozenTeacher, StudentModel
from anymal_policy import layout
from anymal_policy.student import StudentOutput

TENFOLD = 300_000
"""Environment steps in which the learning rate of a Student that started from another one may rise tenfold."""


@dataclass(frozen=True)
class Lesson:
    """Inputs and targets of the distillation, normalised: steps (t, n, ...) of a rollout."""

    proprio: Tensor
    """Perceived proprioception, (t, n, 133)."""
    extero: Tensor
    """Perceived heights, (t, n, 208)."""
    dones: Tensor
    """Whether the step ended an episode, (t, n) bool."""
    action: Tensor
    """The Teacher's actions, (t, n, 16)."""
    heights: Tensor
    """Heights without noise, (t, n, 208)."""
    privileged: Tensor
    """Privileged state, (t, n, 50)."""

    def part(self, steps: slice, robots: Tensor) -> Lesson:
        """Some consecutive steps of some robots (m,)."""
        return Lesson(*(getattr(self, name)[steps, robots] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Errors:
    """Mean squared errors of the Student by entry: in action units, and in normalised units."""

    action: Tensor
    """Against the Teacher's actions, (16,)."""
    heights: Tensor
    """Of the reconstructed heights, (208,)."""
    privileged: Tensor
    """Of the reconstructed privileged state, (50,)."""

    @staticmethod
    def of(output: StudentOutput, lesson: Lesson) -> Errors:
        """Errors of what the Student gave for the lesson."""
        pairs = (
            (output.action, lesson.action),
            (output.heights, lesson.heights),
            (output.privileged, lesson.privileged),
        )
        return Errors(*((given.float() - wanted).square().mean(dim=(0, 1)) for given, wanted in pairs))

    def loss(self, reconstruction: float) -> Tensor:
        """L_bc + `reconstruction` L_re, each group's squared errors averaged over its entries."""
        return self.action.mean() + reconstruction * (self.heights.mean() + self.privileged.mean())

    def by_part(self, reconstructed: bool) -> dict[str, float]:
        """Mean of every group, and of every privileged term, as far as there is a reconstruction."""
        parts = {"behaviour": self.action}
        if reconstructed:
            terms = layout.slices(layout.PRIVILEGED).items()
            parts |= {"heights": self.heights, "privileged": self.privileged}
            parts |= {f"privileged/{name}": self.privileged[place] for name, place in terms}
        return {name: part.mean().item() for name, part in parts.items()}


class BeliefDistillation(Distillation):
    """rsl_rl's distillation: the Student acts, the Teacher labels; with reconstruction, and robots in mini-batches."""

    student: StudentModel
    teacher: FrozenTeacher

    def __init__(
        self,
        *args: Any,
        num_mini_batches: int,
        reconstruction: float,
        lr_decay: float,
        averaging: int,
        **kwargs: Any,
    ) -> None:
        """Start at environment step 0; `lr_decay` is the factor on the learning rate per 250,000 of them.

        `averaged` holds the mean of the Student's network over the last `averaging` environment steps (decision 36).
        """
        super().__init__(*args, **kwargs)
        self.num_mini_batches, self.reconstruction, self.lr_decay = num_mini_batches, reconstruction, lr_decay
        self.initial_learning_rate = self.learning_rate
        self.optimizer = torch.optim.Adam(self.student.parameters(), lr=self.learning_rate, fused=True)
        self.averaging, self.gentle = averaging, False
        self.first_hidden = self.student.hidden.clone()
        self.samples = 0
        self.averaged = running_mean(self.student.network, averaging, rollout_samples(self.storage))

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> BeliefDistillation:
        """Build Student and Teacher around one normaliser."""
        groups, actions = cfg["obs_groups"], env.num_actions
        blind = not cfg["student"]["network"].extero
        teacher = FrozenTeacher(obs, groups, "teacher", actions, **cfg["teacher"], blind=blind)
        student = StudentModel(obs, groups, "student", actions, teacher.normalizer, **cfg["student"])
        storage = RolloutStorage("distillation", env.num_envs, cfg["num_steps_per_env"], obs, [actions], device)
        settings = {name: value for name, value in cfg["algorithm"].items() if name != "class_name"}
        student, teacher = student.to(device), teacher.to(device)
        return BeliefDistillation(student, teacher, storage, device=device, multi_gpu_cfg=cfg["multi_gpu"], **settings)

    def teach(self, network: dict[str, Tensor], normalizer: dict[str, Tensor]) -> None:
        """Take up a trained Teacher, and let the Student start from its height encoder and head."""
        self.teacher.network.load_state_dict(network)
        self.teacher.normalizer.load_state_dict(normalizer)
        self.student.network.imitate(self.teacher.network)
        self.averaged.module.load_state_dict(self.student.network.state_dict())
        self.teacher_loaded = True

    def begin_with(self, network: dict[str, Tensor]) -> None:
        """Warm start from another Student's network at a learning rate that rises slowly (decision 38).

        Adam's first steps would have full size, whatever the gradient.
        """
        self.student.network.load_state_dict(network)
        go_on_from(self.averaged, network, self.averaging, rollout_samples(self.storage))
        self.gentle = True
        self._decay_learning_rate()

    def update(self) -> dict[str, float]:
        """Learn from the stored rollout by truncated backpropagation through time; returns the mean losses."""
        lesson, length = self._lesson(), self.gradient_length
        totals: list[dict[str, float]] = []
        for _ in range(self.num_learning_epochs):
            for robots in torch.randperm(self.storage.num_envs).chunk(self.num_mini_batches):
                hidden = self.first_hidden[:, robots]
                for start in range(0, len(lesson.dones), length):
                    part = lesson.part(slice(start, start + length), robots)
                    hidden, losses = self._learn(part, hidden)
                    totals.append(losses)
        self.continue_from(self.student.hidden)
        self.samples += rollout_samples(self.storage)
        self.averaged.update_parameters(self.student.network)
        self.storage.clear()
        self._decay_learning_rate()
        losses = distributed.mean({name: sum(each[name] for each in totals) / len(totals) for name in totals[0]})
        if not all(math.isfinite(loss) for loss in losses.values()):
            raise FloatingPointError(f"training diverged, losses {losses}; start anew with a smaller learning rate.")
        return losses

    @torch.no_grad()
    def _lesson(self) -> Lesson:
        """The stored rollout, normalised once."""
        obs, storage = self.storage.observations, self.storage
        _, heights, privileged = self.teacher.normalized(obs)
        proprio, extero = self.student.normalized(obs)
        dones = storage.dones.squeeze(-1).bool()
        return Lesson(proprio, extero, dones, storage.privileged_actions, heights, privileged)

    def _learn(self, lesson: Lesson, hidden: Tensor) -> tuple[Tensor, dict[str, float]]:
        """One gradient step on some steps of some robots; their hidden state (2, m, 50) afterwards, and the losses."""
        with bf16(self.device, self.use_mixed_precision):
            output = self.student.network.unroll(lesson.proprio, lesson.extero, hidden, lesson.dones)
        errors = Errors.of(output, lesson)
        loss = errors.loss(self.reconstruction)
        self.optimizer.zero_grad()
        loss.backward()
        if self.is_multi_gpu:
            self.reduce_parameters()
        if self.max_grad_norm:
            nn.utils.clip_grad_norm_(self.student.parameters(), self.max_grad_norm)
        self.optimizer.step()
        parts = errors.by_part(self.student.network.decoder is not None)
        losses = {"total": loss.item(), **parts, "gate": output.gate.mean().item()}
        return output.hidden.detach().float(), losses

    def broadcast_parameters(self) -> None:
        """Let all ranks begin with the first one's networks."""
        distributed.agree(x for model in (self.student, self.teacher) for x in model.state_dict().values())

    def reduce_parameters(self) -> None:
        """Average the gradients over the ranks."""
        distributed.average_gradients(self.student.parameters())

    def _decay_learning_rate(self) -> None:
        self.learning_rate = self.initial_learning_rate * self.lr_decay ** (self.samples / PAPER_ITERATION)
        if self.gentle:
            gentle = LEAST_LEARNING_RATE * 10 ** (self.samples / TENFOLD)
            self.learning_rate = min(self.learning_rate, gentle)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate

    def continue_from(self, hidden: Tensor) -> None:
        """Go on with robots that have this hidden state (2, n, 50)."""
        self.student.hidden = hidden.to(self.device)
        self.first_hidden = self.student.hidden.clone()

    def save(self) -> dict:
        """Student, its mean, Teacher, optimiser and environment steps so far; hidden states belong to the robots."""
        return super().save() | {
            "samples": self.samples,
            "averaged": self.averaged.state_dict(),
            "gentle": self.gentle,
        }

    def load(self, loaded_dict: dict, load_cfg: dict | None = None, strict: bool = True) -> bool:
        """Bit-exact resume from what `save` gave."""
        super().load(loaded_dict, load_cfg, strict)
        self.samples, self.gentle = loaded_dict["samples"], loaded_dict.get("gentle", False)
        self.averaged.load_state_dict(loaded_dict["averaged"])
        self._decay_learning_rate()
        return True
