"""The two stages of training: the Teacher by PPO, the Student by distillation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv

from agents import checkpoint, distributed
from agents.archive import CheckpointError, content_hash, plain
from agents.choices import LoggerName
from agents.config import StudentTrainingConfig, TeacherConfig, restore
from agents.distillation import BeliefDistillation
from agents.models import TeacherModel
from agents.ppo import TeacherPPO
from agents.rsl_rl_config import student_config, teacher_config
from agents.training import Training
from anymal_policy import layout
from system.console import say


class TeacherRunner(Training):
    """Trains a Teacher."""

    stage = checkpoint.TEACHER
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
        if env.num_envs * cfg.num_steps_per_env < cfg.num_mini_batches:
            raise ValueError(
                f"{env.num_envs} robots x {cfg.num_steps_per_env} steps are too few for "
                f"{cfg.num_mini_batches} mini-batches: raise --num-envs or lower --agent.num-mini-batches."
            )
        super().__init__(env, cfg, teacher_config(cfg, precision), task, run_dir, precision, logger)
        self.warm_up_steps = cfg.warm_up_steps

    @property
    def actor(self) -> TeacherModel:
        """The policy in training."""
        return self.alg.actor  # type: ignore

    def init_from(self, record: dict[str, Any]) -> list[str]:
        """Warm start from the networks, normaliser, action noise and curriculum of a Teacher; names what does not fit.

        The critics of earlier versions, which had encoders of their own, do not.
        """
        networks: Any = self.alg.networks()
        own_encoders = "height_encoder.foot.0.weight" in record["critic"]
        try:
            networks["actor"].teacher.load_state_dict(record["network"])
            if not own_encoders:
                networks["critic"].load_state_dict(record["critic"])
            self.actor.obs_normalizer.load_state_dict(record["normalizer"])
            self.actor.distribution.load_state_dict(record["std"])  # type: ignore
            self.alg.averaged.module.load_state_dict(networks.state_dict())
        except RuntimeError as error:
            raise CheckpointError("The policy's networks have another shape than this version's Teacher.") from error
        self.alg.start_gently()
        return (["critic"] if own_encoders else []) + self._load_curriculum(record)

    def policy_record(self) -> dict[str, Any]:
        """The Teacher and its critic, both averaged over recent updates, and where its curriculum has led."""
        averaged: Any = self.alg.averaged.module
        return super().policy_record() | {
            "network": averaged["actor"].teacher.state_dict(),
            "critic": averaged["critic"].state_dict(),
            "normalizer": self.actor.obs_normalizer.state_dict(),
            "std": self.actor.distribution.state_dict(),  # type: ignore
            "curriculum": self.env.curriculum_state_dict(),  # type: ignore
        }

    def warm_up(self) -> None:
        """Spread the episodes' ends, and let the untrained policy walk until the normaliser knows the observations."""
        super().warm_up()
        obs = self.env.get_observations().to(self.device)
        with torch.no_grad():
            for _ in range(self.warm_up_steps):
                self.alg.update_normalizer(obs)
                actions = self.actor(obs, stochastic_output=True)
                obs = self.env.step(actions.to(self.env.device))[0].to(self.device)
        self.env.metrics()  # type: ignore


class StudentRunner(Training):
    """Distils a Teacher into a Student."""

    stage = checkpoint.STUDENT
    alg: BeliefDistillation  # type: ignore

    def __init__(
        self,
        env: VecEnv,
        cfg: StudentTrainingConfig,
        task: str,
        run_dir: Path,
        precision: str,
        logger: LoggerName = "tensorboard",
    ) -> None:
        """Build Student and Teacher for `env`, blank until `teach` or `restore`."""
        cfg.require_robots(env.num_envs)
        super().__init__(env, cfg, student_config(cfg, precision), task, run_dir, precision, logger)
        self.network_cfg = cfg.network
        self.teacher_hash = ""

    def teach(self, record: dict[str, Any]) -> list[str]:
        """Learn from the Teacher of this policy record, on the ground that it had reached; names what does not fit."""
        if self.alg.teacher.network.caution is not None and layout.CAUTION not in record["network"]:
            raise CheckpointError(
                "This Teacher has not learnt to walk with caution: set --env.caution-probability to 0."
            )
        try:
            self.alg.teach(record["network"], record["normalizer"])
        except RuntimeError as error:
            raise CheckpointError("The Teacher's networks have another shape than this version's Teacher.") from error
        self.teacher_hash = record["hash"]
        return self._load_curriculum(record)

    def init_from(self, record: dict[str, Any]) -> list[str]:
        """Warm start from the network and curriculum of another Student, a blind one also from one that saw.

        Names what does not fit.
        """
        other = restore(self.network_cfg, record["student"])
        if replace(other, extero=self.network_cfg.extero) != self.network_cfg:
            raise CheckpointError(
                "The Student to start from is another variant: give the --student.network flags that it was made with."
            )
        try:
            self.alg.begin_with(record["network"])
        except RuntimeError as error:
            raise CheckpointError("The Student to start from has observations of other sizes.") from error
        ours, its = (plain(part) for part in (self.alg.teacher.normalizer.state_dict(), record["normalizer"]))
        if content_hash(ours) != content_hash(its) and distributed.rank() == 0:
            say("Note: its inputs are scaled by this Teacher's normaliser, not by the one that it has learnt with.")
        return self._load_curriculum(record)

    def policy_record(self) -> dict[str, Any]:
        """The Student, averaged over recent updates, its Teacher's normaliser (proprioception, heights, privileged
        state), and where its curriculum has led."""
        return super().policy_record() | {
            "student": self.network_cfg,
            "network": self.alg.averaged.module.state_dict(),  # type: ignore
            "normalizer": self.alg.teacher.normalizer.state_dict(),
            "curriculum": self.env.curriculum_state_dict(),  # type: ignore
        }

    def _description(self) -> dict[str, Any]:
        return super()._description() | {"teacher_hash": self.teacher_hash}

    def restore(self, record: dict[str, Any]) -> None:
        """Continue from a resume record, which holds the Teacher, too."""
        super().restore(record)
        self.teacher_hash = record["teacher_hash"]

    def _own(self) -> dict[str, Any]:
        return super()._own() | {"hidden": self.alg.student.hidden}

    def _take(self, own: dict[str, Any]) -> None:
        super()._take(own)
        self.alg.continue_from(own["hidden"])
