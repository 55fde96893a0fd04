"""Names, order, sizes, units and frames of everything that enters and leaves a policy; needs numpy alone.

Legs come as LF, RF, LH, RH, joints as HAA, HFE, KFE within a leg. Frames: b base, w world, yaw = base origin, yaw only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

LEGS = ("LF", "RF", "LH", "RH")
JOINTS = tuple(f"{leg}_{joint}" for leg in LEGS for joint in ("HAA", "HFE", "KFE"))
POLICY_DT = 0.02  # s

DEFAULT_JOINT_POSITION = np.array([[0.0, 0.4, -0.8], [0.0, 0.4, -0.8], [0.0, -0.4, 0.8], [0.0, -0.4, 0.8]]).ravel()
"""Joint angles of the nominal stance, (12,) rad."""

JOINT_LOWER = np.array([[-0.72, -9.42, -9.42], [-0.49, -9.42, -9.42]] * 2).ravel()
"""Lower joint limits of the ANYmal C, (12,) rad."""

JOINT_UPPER = np.array([[0.49, 9.42, 9.42], [0.72, 9.42, 9.42]] * 2).ravel()
"""Upper joint limits of the ANYmal C, (12,) rad."""

RINGS = ((6, 0.08), (8, 0.16), (10, 0.26), (12, 0.36), (16, 0.48))
"""Points and radius in m of the rings of height samples around each foot (Miki et al. S5)."""


HEIGHT_LIMIT = 1.0
"""m, to which height samples are limited before anything else is made of them: no foot reaches further up or down.

Of a Teacher's samples on the hardest terrain of training 99.8 % lie within -0.72 and 0.50 m (decision 58).
"""
UNKNOWN_HEIGHT = 0.0
"""m, what a height sample reads where the map knows none: the height of the sole (decision 57)."""


MEASURED, REMEMBERED, COMPUTED, SIMULATED = "measured", "remembered", "computed", "simulated"
"""Sources of a term: sensors, estimators, map and user; the policy's last steps; the gait; the simulator alone."""


@dataclass(frozen=True)
class Term:
    """One named quantity of a vector, with its number of entries and its physical meaning."""

    name: str
    """Name by which the quantity is addressed."""
    size: int
    """Number of consecutive entries."""
    unit: str
    """SI unit, "1" if it has none."""
    frame: str
    """Frame of the components, "-" if it has none."""
    meaning: str
    """What is measured, and the order of the entries."""
    source: str = MEASURED
    """Where a robot has it from."""
    mirror: tuple[int, ...] = ()
    """Of an own term: for each entry of its left-right mirror image the entry it shows, from 1 on, negative with the
    other sign; agents/symmetry.py has those of all others."""


PROPRIO = (
    Term("command", 3, "m/s, m/s, rad/s", "yaw", "commanded forward, left and yaw velocity"),
    Term("gravity_b", 3, "1", "b", "unit vector of gravity"),
    Term("linear_velocity_b", 3, "m/s", "b", "velocity of the base origin"),
    Term("angular_velocity_b", 3, "rad/s", "b", "angular velocity of the base"),
    Term("joint_position", 12, "rad", "-", "joint angles"),
    Term("joint_velocity", 12, "rad/s", "-", "joint velocities"),
    Term(
        "joint_position_history", 36, "rad", "-", "joint angles 1, 2 and 3 policy steps ago, newest first", REMEMBERED
    ),
    Term(
        "joint_velocity_history",
        24,
        "rad/s",
        "-",
        "joint velocities 1 and 2 policy steps ago, newest first",
        REMEMBERED,
    ),
    Term("joint_target_history", 24, "rad", "-", "the last joint targets and those before, newest first", REMEMBERED),
    Term("phase_offset", 4, "1", "-", "phase offsets of the last action", REMEMBERED),
    Term("phase_cos", 4, "1", "-", "cosine of the gait phase of each leg", COMPUTED),
    Term("phase_sin", 4, "1", "-", "sine of the gait phase of each leg", COMPUTED),
    Term("base_frequency", 1, "Hz", "-", "base frequency of the gait", COMPUTED),
)
"""Proprioception, 133 entries (Miki et al. Table S3)."""

