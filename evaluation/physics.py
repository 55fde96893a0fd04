"""The physics of an evaluation, the same whatever a policy was trained with: steps, contacts and delays."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from envs.config import EnvConfig
from envs.latency import LatencyConfig
from envs.solver import SolverConfig

STEP = 0.005
"""s, physics step of every evaluation that asks for no other."""
WHOLE = 1e-9
"""s, rounding error of a whole number of physics steps."""


@dataclass(frozen=True)
class Physics:
    """What robots are simulated with in place of the training's; called with an environment, it is a change of it."""

    step: float = STEP
    """s, physics step, of which a policy step is a whole number."""
    solver: SolverConfig = field(default_factory=SolverConfig)
    """Contacts."""
    latency: LatencyConfig = field(default_factory=LatencyConfig)
    """Delays of actions and of proprio_noisy."""

    def __call__(self, cfg: EnvConfig) -> EnvConfig:
        """The environment with this physics; a ValueError if its policy step is no whole number of physics steps."""
        return replace(cfg, decimation=decimation(cfg.dt, self.step), solver=self.solver, latency=self.latency)


def decimation(dt: float, step: float = STEP) -> int:
    """Physics steps of `step` s in a policy step of `dt` s."""
    count = round(dt / step) if step > 0 else 0
    if count < 1 or abs(count * step - dt) > WHOLE:
        raise ValueError(f"A policy step of {dt:g} s takes no whole number of physics steps of {step:g} s.")
    return count


def described(cfg: EnvConfig) -> dict[str, Any]:
    """The physics of an environment, for the settings of results."""
    step = cfg.dt / cfg.decimation
    return {"step": step, "solver": asdict(cfg.solver), "latency": asdict(cfg.latency)}
