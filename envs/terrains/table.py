"""All terrain families with their parameters and training ranges (Miki et al. S4), and the meaning of a difficulty."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from envs.terrains import blocks, natural, paths, stairs
from envs.terrains.grid import Size, Terrain, Values

Generate = Callable[[Values, int, Size], Terrain]
Recess = Callable[[Values], float]


@dataclass(frozen=True)
class Parameter:
    """One number of a family: its training range from easy to hard, and how far explicit values may go beyond it."""

    name: str
    low: float
    """Value at difficulty 0."""
    high: float
    """Value at difficulty 1."""
    unit: str
    meaning: str
    levels: tuple[float, ...] = ()
    """Values of the curriculum, easy to hard; empty if the curriculum leaves the parameter alone."""
    fixed: float | None = None
    """Value at every difficulty, for parameters that difficulty leaves alone."""
    limits: tuple[float, float] = (0.0, math.inf)
    """Smallest and largest value that can be asked for."""
    choices: tuple[float, ...] = ()
    """The only allowed values, where not every number is one."""

    def at(self, difficulty: float) -> float:
        """The value at a difficulty, linear from low (0) to high (1)."""
        return self.low + difficulty * (self.high - self.low) if self.fixed is None else self.fixed

    def check(self, family: str, value: float) -> float:
        """The value, or a ValueError that says which values are possible."""
        if self.choices and value not in self.choices:
            raise ValueError(f"{family}: {self.name} must be one of {list(self.choices)}, not {value}.")
        if not self.limits[0] <= value <= self.limits[1]:
            bounds = f"{self.limits[0]:g} to {self.limits[1]:g} {self.unit}".rstrip()
            raise ValueError(f"{family}: {self.name} must be within {bounds}, not {value}.")
        return value


@dataclass(frozen=True)
class Family:
    """One kind of terrain: its parameters, its generator, and where on a tile a robot starts."""

    name: str
    parameters: tuple[Parameter, ...]
    generate: Generate
    source: str
    """Where its ranges come from."""
    size: Size = (8.0, 8.0)
    """m along x and y, of a tile unless another size is asked for."""
    start_x: float | None = None
    """m from the tile's x = 0 edge where a robot starts; None for the middle."""
    heading: float | None = None
    """rad, direction of travel that the tile is made for; None for any."""
    path: bool = False
    """Whether the ground is a path along x, `width` m wide, which is walked both ways from the middle."""
    recess: Recess | None = None
    """m that the wall under a tread stands behind the tread's front; None for families that do not overhang."""

    def start(self, size: Size) -> tuple[float, float]:
        """Start position (x, y) on a tile of this size, m from its corner."""
        return size[0] / 2 if self.start_x is None else self.start_x, size[1] / 2


def ladder(low: float, high: float, count: int = 8) -> tuple[float, ...]:
    """Equally spaced curriculum levels from `low` to `high`."""
    return tuple(low + (high - low) * i / (count - 1) for i in range(count))


S4, ROUGH, CHOSEN = "Miki et al. S4", "Miki et al. S4, ranges chosen", "chosen; not stated in Miki et al."
LANE = "Miki et al. Fig. 4B, S1, S2"
AMPLITUDE = Parameter("amplitude", 0, 0.1, "m", "largest height above or below 0", ladder(0.0125, 0.1), limits=(0, 0.5))
FEATURE = Parameter("feature", 0.6, 0.25, "m", "size of a bump", (0.6, 0.4, 0.25), 0.4, (0.1, 2))
DISCRETE = replace(AMPLITUDE, high=0.15, levels=ladder(0.02, 0.15))
LEVELS = Parameter("levels", 9, 3, "", "number of heights", (9, 5, 3), 5, (2, 41), tuple(range(2, 42)))
STEP = Parameter("height", 0, 0.4, "m", "height of the step", ladder(0.05, 0.4), limits=(0, 1))
STEP_WIDTH = Parameter("width", 2, 1, "m", "mean width of a step", (), 1.6, (0.5, 10))
TREAD = Parameter("width", 2, 0.8, "m", "width of a step, rounded to 0.05 m", (1.6, 1.0), 1.2, (0.3, 10))
STAIR_STEP = replace(STEP, high=0.3, levels=ladder(0.04, 0.3))
COLUMN = Parameter("height", 0.05, 0.4, "m", "mean height of the columns", ladder(0.05, 0.4), limits=(0, 1))
SIDE = Parameter("width", 0.7, 0.2, "m", "side of a column, rounded to 0.05 m", (0.7, 0.45, 0.2), 0.45, (0.1, 2))
BOX = Parameter("height", 0, 0.25, "m", "height of the highest boxes", ladder(0.03, 0.25), limits=(0, 1))
DENSITY = Parameter("density", 0.4, 1.2, "per m^2", "number of boxes", (0.5, 1.0), 0.8, (0, 5))
RISER = Parameter("height", 0.01, 0.22, "m", "height of a riser", ladder(0.01, 0.22), limits=(0, 0.5))
DEPTH = Parameter("depth", 1, 0.25, "m", "depth of a tread, rounded to 0.05 m", (0.6, 0.4, 0.3, 0.25), 0.3, (0.15, 1.5))
PATH = Parameter("width", 2.4, 1.2, "m", "width of the path, rounded to 0.05 m", (2.4, 1.8, 1.2), limits=(1.2, 4))
WALL = Parameter(
    "wall", 0.5, 3, "m", "height of the walls; up to 1.1 m they are banisters", (0.8, 2.5), limits=(0.2, 5)
)
DROP = Parameter("drop", 1, 3, "m", "depth of the drop beside the path", (1, 2.5), limits=(0.2, 5))
DIRECTION = Parameter("direction", 1, 1, "", "1: rising from the start, -1: falling", (), 1, (-1, 1), (-1, 1))
SLOPE = Parameter("slope", 0, 25, "degrees", "inclination", ladder(3, 24), limits=(0, 45))
STAIRS = (RISER, DEPTH, DIRECTION)
OVERHANGING = (
    replace(RISER, levels=ladder(0.04, 0.22, 7)),
    replace(DEPTH, levels=(0.4, 0.3, 0.25)),
    DIRECTION,
)
STAIRWELL = (
    replace(RISER, levels=(0.04, 0.08, 0.12, 0.16, 0.19, 0.22)),
    replace(DEPTH, levels=(), fixed=0.3),
    DIRECTION,
    replace(PATH, levels=(1.8, 1.2)),
    WALL,
)


