"""A training's metrics on Weights & Biases, for those who ask for it."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.choices import LoggerName

PROJECT = "anymal"


def require_logger(logger: LoggerName) -> None:
    """Refuse a logger whose package is missing, before anything is simulated."""
    if logger == "wandb" and importlib.util.find_spec("wandb") is None:
        raise ValueError("--logger wandb needs the package wandb: pip install wandb, then wandb login.")


class Online:
    """A run there."""

    def __init__(self, run_dir: Path, train_cfg: dict[str, Any], env_cfg: Any) -> None:
        """Begin it; raises an OSError where that is not possible, mostly since nobody has logged in."""
        wandb: Any = importlib.import_module("wandb")
        config = {"log_dir": str(run_dir), "train_cfg": train_cfg, "env_cfg": asdict(env_cfg)}
        with refused("wandb login, or set WANDB_MODE=offline"):
            self.run = wandb.init(project=PROJECT, name=run_dir.name, config=config)

    def append(self, iteration: int, metrics: dict[str, float]) -> None:
        """The metrics of one iteration; raises an OSError if they are not taken."""
        with refused("this iteration is missing there"):
            self.run.log(metrics, step=iteration)

    def close(self) -> None:
        """End it; raises an OSError if that fails."""
        with refused("the end of this run is missing there"):
            self.run.finish()


@contextmanager
def refused(consequence: str) -> Iterator[None]:
    """Context in which whatever goes wrong there is an OSError that says what follows."""
    try:
        yield
    except Exception as error:
        reason = str(error).rstrip(".") or type(error).__name__
        raise OSError(f"Weights & Biases refuses ({reason}): {consequence}.") from error
