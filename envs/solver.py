"""How the physics solves contacts: the one it was tuned with, and others, on which a policy must not depend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.per_episode import Bounds, require_range

CONES = {"pyramidal": mujoco.mjtCone.mjCONE_PYRAMIDAL, "elliptic": mujoco.mjtCone.mjCONE_ELLIPTIC}
DEFAULT_IMPEDANCE = (0.9, 0.95, 0.001, 0.5, 2.0)
"""MuJoCo's default solimp."""
TIME_CONSTANT = 0.02
"""s, of MuJoCo's contacts and ours (solref); their stiffness is proportional to its inverse square."""
LEAST_STEPS = 2.0
"""Least time constant in physics steps: MuJoCo lengthens shorter ones."""
SOFTEST = 0.01
"""Least factor on stiffness; at 0.05 the soles of a standing robot sink in by 1.7 mm instead of 0.16 mm."""


@dataclass(frozen=True)
class SolverConfig:
    """MuJoCo's contacts; the defaults are what everything is trained and evaluated with (decisions 9 and 53)."""

    cone: Literal["pyramidal", "elliptic"] = "pyramidal"
    """Shape of the friction cone; elliptic is exact, and takes twice the time when there are many contacts."""
    contacts: Literal["stiff", "default"] = "stiff"
    """Impedance of the robot's contacts: stiff hardly gives way under load, default is MuJoCo's."""
    impratio: float = 10.0
    """Ratio of a contact's impedance along the ground to that across it (MuJoCo's default: 1)."""
    stiffness: Bounds = (1.0, 1.0)
    """Factor on the stiffness of each robot's contacts, uniform per episode; damping in proportion stays."""

    def __post_init__(self) -> None:
        """Refuse what no solver takes."""
        require_range("solver.stiffness", self.stiffness, SOFTEST, float("inf"))
        if self.impratio <= 0:
            raise ValueError("solver.impratio must be above 0.")

    def require_step(self, timestep: float) -> None:
        """Refuse contacts that are too stiff for physics steps of `timestep` s."""
        most = (TIME_CONSTANT / (LEAST_STEPS * timestep)) ** 2
        if self.stiffness[1] > most * (1 + 1e-9):
            raise ValueError(
                f"With physics steps of {1000 * timestep:g} ms solver.stiffness is at most {most:g}: take shorter "
                "ones for stiffer contacts."
            )


OURS = SolverConfig()
"""What everything is trained with."""


def solid_geoms(model: mujoco.MjModel) -> NDArray[np.int64]:
    """The robot's geoms that collide; what they say of a contact holds for it, for they have priority (decision 10)."""
    return np.flatnonzero(model.geom_priority > 0)


def set_solver(model: mujoco.MjModel, cfg: SolverConfig) -> None:
    """Let the model solve contacts like this; `set_stiffness` is for each robot."""
    model.opt.cone, model.opt.impratio = CONES[cfg.cone], cfg.impratio
    if cfg.contacts == "default":
        model.geom_solimp[solid_geoms(model)] = DEFAULT_IMPEDANCE


def time_constant(model: mujoco.MjModel, stiffness: NDArray[np.float64]) -> NDArray[np.float64]:
    """First number (m, geoms) of solref of the robot's solid geoms, for factors (m,) on the contacts' stiffness."""
    return model.geom_solref[solid_geoms(model), 0] / np.sqrt(stiffness)[:, None]
