"""PPO with the paper's learning-rate decay and one observation normaliser for actor and critic."""

from __future__ import annotations

import math
from typing import Any

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from tensordict import TensorDict

from agents.config import PAPER_ITERATION
from agents.models import NORMALIZED


class TeacherPPO(PPO):
    """rsl_rl's PPO; the learning rate decays with samples, not iterations, so that batch size does not change it."""

    def __init__(self, *args: Any, lr_decay: float = 0.9999, **kwargs: Any) -> None:
        """Start at sample 0; `lr_decay` is the factor per 250,000 samples (Miki, Table S1)."""
        super().__init__(*args, **kwargs)
        self.initial_learning_rate = self.learning_rate
        self.lr_decay = lr_decay
        self.samples = 0

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> PPO:
        """Build actor and critic around one normaliser."""
        alg = PPO.construct_algorithm(obs, env, cfg, device)
        alg.critic.obs_normalizer = alg.actor.obs_normalizer
        return alg

    def update(self) -> dict[str, float]:
        """One PPO update on the stored rollout, then the normaliser's; returns the mean losses."""
        observations = self.storage.observations
        if self.symmetry is None:  # mirror images are made of raw observations
            self.storage.observations = self._normalized(observations)
        losses = super().update()
        self.storage.observations = observations
        if not all(math.isfinite(loss) for loss in losses.values()):
            raise FloatingPointError(f"training diverged, losses {losses}; start anew with a smaller learning rate.")
        kl, explained = self._policy_change(observations[-1]), self._explained_variance()
        self.update_normalizer(observations.flatten(0, 1))
        self.samples += self.storage.num_envs * self.storage.num_transitions_per_env
        self._decay_learning_rate()
        return losses | {"kl": kl, "explained_variance": explained}

    def update_normalizer(self, obs: TensorDict) -> None:
        """Merge raw observations (n, ...) into the statistics that actor and critic share."""
        groups = [obs[group] for group in self.actor.obs_groups]
        self.actor.obs_normalizer.update(torch.cat(groups, dim=-1))  # type: ignore

    @torch.no_grad()
    def _policy_change(self, obs: TensorDict) -> float:
        """Mean KL divergence of the new policy from the collecting one, at the rollout's last observations (n, ...)."""
        old = tuple(parameters[-1] for parameters in self.storage.distribution_params or ())
        self.actor.distribution.update(self.actor.mlp(self.actor.get_latent(obs)))  # type: ignore
        return self.actor.get_kl_divergence(old, self.actor.output_distribution_params).mean().item()

    def _explained_variance(self) -> float:
        """Share of the returns' variance that the critic foresaw: 1 is perfect, 0 no better than a constant."""
        returns, errors = self.storage.returns, self.storage.returns - self.storage.values
        return 1 - (errors.var() / returns.var().clamp(min=1e-12)).item()

    @torch.no_grad()
    def _normalized(self, obs: TensorDict) -> TensorDict:
        """The rollout's observations (t, n, ...) as the networks see them: normalised once, not in every epoch."""
        dtype = torch.bfloat16 if self.use_mixed_precision else torch.float32
        steps = [self.actor.get_latent(step).to(dtype) for step in obs.unbind(0)]
        return TensorDict({NORMALIZED: torch.stack(steps)}, batch_size=obs.batch_size)

    def save(self) -> dict:
        """Networks, normaliser, optimiser and the sample count."""
        return super().save() | {"samples": self.samples}

    def load(self, loaded_dict: dict, load_cfg: dict | None = None, strict: bool = True) -> bool:
        """Take up exactly where `save` was called."""
        self.samples = loaded_dict["samples"]
        return super().load(loaded_dict, load_cfg, strict)

    def _decay_learning_rate(self) -> None:
        self.learning_rate = self.initial_learning_rate * self.lr_decay ** (self.samples / PAPER_ITERATION)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
