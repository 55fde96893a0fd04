"""How an elevation map fails as a whole: kinds of failure, their sizes, and how often they come (decision 56)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

FailureName = Literal[
    "blank",
    "invented",
    "plane",
    "elsewhere",
    "frozen",
    "stuck",
    "jump",
    "wall",
    "corridor",
    "holes",
    "partial",
    "late",
    "drift",
    "shadow",
]
Range = tuple[float, float]
"""Lowest and highest value, between which an even draw is made."""
NOTHING: Range = (0.0, 0.0)
ALL: Range = (1.0, 1.0)


class Failure(NamedTuple):
    """One kind of failure by the ranges of its sizes; a size of 0 is no error of that sort."""

    missing: Range = NOTHING
    """Fraction of the map's patches that hold no information."""
    patch: Range = (0.5, 0.5)
    """m, side of these patches."""
    invented: Range = NOTHING
    """m, standard deviation about the sole of what the map shows there, anew at every look; 0: it knows nothing."""
    flat: Range = NOTHING
    """1: no relief, but a level plane through the soles' mean height when the failure began."""
    rise: Range = NOTHING
    """m by which the whole map is too high or, as often, too low."""
    shift: Range = NOTHING
    """m, in any direction, of a place whose relief is shown here instead, at the mean height of here."""
    drift: Range = NOTHING
    """m per square root of m walked, of the random walk of the map along each axis (odometry)."""
    edge: Range = NOTHING
    """m around the place where the failure began, beyond which nothing is known; 0: there is no edge."""
    wall: Range = NOTHING
    """m, height of a wall that is not there."""
    gap: Range = NOTHING
    """m from where the robot was when the failure began to that wall."""
    both: Range = NOTHING
    """1: walls on both sides, along the robot's heading; 0: on one, in any direction."""
    sensor: Range = NOTHING
    """m above the base of the only eye: nothing is known behind what is higher than it sees over; 0: it sees all."""
    late: Range = NOTHING
    """s by which the samples lag behind: they are those of where the feet were then."""
    stuck: Range = NOTHING
    """1: the samples relative to the soles stay as they were when the failure began."""
    feet: Range = ALL
    """Probability of each foot that its samples are concerned; late and stuck concern all."""


FAILURES: dict[FailureName, Failure] = {
    "blank": Failure(missing=ALL),
    "invented": Failure(missing=ALL, invented=(0.0, 0.6)),
    "plane": Failure(flat=ALL, rise=(0.0, 0.3)),
    "elsewhere": Failure(shift=(0.4, 3.4)),
    "frozen": Failure(edge=(0.8, 2.5)),
    "stuck": Failure(stuck=ALL),
    "jump": Failure(rise=(0.3, 2.5)),
    "wall": Failure(wall=(0.4, 3.0), gap=(0.2, 1.5)),
    "corridor": Failure(wall=(0.4, 3.0), gap=(0.4, 1.0), both=ALL),
    "holes": Failure(missing=(0.2, 0.6)),
    "partial": Failure(missing=(0.1, 0.9), patch=(0.3, 2.0), feet=(0.25, 1.0)),
    "late": Failure(late=(0.2, 0.4)),
    "drift": Failure(drift=(0.03, 0.1)),
    "shadow": Failure(sensor=(0.05, 0.3)),
}
"""The kinds, all ours: what cameras under snow or water, dust, tall grass, a lost odometry, a full computer, a dead
camera or its field of view make of a map."""


COVERED = Failure(missing=ALL, invented=(0.3, 0.3))
"""Sensors that are covered (Miki et al. E9), as a failure that can begin at any moment."""


@dataclass(frozen=True)
class FailureWeights:
    """How often each kind of failure occurs, in proportion to the others."""

    blank: float = 0.18
    """The map knows nothing: the soles' heights are all there is."""
    invented: float = 0.2
    """Covered sensors: random heights about the sole, of 0 to 0.6 m (standard deviation)."""
    plane: float = 0.14
    """A level plane, up to 0.3 m too high or too low."""
    elsewhere: float = 0.1
    """The relief of a place 0.4 to 3.4 m away."""
    frozen: float = 0.06
    """No renewal: beyond 0.8 to 2.5 m from where that began nothing is known."""
    stuck: float = 0.06
    """Samples that do not change any more."""
    jump: float = 0.06
    """Everything 0.3 to 2.5 m too high or too low."""
    wall: float = 0.03
    """A wall on one side that is not there."""
    corridor: float = 0.03
    """Walls on both sides that are not there."""
    holes: float = 0.0
    """20 to 60 % of patches of 0.5 m missing; training has partial, which is more."""
    partial: float = 0.08
    """10 to 90 % of patches of 0.3 to 2 m missing, at some feet or all."""
    late: float = 0.02
    """Samples of 0.2 to 0.4 s ago."""
    drift: float = 0.03
    """A map that slides and rises by 3 to 10 cm per square root of m walked."""
    shadow: float = 0.01
    """Nothing known behind what is higher than an eye 5 to 30 cm above the base sees over."""


@dataclass(frozen=True)
class FailureConfig:
    """When maps fail; how is drawn whenever the map's condition is, at the start and in the middle of a trajectory."""

    probability: float = 0.5
    """Fraction of the episodes in which maps fail, at c_sk = 1."""
    only: FailureName | None = None
    """The only kind of failure that occurs."""
    sudden: float = 0.5
    """Fraction of the failures that begin, and may end, in between; the others last from draw to draw."""
    begins: tuple[float, float] = (0.0, 10.0)
    """s from the draw until a sudden failure begins, drawn evenly."""
    lasts: tuple[float, float] = (1.0, 10.0)
    """s from then until the map is as before, drawn evenly; at most until the next draw."""
    weights: FailureWeights = FailureWeights()
    """Frequencies of the kinds of failure."""

    def __post_init__(self) -> None:
        """Refuse what cannot be drawn."""
        weights = vars(self.weights).values()
        if not (0 <= self.probability <= 1 and 0 <= self.sudden <= 1) or min(weights) < 0 or not sum(weights):
            raise ValueError("Map failures need probabilities from 0 to 1 and weights of 0 or more, not all of them 0.")
        if any(not 0 <= low <= high for low, high in (self.begins, self.lasts)):
            raise ValueError("Map failures begin and last for times from 0 s up, the shorter one first.")

    def ranges(self) -> Tensor:
        """Lowest and highest sizes of each kind, (kinds, 2, sizes)."""
        return torch.tensor(list(FAILURES.values())).transpose(1, 2)

    def kinds(self) -> Tensor:
        """Probability of each kind, (kinds,): a failure is one of them."""
        weights = torch.tensor([getattr(self.weights, name) for name in FAILURES])
        if self.only is not None:
            weights = torch.tensor([float(name == self.only) for name in FAILURES])
        return weights / weights.sum()

    def longest_lag(self) -> float:
        """s, largest lag of the samples that may occur."""
        return float((self.ranges()[:, 1, Failure._fields.index("late")] * (self.kinds() > 0)).max()) * (
            self.probability > 0
        )


NEVER = FailureConfig(probability=0.0)
"""Maps that do not fail."""
