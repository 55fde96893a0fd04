"""A training run: rsl_rl's on-policy loop, one iteration at a time, with exact resume and clean interruption."""

from __future__ import annotations

import contextlib
import io
import time
from pathlib import Path
from typing import Any, ClassVar

import torch
from rsl_rl.env import VecEnv
from rsl_rl.runners import OnPolicyRunner

from agents import archive, checkpoint, distributed
from agents.archive import CheckpointError
from agents.choices import LoggerName
from agents.config import StudentTrainingConfig, TeacherConfig
from agents.exchange import LostRank
from agents.interrupt import StopRequest
from agents.log import RunLog
from agents.rng import restore_rng, rng_state
from agents.saves import Saves

StageConfig = TeacherConfig | StudentTrainingConfig


class Training(OnPolicyRunner):
    """One stage of training in `run_dir`; `restore` continues it bit-exactly after any interruption."""

    stage: ClassVar[str]
    """Name of the stage, and kind of its policies."""
    logger: RunLog

    def __init__(
        self,
        env: VecEnv,
        cfg: StageConfig,
        rsl_rl_config: dict,
        task: str,
        run_dir: Path,
        precision: str,
        logger: LoggerName = "tensorboard",
    ) -> None:
        """Build networks and algorithm for `env`; `precision` is bf16 or fp32."""
        self.agent_cfg, self.task, self.run_dir, self.precision = cfg, task, run_dir, precision
        with contextlib.redirect_stdout(io.StringIO()):  # rsl_rl prints every layer of every model
            super().__init__(env, rsl_rl_config, device=distributed.device())
        if distributed.size() > 1:
            self.alg.broadcast_parameters()
        self.saves = Saves(run_dir)
        self.logger = RunLog(env, self.cfg, run_dir, cfg.max_iterations, logger, self.saves.troubles)
        self.versions = checkpoint.versions(env.cfg.engine)  # type: ignore
        self.fresh, self.stopped = True, False

    @property
    def iteration(self) -> int:
        """Finished iterations."""
        return self.current_learning_iteration

    @distributed.together()
    def train(self) -> bool:
        """Run to the configured iteration or to the first signal, saving on the way; whether it may be followed."""
        with StopRequest(abort=distributed.size() == 1) as stop, contextlib.closing(self.logger):
            try:
                self._train(stop)
            except LostRank:
                if stop.requested:  # the others were told to stop, too, and have been faster
                    raise stop.stopped() from None
                raise
        return self.finished and not self.stopped

    @property
    def finished(self) -> bool:
        """Whether the configured iteration is reached."""
        return self.iteration >= self.agent_cfg.max_iterations

    def _train(self, stop: StopRequest) -> None:
        if self.fresh:
            self.warm_up()
            self.fresh = False
            self.saves.write_at_first(*self._records(), stop)
        self.logger.open(self.iteration)
        while not self.finished and not distributed.any_rank(stop.requested):
            started = time.monotonic()
            self.logger.begin()
            self.learn(1)
            self.current_learning_iteration += 1
            self._save_if_due(time.monotonic() - started)
        self.saves.write_at_last(*self._records(), stop)
        self.stopped = distributed.any_rank(stop.requested)

    def _records(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What resume.pt and policy.pt hold; all ranks take part.

        Raises:
            FloatingPointError: if weights or their optimiser are not finite.
        """
        record = self.resume_record()
        if not checkpoint.finite(record["algorithm"]):
            raise FloatingPointError(
                f"training diverged, weights are not finite; {self.run_dir} still holds the last save from before."
            )
        return record, self.policy_record()

    def save(self, path: str, infos: dict | None = None) -> None:
        """Write the state to resume from to `path`, and the policy beside it; rank 0 does, for all."""
        record, policy = self._records()
        if distributed.rank() == 0:
            archive.write(Path(path), record)
            archive.write(Path(path).with_name(checkpoint.POLICY_FILE), policy)

    def load(
        self, path: str, load_cfg: dict | None = None, strict: bool = True, map_location: str | None = None
    ) -> dict:
        """Continue from a file written by `save`."""
        self.restore(checkpoint.read_resume(path))
        return {}

    def restore(self, record: dict[str, Any]) -> None:
        """Continue from a resume record: networks, optimiser, environment, curriculum and random numbers."""
        saved = [record, *record.get("other_ranks", [])]
        if len(saved) != distributed.size():
            raise CheckpointError(
                f"This training ran in {len(saved)} processes, not {distributed.size()}: "
                f"continue it with: {distributed.command(len(saved), '--resume', self.run_dir)}"
            )
        own = saved[distributed.rank()]
        try:
            self.alg.load(record["algorithm"])  # type: ignore
            self._take(own)
        except (KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"The saved training does not fit this environment or version ({error}).") from error
        self.current_learning_iteration = record["iteration"]
        self.logger.seconds = record["seconds"]
        self.fresh = False

    def policy_record(self) -> dict[str, Any]:
        """The policy with all that is needed to use it, judge it or train it further."""
        return {"kind": self.stage, **self._description()}

    def resume_record(self) -> dict[str, Any]:
        """Everything that the next iteration depends on, of all ranks."""
        first, *others = distributed.gather(archive.plain(self._own()))
        return {
            "kind": checkpoint.RESUME,
            **self._description(),
            "algorithm": self.alg.save(),
            **first,
            "other_ranks": others,
        }

    def _own(self) -> dict[str, Any]:
        """What each rank adds to the file for resuming: the state of its environment and of its random generators."""
        return {"env_state": self.env.state_dict(), "rng": rng_state()}  # type: ignore

    def _take(self, own: dict[str, Any]) -> None:
        """Restore `_own`."""
        self.env.load_state_dict(own["env_state"])  # type: ignore
        restore_rng(own["rng"])

    def _description(self) -> dict[str, Any]:
        digest: str | None = self.env.drive_digest  # type: ignore
        return {
            "task": self.task,
            "stage": self.stage,
            "env": self.env.cfg,
            "own_terms": self.env.own_terms,  # type: ignore
            "agent": self.agent_cfg,
            "seed": self.env.cfg.seed,  # type: ignore
            "precision": self.precision,
            "device": torch.device(self.device).type,
            "torch_threads": torch.get_num_threads(),
            "versions": self.versions,
            "iteration": self.iteration,
            "samples": self.alg.samples,  # type: ignore
            "ranks": distributed.size(),
            "seconds": self.logger.seconds,
            **({} if digest is None else {"drive_network": digest}),
        }

    def _load_curriculum(self, record: dict[str, Any]) -> list[str]:
        """Go on from the ground that the curriculum of this policy had reached; names it if it does not fit."""
        fits = self.env.load_curriculum_state_dict(record.get("curriculum", {}))  # type: ignore
        return [] if fits else ["terrain curriculum"]

    def warm_up(self) -> None:
        """Random episode phases."""
        spread_episodes(self.env)

    def _configure_multi_gpu(self) -> None:
        """Let PPO average gradients over the ranks; rsl_rl's own way knows nccl alone, and prints at every `learn`."""
        self.is_distributed, self.gpu_world_size, self.gpu_global_rank = False, 1, 0
        self.cfg["multi_gpu"] = distributed.rsl_rl_ranks()

    def _save_if_due(self, iteration_seconds: float) -> None:
        """Save, and keep the policies that stay; a full disk must not end the run."""
        if self.saves.due(iteration_seconds):
            self.saves.try_to_write(*self._records())
        keep_every = self.agent_cfg.keep_every
        if distributed.rank() == 0:
            if keep_every and self.iteration % keep_every == 0:
                self.saves.keep(self.iteration, self.policy_record())
            self.saves.write_kept()


def spread_episodes(env: VecEnv) -> None:
    """Random episode phases: robots begin anywhere in their episodes, so that these do not all end at once."""
    env.episode_length_buf = torch.randint_like(env.episode_length_buf, high=int(env.max_episode_length))