def path(name: str, parameters: tuple[Parameter, ...], generate: Generate) -> Family:
    """A path along x with something beside it, walked both ways from the middle."""
    return Family(name, parameters, generate, CHOSEN, size=(12.0, 5.0), heading=0.0, path=True)


def lane(
    name: str, parameters: tuple[Parameter, ...], generate: Generate, source: str = LANE, recess: Recess | None = None
) -> Family:
    """An evaluation lane: a start 1 m before the obstacle, travel along +x."""
    plain = tuple(replace(parameter, levels=()) for parameter in parameters)
    return Family(name, plain, generate, source, size=(10.0, 5.0), start_x=1.5, heading=0.0, recess=recess)


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("flat", (), natural.flat, CHOSEN),
        Family("rough", (AMPLITUDE, FEATURE), natural.rough, ROUGH),
        Family(
            "rough_discrete", (DISCRETE, LEVELS, replace(FEATURE, levels=(), fixed=0.6)), natural.rough_discrete, ROUGH
        ),
        Family("large_step", (STEP, STEP_WIDTH), blocks.large_step, S4),
        Family("grid_steps", (COLUMN, SIDE), blocks.grid_steps, S4),
        Family("boxes", (BOX, DENSITY), blocks.boxes, S4),
        Family("step_stair", (STAIR_STEP, TREAD), blocks.step_stair, ROUGH),
        Family("stairs_standard", STAIRS, stairs.stairs_standard, S4),
        Family("stairs_random", STAIRS, stairs.stairs_random, S4),
        Family("stairs_open", OVERHANGING, stairs.stairs_standard, S4, recess=stairs.under_treads),
        Family("stairs_ledged", OVERHANGING, stairs.stairs_standard, S4, recess=stairs.under_ledges),
        Family("slope_up", (SLOPE,), natural.slope_up, CHOSEN),
        Family("slope_down", (SLOPE,), natural.slope_down, CHOSEN),
        path("corridor", (PATH, WALL), paths.corridor),
        path("stairwell", STAIRWELL, paths.stairwell),
        path("bridge", (PATH, DROP), paths.bridge),
        lane("step_up", (STEP,), stairs.step_up),
        lane("step_down", (STEP,), stairs.step_down),
        lane("stairs_up", (RISER, DEPTH), stairs.stairs_up),
        lane("stairs_down", (RISER, DEPTH), stairs.stairs_down),
        lane("stairs_open_up", (RISER, DEPTH), stairs.stairs_up, S4, stairs.under_treads),
        lane("stairs_open_down", (RISER, DEPTH), stairs.stairs_down, S4, stairs.under_treads),
        lane("stairs_ledged_up", (RISER, DEPTH), stairs.stairs_up, S4, stairs.under_ledges),
        lane("stairs_ledged_down", (RISER, DEPTH), stairs.stairs_down, S4, stairs.under_ledges),
    )
}


OR_OWN = "; for one of your own, name its file with --task FILE.py:NAME."
"""End of a sentence that refuses a terrain."""


def family_named(name: str) -> Family:
    """The family of this name, or a ValueError that lists them all."""
    if name not in FAMILIES:
        raise ValueError(f"There is no terrain '{name}'; choose one of {', '.join(FAMILIES)}{OR_OWN}")
    return FAMILIES[name]


def parameters(family: str, difficulty: float | None = None, **explicit: float) -> dict[str, float]:
    """All parameters of a family at a difficulty in 0..1, by default 0.5; explicit values replace what it gives."""
    known = {parameter.name: parameter for parameter in family_named(family).parameters}
    if unknown := sorted(set(explicit) - set(known)):
        valid = f"it has {', '.join(known)}" if known else "it has none"
        raise ValueError(f"{family} has no parameter '{unknown[0]}'; {valid}.")
    difficulty = 0.5 if difficulty is None else difficulty
    if not 0.0 <= difficulty <= 1.0:
        raise ValueError(f"Difficulty must be within 0 and 1, not {difficulty}.")
    return {name: p.check(family, explicit.get(name, p.at(difficulty))) for name, p in known.items()}
