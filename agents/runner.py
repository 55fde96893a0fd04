"""The training run: rsl_rl's on-policy loop, one iteration at a time, with exact resume and clean interruption."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from pathlib import Path
from typing import Any

import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner

from agents import archive, checkpoint
from agents.archive import CheckpointError
from agents.config import TeacherConfig, rsl_rl_config
from agents.interrupt import StopRequest
from agents.log import LoggerName, RunLog
from agents.models import SplitTeacher, TeacherModel
from agents.ppo import TeacherPPO
from agents.rng import restore_rng, rng_state

SAVE_SECONDS = 30.0


class TeacherRunner(OnPolicyRunner):
    """Trains a Teacher in `run_dir`; after any interruption `restore` continues with the same bits."""

    alg: TeacherPPO
    logger: RunLog

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
        self.agent_cfg, self.task, self.run_dir, self.precision = cfg, task, run_dir, precision
        with contextlib.redirect_stdout(io.StringIO()):  # rsl_rl prints every layer of every model
            super().__init__(env, rsl_rl_config(cfg, precision))
        self.logger = RunLog(env, self.cfg, run_dir, cfg.max_iterations, logger)
        self.versions = checkpoint.versions()
        self.fresh = True
        self.saved_at = -SAVE_SECONDS

    @property
    def actor(self) -> TeacherModel:
        """The policy in training."""
        return self.alg.actor  # type: ignore

    @property
    def iteration(self) -> int:
        """Finished iterations."""
        return self.current_learning_iteration

    def train(self) -> bool:
        """Run to the configured iteration or to the first signal, saving on the way; whether it is finished."""
        total = self.agent_cfg.max_iterations
        with StopRequest() as stop, contextlib.closing(self.logger):
            if self.fresh:
                self._warm_up()
            self.save(str(self.run_dir / checkpoint.RESUME_FILE))
            self.logger.open(self.iteration)
            while self.iteration < total and not stop.requested:
                started = time.monotonic()
                self.learn(1)
                self.current_learning_iteration += 1
                self._save_if_due(time.monotonic() - started)
            self.save(str(self.run_dir / checkpoint.RESUME_FILE))
        return self.iteration >= total

    def save(self, path: str, infos: dict | None = None) -> None:
        """Write the state to resume from to `path`, and the policy beside it."""
        archive.write(Path(path), self.resume_record())
        archive.write(Path(path).with_name(checkpoint.POLICY_FILE), self.policy_record())
        self.saved_at = time.monotonic()

    def load(
        self, path: str, load_cfg: dict | None = None, strict: bool = True, map_location: str | None = None
    ) -> dict:
        """Continue from a file written by `save`."""
        self.restore(checkpoint.read_resume(path))
        return {}

    def restore(self, record: dict[str, Any]) -> None:
        """Continue from a resume record: networks, optimiser, environment, curriculum and random numbers."""
        try:
            self.alg.load(record["algorithm"])
            self.env.load_state_dict(record["env_state"])  # type: ignore
        except (KeyError, RuntimeError, ValueError) as error:
            raise CheckpointError(f"The saved training does not fit this environment or version ({error}).") from error
        self.current_learning_iteration = record["iteration"]
        self.logger.seconds = record["seconds"]
        self.fresh = False
        restore_rng(record["rng"])

    def init_from(self, record: dict[str, Any]) -> None:
        """Start from the networks, normaliser and action noise of a policy record; everything else is new."""
        actor, critic = split_teacher(self.alg.actor), split_teacher(self.alg.critic)
        try:
            actor.teacher.load_state_dict(record["network"])
            critic.teacher.load_state_dict(record["critic"])
            self.actor.obs_normalizer.load_state_dict(record["normalizer"])
            self.actor.distribution.load_state_dict(record["std"])  # type: ignore
        except RuntimeError as error:
            raise CheckpointError("The policy's networks have another shape than this version's Teacher.") from error

    def policy_record(self) -> dict[str, Any]:
        """The policy with all that is needed to use it, judge it or train it further."""
        return {
            "kind": checkpoint.TEACHER,
            **self._description(),
            "network": split_teacher(self.alg.actor).teacher.state_dict(),
            "critic": split_teacher(self.alg.critic).teacher.state_dict(),
            "normalizer": self.actor.obs_normalizer.state_dict(),
            "std": self.actor.distribution.state_dict(),  # type: ignore
        }

    def resume_record(self) -> dict[str, Any]:
        """Everything that the next iteration depends on."""
        return {
            "kind": checkpoint.RESUME,
            **self._description(),
            "algorithm": self.alg.save(),
            "env_state": self.env.state_dict(),  # type: ignore
            "rng": rng_state(),
        }

    def _description(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "env": self.env.cfg,
            "agent": self.agent_cfg,
            "seed": self.env.cfg.seed,  # type: ignore
            "precision": self.precision,
            "torch_threads": torch.get_num_threads(),
            "versions": self.versions,
            "iteration": self.iteration,
            "samples": self.alg.samples,
            "seconds": self.logger.seconds,
        }

    def _warm_up(self) -> None:
        """Spread the episodes' ends, and let the untrained policy walk until the normaliser knows the observations."""
        self.env.episode_length_buf = torch.randint_like(
            self.env.episode_length_buf, high=int(self.env.max_episode_length)
        )
        obs = self.env.get_observations()
        with torch.no_grad():
            for _ in range(self.agent_cfg.warm_up_steps):
                self.alg.update_normalizer(obs)
                obs = self.env.step(self.actor(obs, stochastic_output=True))[0]
        self.env.metrics()  # type: ignore
        self.fresh = False

    def _save_if_due(self, iteration_seconds: float) -> None:
        """Save if the next chance would come later than 30 s after the last save; a full disk must not end the run."""
        keep_every = self.agent_cfg.keep_every
        try:
            if time.monotonic() - self.saved_at + iteration_seconds >= SAVE_SECONDS:
                self.save(str(self.run_dir / checkpoint.RESUME_FILE))
            if keep_every and self.iteration % keep_every == 0:
                archive.write(self.run_dir / f"policy_{self.iteration}.pt", self.policy_record())
        except OSError as error:
            print(f"warning: could not save ({error}); trying again after the next iteration.", file=sys.stderr)


def split_teacher(model: Any) -> SplitTeacher:
    """The network inside an actor or critic."""
    return model.mlp
