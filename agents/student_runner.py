"""The stages of training that make a Student: its distillation, and the fine-tuning of its head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from rsl_rl.env import VecEnv

from agents import archive, checkpoint
from agents.archive import CheckpointError
from agents.config import FinetuneConfig, StudentTrainingConfig, restore
from agents.distillation import BeliefDistillation
from agents.finetuning import StudentPPO
from agents.log import LoggerName
from agents.rsl_rl_config import finetune_config, student_config
from agents.training import Training, require_samples
from anymal_policy.student import StudentConfig


class StudentTraining(Training):
    """What both have in common: a Student with a memory of its robots, and a Teacher that it comes from."""

    kind = checkpoint.STUDENT
    alg: BeliefDistillation | StudentPPO  # type: ignore
    network_cfg: StudentConfig
    """The variant of the Student."""
    teacher_hash = ""
    """Content hash of the Teacher's policy."""

    def teach(self, record: dict[str, Any]) -> bool:
        """Learn from the Teacher of this policy record; whether its curriculum could be taken over, too."""
        try:
            self.alg.teach(record)
        except RuntimeError as error:
            raise CheckpointError("The Teacher's networks have another shape than this version's Teacher.") from error
        self.teacher_hash = record["hash"]
        return self.env.take_curriculum(record.get("curriculum", {}))  # type: ignore

    def init_from(self, record: dict[str, Any]) -> bool:
        """Start from the network and curriculum of another Student, a blind one also from one that saw; whether the
        latter fits."""
        other = restore(self.network_cfg, record["student"])
        if replace(other, extero=self.network_cfg.extero) != self.network_cfg:
            raise CheckpointError(
                f"The Student to start from is another variant: give the --{self.stage}.network flags that it was "
                "made with."
            )
        self.alg.begin_with(record["network"])
        return self.env.take_curriculum(record.get("curriculum", {}))  # type: ignore

    def policy_record(self) -> dict[str, Any]:
        """The Student, averaged over recent updates, its Teacher's normaliser (proprioception, heights, privileged
        state), and where its curriculum has led."""
        return super().policy_record() | {
            "student": self.network_cfg,
            "network": self.alg.averaged_student(),
            "normalizer": self.alg.student.normalizer.state_dict(),
            "curriculum": self.env.curriculum(),  # type: ignore
        }

    def restore(self, record: dict[str, Any]) -> None:
        """Continue from a resume record, which holds the Teacher, too."""
        super().restore(record)
        self.teacher_hash = record["teacher_hash"]

    def _description(self) -> dict[str, Any]:
        return super()._description() | {"teacher_hash": self.teacher_hash}

    def _own(self) -> dict[str, Any]:
        return super()._own() | {"hidden": self.alg.student.hidden}

    def _take(self, own: dict[str, Any]) -> None:
        super()._take(own)
        self.alg.continue_from(own["hidden"])


class StudentRunner(StudentTraining):
    """Distils a Teacher into a Student."""

    stage = checkpoint.STUDENT
    alg: BeliefDistillation

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
        if env.num_envs < cfg.num_mini_batches:
            raise ValueError(
                f"{env.num_envs} robots are too few for {cfg.num_mini_batches} mini-batches: "
                "raise --num-envs or lower --student.num-mini-batches."
            )
        super().__init__(env, cfg, student_config(cfg, precision), task, run_dir, precision, logger)
        self.network_cfg = cfg.network


class FinetuneRunner(StudentTraining):
    """Goes on with the head of a distilled Student by reinforcement."""

    stage = checkpoint.FINETUNE
    alg: StudentPPO

    def __init__(
        self,
        env: VecEnv,
        cfg: FinetuneConfig,
        task: str,
        run_dir: Path,
        precision: str,
        logger: LoggerName = "tensorboard",
    ) -> None:
        """Build Student, critic and PPO for `env`, blank until `teach` and `init_from`, or `restore`."""
        require_samples(env, cfg)
        super().__init__(env, cfg, finetune_config(cfg, precision), task, run_dir, precision, logger)
        self.network_cfg = cfg.network
        self.student_hash = ""

    def init_from(self, record: dict[str, Any]) -> bool:
        """Start from the network and curriculum of a Student of the same Teacher; whether the latter fits."""
        normalizer = self.alg.student.normalizer.state_dict()
        if archive.content_hash(record["normalizer"]) != archive.content_hash(archive.plain(normalizer)):
            raise CheckpointError(
                "The Student to start from has the normaliser of another Teacher: name the one it was distilled from."
            )
        self.student_hash = record["hash"]
        return super().init_from(record)

    def restore(self, record: dict[str, Any]) -> None:
        """Continue from a resume record."""
        super().restore(record)
        self.student_hash = record["student_hash"]

    def _description(self) -> dict[str, Any]:
        return super()._description() | {"student_hash": self.student_hash}
