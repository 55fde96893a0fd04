"""The conditions of the map and the grounds of the suite's mapfail, and maps that fail on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import torch

from envs.anymal import AnymalEnv
from envs.height_noise import FAILURES, Failure
from envs.sensors import NoisySensors
from evaluation.cells import Cell, make_cells
from evaluation.conditions import CONDITIONS, edge
from evaluation.noise import NONE, with_noise
from evaluation.protocol import SINGLE_STEPS
from evaluation.trial import DISTANCE

MEDIUM = 0.5
"""Difficulty that gives the parameters that a ground does not name."""
DROPOUT_SECONDS = 1.5
"""s that a map knows nothing in the middle of a staircase, after which it is as before."""
FOR_GOOD = 60.0
"""s, longer than an episode lasts."""


@dataclass(frozen=True)
class Ground:
    """One kind of ground to cross."""

    terrain: str
    """Family."""
    parameters: dict[str, float] = field(default_factory=dict)
    """Those that matter, SI units and degrees, by name; the first is part of the ground's name."""

    @property
    def name(self) -> str:
        """In tables and in --grounds."""
        return " ".join([self.terrain, *(f"{value:g}" for value in list(self.parameters.values())[:1])])

    def cell(self) -> Cell:
        """What evaluations walk on."""
        (cell,) = make_cells([self.terrain], [MEDIUM], {name: (value,) for name, value in self.parameters.items()})
        return cell


GROUNDS = (
    Ground("flat"),
    Ground("rough", {"amplitude": 0.05}),
    Ground("slope_up", {"slope": 20.0}),
    Ground("slope_down", {"slope": 20.0}),
    *(Ground("stairs_up", {"height": height, "depth": 0.3}) for height in (0.12, 0.15, 0.17, 0.22)),
    *(Ground("stairs_down", {"height": height, "depth": 0.3}) for height in (0.12, 0.17)),
    *(Ground("step_up", {"height": height}) for height in (0.2, 0.305)),
    Ground("boxes", {"height": 0.15}),
    Ground("grid_steps", {"height": 0.15}),
    Ground("corridor", {"width": 1.2}),
    Ground("stairwell", {"height": 0.17, "depth": 0.3, "width": 1.2}),
)


@dataclass(frozen=True)
class Condition:
    """What is the matter with the maps."""

    name: str
    """In tables and in --conditions."""
    level: str
    """Level of noise from the start on."""
    midway: Failure | None = None
    """How maps fail once a robot is in the middle of its way."""
    seconds: float = FOR_GOOD
    """s that this lasts."""

    def settings(self) -> dict[str, Any]:
        """What results depend on."""
        midway = None if self.midway is None else {"failure": self.midway._asdict(), "seconds": self.seconds}
        return {"maps": asdict(with_noise(CONDITIONS, self.level).height_noise), "midway": midway}


USUAL = tuple(Condition(name, name) for name in (NONE, "nominal", "large"))
"""Maps that do not fail."""
FAILING = (
    Condition("covered", "covered"),
    *(Condition(name, name) for name in ("blank", "plane", "elsewhere", "frozen", "stuck", "jump", "wall", "holes")),
    *(Condition(name, name) for name in ("late", "drift", "shadow")),
    Condition("dropout", "nominal", FAILURES["blank"], DROPOUT_SECONDS),
)
"""Maps that do; not those of training that another stands for (invented: covered, corridor: wall, partial: holes)."""
MAP_CONDITIONS = (*USUAL, *FAILING)

Named = TypeVar("Named", Ground, Condition)


def chosen(flag: str, names: Sequence[str], among: Sequence[Named]) -> tuple[Named, ...]:
    """Those of these names, of grounds also all of a terrain, in their order; without names, all."""
    for name in names:
        if not any(is_called(each, name) for each in among):
            raise ValueError(f"--{flag} has no '{name}'; choose from {', '.join(each.name for each in among)}.")
    return tuple(each for each in among if not names or any(is_called(each, name) for name in names))


def is_called(each: Ground | Condition, name: str) -> bool:
    """Whether that is its name, or the ground's terrain."""
    return name == each.name or (isinstance(each, Ground) and name == each.terrain)


class Midway:
    """Before each step, lets the maps fail of the robots that have come to the middle of their way, each once.

    That is half of the distance of a success, or where the base passes the edge of a single step.
    """

    def __init__(self, env: AnymalEnv, terrain: str, failure: Failure | None, seconds: float) -> None:
        """For robots that have just begun; without a failure only the moment is noted."""
        heading = env.state.heading
        self.origin_w = env.state.base_position_w[:, :2].clone()
        self.forward_w = torch.stack([heading.cos(), heading.sin()], dim=-1)
        middle = torch.full((env.num_envs,), DISTANCE / 2)
        self.middle = edge(env) - self.origin_w[:, 0] if terrain in SINGLE_STEPS else middle
        self.failure, self.seconds = failure, seconds
        self.began = torch.full((env.num_envs,), -1)
        """Number of the first step whose action can know of it, -1 before."""

    def __call__(self, env: AnymalEnv, step: int) -> None:
        """Look who is there before this step."""
        progress = ((env.state.base_position_w[:, :2] - self.origin_w) * self.forward_w).sum(-1)
        env_ids = torch.nonzero((progress >= self.middle) & (self.began < 0)).squeeze(-1)
        self.began[env_ids] = step + 1
        if self.failure is not None and isinstance(env.sensors, NoisySensors) and len(env_ids):
            env.sensors.failures.fail(env_ids, self.failure, self.seconds)
