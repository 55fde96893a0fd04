"""A vectorised environment of the Teacher's shapes that PPO solves in seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from rsl_rl.env import VecEnv
from tensordict import TensorDict

SIZES = {"proprio": 133, "extero": 208, "privileged": 50}
NUM_ACTIONS = 16


@dataclass(frozen=True)
class FakeConfig:
    """Size of the fake environment, and s of a step."""

    num_envs: int = 16
    seed: int = 1
    threads: int = 1
    noisy_groups: bool = False
    caution_probability: float = 0.0
    dt: float = 0.02
    engine: str = "mujoco"


class FakeEnv(VecEnv):
    """Reward exp(-|a - 1|^2 / 16) whatever the observations, which are noise; episodes last 10 steps."""

    num_actions = NUM_ACTIONS
    device = "cpu"
    max_episode_length = 10
    own_terms = ()
    drive_digest = None

    def __init__(self, cfg: FakeConfig | None = None) -> None:
        """Draw the first observations."""
        self.cfg = cfg or FakeConfig()
        self.num_envs = self.cfg.num_envs
        self.generator = torch.Generator().manual_seed(self.cfg.seed)
        self.episode_length_buf = torch.zeros(self.num_envs, dtype=torch.long)
        self.samples, self.reward_sum, self.reward_count, self.level = 0, 0.0, 0, 0
        self.obs = self._observe()

    def get_observations(self) -> TensorDict:
        """The observations of the last step."""
        return self.obs

    def step(self, actions: torch.Tensor) -> tuple[TensorDict, torch.Tensor, torch.Tensor, dict[str, Any]]:
        """Judge the actions (n, 16), then draw new observations."""
        with torch.inference_mode(False), torch.no_grad():
            error = (actions - 1).square().mean(dim=-1)
            reward = torch.exp(-error)
            self.episode_length_buf = self.episode_length_buf + 1
            done = self.episode_length_buf >= self.max_episode_length
            self.episode_length_buf = torch.where(done, 0, self.episode_length_buf)
            self.samples += self.num_envs
            self.reward_sum, self.reward_count = self.reward_sum + reward.mean().item(), self.reward_count + 1
            self.obs = self._observe()
        return self.obs, reward, done, {"time_outs": done}

    def metrics(self) -> dict[str, float]:
        """Means since the last call."""
        mean = self.reward_sum / max(self.reward_count, 1)
        self.reward_sum, self.reward_count = 0.0, 0
        return {"tracking/linear": mean, "terrain/rough": 0.25, "terrain/boxes": 0.75, "falls_per_minute": 0.0}

    def curriculum_state_dict(self) -> dict[str, torch.Tensor]:
        """A level that was reached."""
        return {"level": torch.tensor(self.level)}

    def load_curriculum_state_dict(self, state: dict[str, torch.Tensor]) -> bool:
        """Start at this level."""
        self.level = int(state["level"])
        return True

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "generator": self.generator.get_state(),
            "obs": dict(self.obs),
            "episode_length": self.episode_length_buf,
            "samples": self.samples,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state_dict`."""
        self.generator.set_state(state["generator"])
        self.obs = TensorDict(state["obs"], batch_size=[self.num_envs])
        self.episode_length_buf = state["episode_length"]
        self.samples = state["samples"]

    def close(self) -> None:
        """Nothing to release."""

    def _observe(self) -> TensorDict:
        groups = {name: torch.randn(self.num_envs, size, generator=self.generator) for name, size in SIZES.items()}
        if self.cfg.caution_probability > 0:
            groups["caution"] = torch.zeros(self.num_envs, 1)
        if self.cfg.noisy_groups:
            for name in ("proprio", "extero"):
                noise = torch.randn(self.num_envs, SIZES[name], generator=self.generator)
                groups[f"{name}_noisy"] = groups[name] + 0.1 * noise
        return TensorDict(groups, batch_size=[self.num_envs])
