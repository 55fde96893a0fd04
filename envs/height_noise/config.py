"""How good the elevation map is: the conditions of Miki et al. S8, their probabilities and their schedule."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from envs.height_noise.failures import FAILURES, NEVER, FailureConfig, FailureName

Condition = Literal["nominal", "offset", "noisy", "small", "large"]
Level = Literal["none", Condition, "covered", FailureName, "dropout", "mapped"]
"""How well a robot perceives in play and evaluation."""


class MapCondition(NamedTuple):
    """Parameters z0..z7 of one condition of the map: standard deviations in m and one probability."""

    point_lateral: float
    """z0, m, of each point's place along x and y, anew at every look."""
    point_vertical: float
    """z1, m, of each point's height, anew at every look."""
    foot_lateral: float
    """z2, m, shared by the points of a foot, anew at every look."""
    foot_vertical: float
    """z3, m, shared by the points of a foot, anew at every look."""
    outlier: float
    """z4, m, added to the height of a point that is an outlier."""
    outlier_probability: float
    """z5, probability that a point is an outlier in one look."""
    episode_lateral: float = 0.1
    """z6, m, shared by the points of a foot for a whole episode."""
    episode_vertical: float = 0.1
    """z7, m, shared by the points of a foot for a whole episode; not printed in the paper."""


CONDITIONS: dict[Condition, MapCondition] = {
    "nominal": MapCondition(0.004, 0.005, 0.01, 0.04, 0.03, 0.05),
    "offset": MapCondition(0.004, 0.005, 0.01, 0.1, 0.1, 0.02),
    "noisy": MapCondition(0.004, 0.1, 0.1, 0.3, 0.3, 0.3),
    "small": MapCondition(0.004, 0.005, 0.04, 0.04, 0.04, 0.01),
    "large": MapCondition(0.004, 0.3, 0.2, 0.1, 0.1, 0.03),
}
"""S8: three conditions of training at c_sk = 1, and two of evaluation."""
TRAINING = ("nominal", "offset", "noisy")
"""Conditions that training draws from."""


@dataclass(frozen=True)
class HeightNoiseConfig:
    """Noise model of the heights that a Student sees (Miki et al. S8); all of it is multiplied by c_sk."""

    condition_probabilities: tuple[float, float, float] = (0.4, 0.3, 0.3)
    """Probabilities of the map conditions nominal, offset and noisy (paper: 0.6, 0.3, 0.1; decision 31)."""
    condition: Condition | None = None
    """Hold every map in this condition instead of drawing it."""
    redraw_seconds: float = 10.0
    """s after which a robot's map condition is drawn anew: at the start and in the middle of a trajectory."""
    factor: float | None = None
    """Hold c_sk at this value instead of following the schedule; 0 is a perfect map."""
    start_steps: int = 2_400_000
    """Environment steps at which c_sk leaves 0: 20 epochs of the paper's 300 x 400."""
    full_steps: int = 12_000_000
    """Environment steps at which c_sk reaches 1: 100 epochs."""
    map_rate: float = 20.0
    """Hz at which a robot's map, and with it the samples, are renewed; in between they are held."""
    cell_offset: float = 0.05
    """m, standard deviation of the height that is added to a whole cell of the map (size and magnitude are ours)."""
    cell_size: float = 2.0
    """m, side of these cells."""
    missing_fraction: float = 0.03
    """Fraction of the map's patches that hold no information (ours)."""
    missing_size: float = 0.5
    """m, side of these patches."""
    missing_height: float = 0.3
    """m, standard deviation, about the foot's height, of the random value of a sample in such a patch; 0 for none."""
    failures: FailureConfig = FailureConfig()
    """Maps that fail as a whole."""

    def __post_init__(self) -> None:
        """Refuse what no map can be made of."""
        if min(self.condition_probabilities) < 0 or abs(sum(self.condition_probabilities) - 1) > 1e-6:
            raise ValueError(
                f"The probabilities of the map conditions must add up to 1, unlike {self.condition_probabilities}."
            )
        if min(self.map_rate, self.cell_size, self.missing_size, self.redraw_seconds) <= 0:
            raise ValueError("Map rate, cell and patch sizes and redraw seconds must be positive.")
        if self.start_steps >= self.full_steps:
            raise ValueError("c_sk must reach 1 after it has left 0: raise full_steps above start_steps.")

    def table(self) -> Tensor:
        """z0..z7 of every condition that occurs, in the order of their probabilities, (conditions, 8)."""
        names = TRAINING if self.condition is None else (self.condition,)
        return torch.tensor([CONDITIONS[name] for name in names])

    def probabilities(self) -> Tensor:
        """Fraction of each condition that occurs, (conditions,)."""
        return torch.tensor(self.condition_probabilities if self.condition is None else (1.0,))


def held(condition: Condition, failures: FailureConfig = NEVER, missing_fraction: float = 0.0) -> HeightNoiseConfig:
    """Maps of this condition of S8 alone, with these failures and this fraction of missing patches."""
    return HeightNoiseConfig(
        condition=condition, factor=1.0, cell_offset=0.0, missing_fraction=missing_fraction, failures=failures
    )


EVER = 86_400.0
"""s, a day: longer than any play."""


def failing(name: FailureName) -> HeightNoiseConfig:
    """Maps of nominal noise that fail so for a whole episode, or, where the moment matters, from 0.5 to 3 s on."""
    sudden = float(name in ("frozen", "stuck"))
    failures = FailureConfig(1.0, name, sudden, begins=(0.5, 3.0), lasts=(EVER, EVER))
    return replace(held("nominal", failures), redraw_seconds=EVER)


DROPOUT = FailureConfig(1.0, "blank", sudden=1.0, begins=(2.0, 4.0), lasts=(1.5, 3.0))
"""A map that knows nothing for a while in the middle of an episode of 10 s."""
LEVELS: dict[str, HeightNoiseConfig] = {
    "none": HeightNoiseConfig(factor=0.0, map_rate=50.0),
    **{name: held(name) for name in CONDITIONS},
    "covered": held("nominal", missing_fraction=1.0),
    **{name: failing(name) for name in FAILURES},
    "dropout": held("nominal", DROPOUT),
    "mapped": HeightNoiseConfig(factor=0.0, map_rate=50.0),
}
"""Fixed noise of evaluation: a perfect map without delay, S8's conditions, covered sensors (E9), failing maps, and the
map of the robot's own sensors (envs.depth), to which nothing is added."""


def noise_factor(steps: float, cfg: HeightNoiseConfig) -> float:
    """c_sk after so many environment steps, 0..1: linear between the schedule's two ends (Miki et al. S8)."""
    if cfg.factor is not None:
        return cfg.factor
    return min(max((steps - cfg.start_steps) / (cfg.full_steps - cfg.start_steps), 0.0), 1.0)
