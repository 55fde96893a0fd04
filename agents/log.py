"""Console line, TensorBoard and curves.csv of a training run: every metric of every iteration."""

from __future__ import annotations

import time
from collections import deque
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from rsl_rl.utils.logger import Logger

from agents import distributed
from agents.checkpoint import CURVES_FILE
from agents.choices import LoggerName
from agents.curves import Curves
from agents.events import Events
from agents.online import Online
from system.console import tell
from system.files import Troubles

HEADER_EVERY = 25  # lines
COLUMNS = (  # title, width, metric, format
    ("steps", 8, "train/samples", "{:.2f}M"),
    ("reward/s", 8, "train/reward", "{:.3f}"),
    ("lin", 6, "tracking/linear", "{:.3f}"),
    ("ang", 6, "tracking/angular", "{:.3f}"),
    ("falls/min", 9, "falls_per_minute", "{:.2f}"),
    ("terrain", 7, "terrain", "{:.3f}"),
    ("std", 5, "policy/std", "{:.2f}"),
    ("steps/s", 8, "perf/steps_per_second", "{:.0f}"),
)


class RunLog(Logger):
    """rsl_rl's logger interface with our metrics; its `writer` stays None, so that the runner alone saves."""

    def __init__(
        self, env: Any, cfg: dict, run_dir: Path, total_iterations: int, logger: LoggerName, troubles: Troubles
    ) -> None:
        """Log into `run_dir`; files are opened at the first iteration, and may fail to be written for a while."""
        super().__init__(str(run_dir), cfg, env.cfg, env.num_envs, False, 1, 0, "cpu")
        self.env, self.run_dir, self.backend = env, run_dir, logger
        self.total_iterations = total_iterations
        self.seconds = 0.0
        self.began = self.stepped = time.monotonic()
        self.troubles = troubles
        self.online: Online | None = None
        self.events: Events | None = None
        self.curves: Curves | None = None
        self.rewards: list[torch.Tensor] = []
        self.recent_seconds: deque[float] = deque(maxlen=20)
        self.lines = 0

    def open(self, iteration: int) -> None:
        """Continue the files at `iteration`, dropping what a killed run logged beyond its last save; rank 0 alone."""
        if distributed.rank() > 0:
            return
        self.curves = Curves(self.run_dir / CURVES_FILE, iteration)
        self.events = Events(self.run_dir, iteration)
        with self.troubles.tolerated(CURVES_FILE):
            self.curves.flush()
        if self.backend == "wandb":
            self.online = Online(self.run_dir, self.cfg, self.env_cfg)

    def close(self) -> None:
        """Close what is not closed after every iteration."""
        if self.online is not None:
            with self.troubles.tolerated("Weights & Biases"):
                self.online.close()

    def init_logging_writer(self) -> None:
        """Nothing: rsl_rl calls this at every `learn`, the files are opened once."""

    def process_env_step(self, rewards: torch.Tensor, *_: Any) -> None:
        """Note the mean reward of one policy step."""
        self.rewards.append(rewards.mean())
        self.stepped = time.monotonic()

    def begin(self) -> None:
        """An iteration begins now; rsl_rl's own clock is the day's, which may be set."""
        self.began = time.monotonic()

    def log(self, it: int, loss_dict: dict, **values: Any) -> None:
        """Write one finished iteration (rsl_rl counts from 0, the files from 1), as the mean of all ranks."""
        collect_time, learn_time = self.stepped - self.began, time.monotonic() - self.stepped
        iteration_time = collect_time + learn_time
        samples = self.num_envs * self.cfg["num_steps_per_env"] * distributed.size()
        self.seconds += iteration_time
        self.recent_seconds.append(iteration_time)
        metrics = {
            "train/samples": float((it + 1) * samples),
            "train/seconds": self.seconds,
            "train/reward": torch.stack(self.rewards).mean().item() / self.env.cfg.dt,
            "policy/std": values["action_std"].mean().item(),
            "policy/learning_rate": values["learning_rate"],
            **{f"loss/{name}": loss for name, loss in loss_dict.items()},
            "perf/steps_per_second": samples / iteration_time,
            "perf/collect_seconds": collect_time,
            "perf/learn_seconds": learn_time,
            **self.env.metrics(),
        }
        self.rewards.clear()
        metrics = distributed.mean(metrics)
        if distributed.rank() == 0:
            self._write(it + 1, metrics)

    def _write(self, iteration: int, metrics: dict[str, float]) -> None:
        if self.online is not None:
            with self.troubles.tolerated("Weights & Biases"):
                self.online.append(iteration, metrics)
        if self.events is not None:
            with self.troubles.tolerated(self.events.path.name):
                self.events.append(iteration, metrics)
        if self.curves is not None:
            with self.troubles.tolerated(CURVES_FILE):
                self.curves.append({"iteration": iteration, **metrics})
        if self.lines % HEADER_EVERY == 0:
            tell(header(self.total_iterations))
        self.lines += 1
        remaining = (self.total_iterations - iteration) * sum(self.recent_seconds) / len(self.recent_seconds)
        tell(line(iteration, self.total_iterations, metrics, remaining))


def header(total: int) -> str:
    """Titles above the console lines."""
    titles = [f"{title:>{width}}" for title, width, _, _ in COLUMNS]
    return "  ".join([f"{'iteration':>{_counter_width(total)}}", *titles, "    left"])


def line(iteration: int, total: int, metrics: dict[str, float], remaining: float) -> str:
    """One iteration on one console line; `remaining` s are left."""
    shown = metrics | {"train/samples": metrics["train/samples"] / 1e6}
    levels = [value for name, value in metrics.items() if name.startswith("terrain/")]
    shown |= {"terrain": sum(levels) / len(levels)} if levels else {}
    cells = [f"{form.format(shown[key]) if key in shown else '-':>{width}}" for _, width, key, form in COLUMNS]
    return "  ".join(
        [f"{f'{iteration}/{total}':>{_counter_width(total)}}", *cells, f"{timedelta(seconds=round(remaining))!s:>8}"]
    )


def _counter_width(total: int) -> int:
    return max(len("iteration"), 2 * len(str(total)) + 1)