EXTERO = (
    Term("heights", 208, "m", "yaw", "terrain height minus foot sole height, per foot 52 points, rings inner to outer"),
)
"""Exteroception, 208 entries (Miki et al. S5)."""

PRIVILEGED = (
    Term("contact_state", 4, "1", "-", "1 for a foot that touches the ground, else 0", SIMULATED),
    Term("contact_force", 12, "N", "b", "ground reaction force on each foot, x y z per foot", SIMULATED),
    Term(
        "contact_normal",
        12,
        "1",
        "b",
        "unit normal from the ground to each foot, x y z per foot, 0 without contact",
        SIMULATED,
    ),
    Term("friction", 4, "1", "-", "friction coefficient of each foot", SIMULATED),
    Term("thigh_contact", 4, "1", "-", "1 for a thigh in collision, else 0", SIMULATED),
    Term("shank_contact", 4, "1", "-", "1 for a shank in collision, else 0", SIMULATED),
    Term("external_force_b", 3, "N", "b", "disturbing force on the base", SIMULATED),
    Term("external_torque_b", 3, "N m", "b", "disturbing torque on the base", SIMULATED),
    Term("air_time", 4, "s", "-", "time since each foot left the ground, 0 in contact", SIMULATED),
)
"""What only the simulator knows, 50 entries (Miki et al. Table S3)."""

ACTION = (
    Term("phase_offset", 4, "1", "-", "offset to the gait frequency of each leg"),
    Term("joint_residual", 12, "1", "-", "residual added to the joint targets of the gait"),
)
"""Output of a policy, 16 entries (Miki et al. S5)."""


def groups(own: Sequence[Term] = ()) -> dict[str, tuple[Term, ...]]:
    """Terms of each observation group; `own` ones come last, in the first what a robot measures."""
    return {
        "proprio": (*PROPRIO, *(term for term in own if term.source != SIMULATED)),
        "extero": EXTERO,
        "privileged": (*PRIVILEGED, *(term for term in own if term.source == SIMULATED)),
    }


GROUPS = groups()
"""Terms of each observation group without own ones."""

CAUTION = "caution"
"""Group that a Teacher may have beside them, (n, 1): 1 where it shall walk as one whose map says nothing (decision 72);
taken as it is, without normalisation."""


def group_places(own: Sequence[Term] = ()) -> dict[str, slice]:
    """Where each observation group lies in the vector of all groups, one after the other, by name."""
    ends = [0, *np.cumsum([size(terms) for terms in groups(own).values()]).tolist()]
    return {name: slice(*pair) for name, pair in zip(groups(own), pairwise(ends), strict=True)}


def size(terms: Iterable[Term]) -> int:
    """Length of the vector that the terms make up."""
    return sum(term.size for term in terms)


def slices(terms: Iterable[Term]) -> dict[str, slice]:
    """Where each term lies in its vector, by name."""
    result, start = {}, 0
    for term in terms:
        result[term.name] = slice(start, start + term.size)
        start += term.size
    return result


def usable_heights(heights: np.ndarray) -> np.ndarray:
    """Height samples as policies get them, any shape, m: what is not finite is unknown, and none is out of reach."""
    known = np.where(np.isfinite(heights), heights, heights.dtype.type(UNKNOWN_HEIGHT))
    return known.clip(-HEIGHT_LIMIT, HEIGHT_LIMIT)


def ring_offsets() -> np.ndarray:
    """Offsets of the height samples from their foot, (52, 2) m, yaw-aligned.

    Rings from inner to outer; each starts straight ahead (+x) and runs counter-clockwise.
    """
    rings = []
    for points, radius in RINGS:
        azimuth = 2 * np.pi * np.arange(points) / points
        rings.append(radius * np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1))
    return np.concatenate(rings)
