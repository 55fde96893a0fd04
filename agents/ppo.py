"""PPO with the paper's learning-rate decay, and a critic on the actor's encoders and normaliser."""

from __future__ import annotations

import math
from itertools import chain
from typing import Any

import torch
from rsl_rl.algorithms import PPO
from rsl_rl.env import VecEnv
from tensordict import TensorDict
from torch import Tensor, nn

from agents import distributed
from agents.averaging import running_mean
from agents.config import LEAST_LEARNING_RATE, PAPER_ITERATION
from agents.precision import bf16
from agents.rollout import Rollout, rollout_samples

TOLERANCE = 1.5
"""Factor by which an update's KL divergence may miss the desired one before the learning rate follows."""
ADAPTATION = 1.2
"""Factor on the learning rate when it follows."""
STATISTICS_STEPS = 8
"""Steps of a rollout whose statistics are taken at once, in double precision: more would only need more memory."""


class TeacherPPO(PPO):
    """rsl_rl's PPO with a learning rate that decays by environment steps, whatever the size of an iteration."""

    def __init__(
        self,
        *args: Any,
        lr_decay: float = 0.9999,
        desired_kl: float = 0.015,
        entropy_decay: float = 0.98,
        averaging: int = 8_000_000,
        **kwargs: Any,
    ) -> None:
        """Start at environment step 0; the decays are factors per 250,000 of them (Miki, Table S1).

        The learning rate is lower than that while updates change the policy by more than `desired_kl` (decision 23).
        `averaged` holds the means of actor and critic over the last `averaging` environment steps (decision 36).
        """
        super().__init__(*args, desired_kl=desired_kl, **kwargs)
        for group in self.optimizer.param_groups:  # rsl_rl names an optimiser, but not its options
            group["fused"] = True
        self.initial_learning_rate, self.initial_entropy = self.learning_rate, self.entropy_coef
        self.lr_decay, self.entropy_decay = lr_decay, entropy_decay
        self.samples = 0
        self.averaged = running_mean(self.networks(), averaging, rollout_samples(self.storage))

    @staticmethod
    def construct_algorithm(obs: TensorDict, env: VecEnv, cfg: dict, device: str) -> PPO:
        """Build the actor, and the critic on top of it."""
        alg: Any = PPO.construct_algorithm(obs, env, cfg, device)
        alg.critic.actor = (alg.actor,)
        steps, actions = cfg["num_steps_per_env"], [env.num_actions]
        alg.storage = Rollout(env.num_envs, steps, obs, actions, device, prepare=alg.network_inputs)
        return alg

    def act(self, obs: TensorDict) -> Tensor:
        """Sample actions in the arithmetic of the updates, in which the ratios of probabilities then begin at 1."""
        with bf16(self.device, self.use_mixed_precision):
            actions = super().act(self.network_inputs(obs))
        self.transition.observations = obs
        return actions

    def update(self) -> dict[str, float]:
        """One PPO update on the stored rollout, then the normaliser's; returns the mean losses."""
        self.entropy_coef = self.initial_entropy * self.entropy_decay ** (self.samples / PAPER_ITERATION)
        losses = distributed.mean(super().update())
        if not all(math.isfinite(loss) for loss in losses.values()):
            raise FloatingPointError(f"training diverged, losses {losses}; start anew with a smaller learning rate.")
        observations = self.storage.observations
        change = {"kl": self._policy_change(observations[-1]), "explained_variance": self._explained_variance()}
        change = distributed.mean(change)
        for steps in observations.split(STATISTICS_STEPS):
            self.update_normalizer(steps.flatten(0, 1))
        self.samples += rollout_samples(self.storage)
        self._adapt_learning_rate(change["kl"])
        self.averaged.update_parameters(self.networks())
        return losses | change

    def broadcast_parameters(self) -> None:
        """Let all ranks begin with the first one's networks."""
        distributed.agree(x for model in (self.actor, self.critic) for x in model.state_dict().values())

    def reduce_parameters(self) -> None:
        """Average the gradients over the ranks."""
        distributed.average_gradients(chain(self.actor.parameters(), self.critic.parameters()))

    def start_gently(self) -> None:
        """Learning-rate warm-up for a trained policy, which Adam's first steps of full size would ruin: begin at the
        smallest rate, and let the divergence of the updates raise it (decision 23)."""
        self._set_learning_rate(LEAST_LEARNING_RATE)

    def networks(self) -> nn.ModuleDict:
        """Actor's and critic's networks."""
        return nn.ModuleDict({"actor": self.actor.mlp, "critic": self.critic.mlp})

    def update_normalizer(self, obs: TensorDict) -> None:
        """Merge raw observations (n, ...) of all ranks into the statistics, unless these are frozen."""
        # rsl_rl types its normaliser and distribution as modules that may be missing or others
        normalizer: Any = self.actor.obs_normalizer
        if not normalizer.frozen:
            normalizer.update(torch.cat([obs[group] for group in self.actor.obs_groups], dim=-1), distributed.total)

    @torch.no_grad()
    def _policy_change(self, obs: TensorDict) -> float:
        """Mean KL divergence of the new policy from the collecting one, at the rollout's last observations (n, ...)."""
        old = tuple(parameters[-1] for parameters in self.storage.distribution_params or ())
        self.actor.distribution.update(self.actor.mlp(self.actor.get_latent(obs)))  # type: ignore
        return self.actor.get_kl_divergence(old, self.actor.output_distribution_params).mean().item()

    def _explained_variance(self) -> float:
        """Explained variance of the value function: the fraction of the returns' variance that it foresaw."""
        returns, errors = self.storage.returns, self.storage.returns - self.storage.values
        return 1 - (errors.var() / returns.var().clamp(min=1e-12)).item()

    @torch.no_grad()
    def network_inputs(self, obs: TensorDict) -> TensorDict:
        """Observations (n, ...) as actor and critic read them: normalised once for both, and for all epochs.

        Mirror images are made of raw observations.
        """
        if self.symmetry is not None:
            return obs
        dtype = torch.bfloat16 if self.use_mixed_precision else torch.float32
        return self.actor.normalized(obs).to(dtype)  # type: ignore

    def save(self) -> dict:
        """Networks, their means, normaliser, optimiser, learning rate and the count of environment steps."""
        own = {"samples": self.samples, "learning_rate": self.learning_rate, "averaged": self.averaged.state_dict()}
        return super().save() | own

    def load(self, loaded_dict: dict, load_cfg: dict | None = None, strict: bool = True) -> bool:
        """Bit-exact resume from what `save` gave."""
        self.samples, self.learning_rate = loaded_dict["samples"], loaded_dict["learning_rate"]
        self.averaged.load_state_dict(loaded_dict["averaged"])
        return super().load(loaded_dict, load_cfg, strict)

    def _adapt_learning_rate(self, kl: float) -> None:
        """A sixth down or a fifth up when the last update changed the policy by far more or less than desired."""
        if kl > self.desired_kl * TOLERANCE:
            self.learning_rate /= ADAPTATION
        elif kl < self.desired_kl / TOLERANCE:
            self.learning_rate *= ADAPTATION
        decayed = self.initial_learning_rate * self.lr_decay ** (self.samples / PAPER_ITERATION)
        self._set_learning_rate(min(max(self.learning_rate, LEAST_LEARNING_RATE), decayed))

    def _set_learning_rate(self, rate: float) -> None:
        self.learning_rate = rate
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate
