"""Trained policies ready to use: raw observations in, deterministic actions out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from tensordict import TensorDict
from torch import Tensor

from agents.config import STUDENT_GROUPS, TEACHER_GROUPS, restore
from anymal_policy import layout
from anymal_policy.layout import Term
from anymal_policy.normalizer import Normalizer
from anymal_policy.sizes import NetworkSizes
from anymal_policy.student import Student, StudentConfig, StudentOutput
from anymal_policy.teacher import Teacher

ACTIONS = layout.size(layout.ACTION)


class Policy:
    """A trained network, its normaliser, and what its checkpoint says about it."""

    groups: tuple[str, ...]
    """Observation groups that it acts on."""
    network: Teacher | Student
    """Network on normalised observations."""
    normalizer: Normalizer
    """Statistics of proprioception, heights and privileged state, one after the other."""
    places: dict[str, slice]
    """Entries of the normaliser of each observation group."""
    meta: dict[str, Any]
    """Of its training: task, configurations, versions, iteration, environment steps (`samples`), seed, content hash."""

    def __init__(self, record: dict[str, Any]) -> None:
        """From the record of a policy file."""
        self.own_terms = tuple(Term(**term) for term in record.get("own_terms", ()))
        self.places = layout.group_places(self.own_terms)
        self.widths = [place.stop - place.start for place in self.places.values()]
        self.sizes = NetworkSizes(proprio=self.widths[0], privileged=self.widths[2])
        self.normalizer = Normalizer(sum(self.widths)).eval()
        self.normalizer.load_state_dict(record["normalizer"])
        tensors = ("network", "normalizer", "std", "critic", "curriculum")
        self.meta = {name: value for name, value in record.items() if name not in tensors}

    def normalized(self, obs: TensorDict) -> tuple[Tensor, ...]:
        """Its observation groups as its network takes them."""
        values = torch.cat([obs[group] for group in self.groups], dim=-1)
        return self.normalizer(values, slice(values.shape[-1])).split(self.widths[: len(self.groups)], dim=-1)

    def act(self, obs: TensorDict) -> Tensor:
        """Actions (n, 16) for the observation groups of n robots."""
        raise NotImplementedError

    def reset(self, dones: Tensor) -> None:
        """Forget the robots whose episode is over, (n,) bool."""


class TeacherPolicy(Policy):
    """Knows the true heights and the privileged state; has no memory. Walks with caution where that is asked for."""

    groups = TEACHER_GROUPS

    def __init__(self, record: dict[str, Any]) -> None:
        """From the record of a policy file."""
        super().__init__(record)
        sizes = replace(self.sizes, caution=layout.CAUTION in record["network"])
        self.network: Teacher = Teacher(ACTIONS, sizes).eval()
        self.network.load_state_dict(record["network"])

    @torch.no_grad()
    def act(self, obs: TensorDict) -> Tensor:
        """Actions (n, 16) for the observation groups of n robots."""
        return self.network(*self.normalized(obs), obs.get(layout.CAUTION, 0.0))


class StudentPolicy(Policy):
    """Acts on what a robot perceives, and remembers it until `reset`; another number of robots starts it anew.

    After `act`, `output` holds all that the network gave: gate, belief and reconstruction in normalised units.
    """

    groups = STUDENT_GROUPS
    output: StudentOutput

    def __init__(self, record: dict[str, Any]) -> None:
        """From the record of a policy file, for one robot at the start of an episode."""
        super().__init__(record)
        self.network: Student = Student(restore(StudentConfig(), record["student"]), ACTIONS, self.sizes).eval()
        self.network.load_state_dict(record["network"])
        self.hidden = self.network.initial_hidden(1)

    @torch.no_grad()
    def act(self, obs: TensorDict) -> Tensor:
        """Actions (n, 16) for the observation groups of n robots; moves the hidden state on."""
        if self.hidden.shape[1] != len(obs):
            self.hidden = self.network.initial_hidden(len(obs))
        self.output = self.network(*self.normalized(obs), self.hidden)
        self.hidden = self.output.hidden
        return self.output.action

    def reset(self, dones: Tensor) -> None:
        """Forget the robots whose episode is over, (n,) bool."""
        if len(dones) == self.hidden.shape[1]:
            self.hidden = self.hidden.masked_fill(dones.bool().unsqueeze(-1), 0.0)
