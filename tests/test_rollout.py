"""Mini-batches of a rollout, against rsl_rl's own."""

from __future__ import annotations

from collections.abc import Callable

import torch
from rsl_rl.storage import RolloutStorage
from tensordict import TensorDict

from agents.rollout import Rollout

STEPS, ROBOTS = 6, 5
FIELDS = ("actions", "values", "advantages", "returns", "old_actions_log_prob")


def observations() -> TensorDict:
    """Of one step, two groups."""
    return TensorDict({"a": torch.randn(ROBOTS, 3), "b": torch.randn(ROBOTS, 2)}, ROBOTS)


def filled(storage: RolloutStorage) -> RolloutStorage:
    """With random samples, the same for every storage."""
    torch.manual_seed(0)
    storage.observations = torch.stack([observations() for _ in range(STEPS)])  # type: ignore
    for name in ("actions", "values", "advantages", "returns", "actions_log_prob"):
        getattr(storage, name).normal_()
    storage.distribution_params = (torch.randn(STEPS, ROBOTS, 4), torch.rand(STEPS, ROBOTS, 4))
    return storage


def unchanged(obs: TensorDict) -> TensorDict:
    """For comparison with rsl_rl, which prepares nothing."""
    return obs


def ours(prepare: Callable[[TensorDict], TensorDict] = unchanged) -> RolloutStorage:
    """A filled rollout."""
    return filled(Rollout(ROBOTS, STEPS, observations(), [4], prepare=prepare))


def batches(storage: RolloutStorage, parts: int) -> list[RolloutStorage.Batch]:
    """Two epochs."""
    torch.manual_seed(1)
    return list(storage.mini_batch_generator(parts, 2))


def test_mini_batches_are_those_of_rsl_rl() -> None:
    stock = filled(RolloutStorage("rl", ROBOTS, STEPS, observations(), [4]))
    for own, theirs in zip(batches(ours(), 3), batches(stock, 3), strict=True):
        assert (own.observations == theirs.observations).all()  # type: ignore
        for name in FIELDS:
            assert torch.equal(getattr(own, name), getattr(theirs, name)), name
        for mine, other in zip(own.old_distribution_params, theirs.old_distribution_params, strict=True):  # type: ignore
            assert torch.equal(mine, other)


def test_observations_are_prepared_once_and_stay_with_their_samples() -> None:
    seen = []

    def prepare(obs: TensorDict) -> TensorDict:
        seen.append(len(obs))
        return TensorDict({"sum": (obs["a"].sum(-1) + obs["b"].sum(-1)).bfloat16()}, obs.batch_size)

    rollout = ours(prepare)
    rollout.values.copy_((rollout.observations["a"].sum(-1) + rollout.observations["b"].sum(-1)).unsqueeze(-1))
    for batch in batches(rollout, 3):
        assert torch.equal(batch.observations["sum"], batch.values.squeeze(-1).bfloat16())  # type: ignore
    assert sum(seen) == STEPS * ROBOTS


def test_what_does_not_divide_is_left_out_at_random() -> None:
    epoch = batches(ours(), 4)[:4]
    actions = torch.cat([batch.actions for batch in epoch])  # type: ignore
    assert [len(batch.actions) for batch in epoch] == [7] * 4  # type: ignore
    assert len(actions.unique(dim=0)) == 28
