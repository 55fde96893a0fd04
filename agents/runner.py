"""The first stage of training: the Teacher by PPO."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv

from agents import checkpoint
from agents.archive import CheckpointError
from agents.config import TeacherConfig
from agents.log import LoggerName
from agents.models import TeacherModel
from agents.ppo import TeacherPPO
from agents.rsl_rl_config import teacher_config
from agents.training import Training, require_samples


class TeacherRunner(Training):
    """Trains a Teacher."""

    stage = kind = checkpoint.TEACHER
    alg: TeacherPPO

    def __init__(
        self,
        env: VecEnv,
        cfg: TeacherConfig,
        task: str,
        run_dir: Path,
        precision: str,
        logger: LoggerName = "tensorboard",
    ) -> None:
        """Build networks and PPO for `env`; `precision` is bf16 or fp32."""
        require_samples(env, cfg)
        super().__init__(env, cfg, teacher_config(cfg, precision), task, run_dir, precision, logger)
        self.warm_up_steps = cfg.warm_up_steps

    @property
    def actor(self) -> TeacherModel:
        """The policy in training."""
        return self.alg.actor  # type: ignore

    def init_from(self, record: dict[str, Any]) -> bool:
        """Start from the networks, normaliser, action noise and curriculum of a Teacher; whether the last one fits."""
        networks: Any = self.alg.networks()
        try:
            networks["actor"].teacher.load_state_dict(record["network"])
            networks["critic"].teacher.load_state_dict(record["critic"])
            self.actor.obs_normalizer.load_state_dict(record["normalizer"])
            self.actor.distribution.load_state_dict(record["std"])  # type: ignore
            self.alg.averaged.module.load_state_dict(networks.state_dict())
        except RuntimeError as error:
            raise CheckpointError("The policy's networks have another shape than this version's Teacher.") from error
        self.alg.start_gently()
        return self.env.take_curriculum(record.get("curriculum", {}))  # type: ignore

    def policy_record(self) -> dict[str, Any]:
        """The Teacher and its critic, both averaged over recent updates, and where its curriculum has led."""
        averaged: Any = self.alg.averaged.module
        return super().policy_record() | {
            "network": averaged["actor"].teacher.state_dict(),
            "critic": averaged["critic"].teacher.state_dict(),
            "normalizer": self.actor.obs_normalizer.state_dict(),
            "std": self.actor.distribution.state_dict(),  # type: ignore
            "curriculum": self.env.curriculum(),  # type: ignore
        }

    def _warm_up(self) -> None:
        """Spread the episodes' ends, and let the untrained policy walk until the normaliser knows the observations."""
        super()._warm_up()
        obs = self.env.get_observations().to(self.device)
        with torch.no_grad():
            for _ in range(self.warm_up_steps):
                self.alg.update_normalizer(obs)
                actions = self.actor(obs, stochastic_output=True)
                obs = self.env.step(actions.to(self.env.device))[0].to(self.device)
        self.env.metrics()  # type: ignore
