"""A rollout in shuffled order, gathered once for all epochs."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict
from torch import Tensor

from agents import distributed


class Rollout(RolloutStorage):
    """Rollout buffer of PPO whose mini-batches are gathered once for all epochs; rsl_rl's are the same in each, too."""

    def __init__(self, *args: Any, prepare: Callable[[TensorDict], TensorDict], **kwargs: Any) -> None:
        """`prepare` turns stored observations (m, ...) into what the networks read in an update."""
        super().__init__("rl", *args, **kwargs)
        self.prepare = prepare

    def mini_batch_generator(
        self, num_mini_batches: int, num_epochs: int = 8
    ) -> Generator[RolloutStorage.Batch, None, None]:
        """Yield `num_mini_batches` random parts of the rollout, `num_epochs` times; the rest of a division is left."""
        order = torch.randperm(self.num_envs * self.num_transitions_per_env, device=self.device)
        observations, size = self._prepared(order), len(order) // num_mini_batches
        rows = [slice(start, start + size) for start in range(0, num_mini_batches * size, size)]
        others = [self._others(order[part]) for part in rows]
        for _ in range(num_epochs):
            for part, fields in zip(rows, others, strict=True):
                yield RolloutStorage.Batch(observations=observations[part], **fields)

    def _prepared(self, order: Tensor) -> TensorDict:
        """Observations (t n, ...) in this order, prepared a step's worth at a time, which takes little memory."""
        flat, size = self.observations.flatten(0, 1), self.num_envs
        whole = self.prepare(flat[:0]).new_empty(torch.Size([len(order)]))
        for start in range(0, len(order), size):
            chosen = order[start : start + size]
            rows = TensorDict({name: each.index_select(0, chosen) for name, each in flat.items()}, len(chosen))
            whole[start : start + size] = self.prepare(rows)  # type: ignore
        return whole

    def _others(self, chosen: Tensor) -> dict[str, Any]:
        """What a mini-batch of these samples (m,) has beside their observations."""

        def of(stored: Tensor) -> Tensor:
            return stored.flatten(0, 1).index_select(0, chosen)

        return dict(
            actions=of(self.actions),
            values=of(self.values),
            advantages=of(self.advantages),
            returns=of(self.returns),
            old_actions_log_prob=of(self.actions_log_prob),
            old_distribution_params=tuple(map(of, self.distribution_params or ())),
        )


def rollout_samples(storage: RolloutStorage) -> int:
    """Environment steps in one rollout of all ranks."""
    return storage.num_envs * storage.num_transitions_per_env * distributed.size()
