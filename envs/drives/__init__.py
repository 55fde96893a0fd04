"""The drives: what a joint does with its target, inside MuJoCo's physics step, in machine code.

`equip(spec, cfg)` gives the robot of a spec the drives of a `DriveConfig`. The spec's own are the model pd; the
others become user actuators, whose activations are the memory of the network and the torque that it gave last, so that
MuJoCo resets, saves and restores them with the rest of a simulation's state.
"""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import NDArray

from envs.drives.cell import LANES
from envs.drives.config import PD, DriveConfig
from envs.drives.marks import (
    LAG,
    LAST,
    MARK,
    MARKED,
    NUMERIC,
    PARAMETERS,
    POSITION_GAIN,
    SIZES,
    VELOCITY_GAIN,
    size_code,
)
from envs.drives.network import NAME_IT, DriveNetwork, load

__all__ = ["ANYDRIVE", "PD", "DriveConfig", "drive_digest", "drive_network", "equip", "require_network", "torque_gains"]

ANYDRIVE = Path(__file__).parent / "anydrive.npz"
"""The numbers of the model anydrive; anydrive.md beside it says where they come from."""

UNREACHABLE = (ImportError, OSError, ValueError, LookupError, AttributeError)
"""How it shows that the functions and structs of the installed MuJoCo are not where they are looked for."""


def drive_network(cfg: DriveConfig) -> DriveNetwork | None:
    """The network of these drives; None for pd, which has none."""
    if cfg.model == "pd":
        return None
    return load(ANYDRIVE if cfg.network is None else Path(cfg.network))


def drive_digest(cfg: DriveConfig) -> str | None:
    """What is in the file of these drives, as a hash; None for those that come with the project."""
    network = drive_network(cfg) if cfg.model == "network" else None
    return None if network is None else network.digest


def require_network(cfg: DriveConfig, recorded: str | None, who: str) -> None:
    """Raise a ValueError if the file of these drives is gone or damaged, or is other than `recorded` for a policy."""
    digest = drive_digest(cfg)
    if digest is not None and recorded not in (None, digest):
        raise ValueError(
            f"{cfg.network} is not the actuator network that {who} was trained with: name the file of that {NAME_IT}."
        )


def torque_gains(cfg: DriveConfig) -> NDArray[np.int64]:
    """Columns of an actuator's gainprm to which its torque is proportional."""
    return np.array([4, 6] if cfg.model == "pd" else [0])


def equip(spec: mujoco.MjSpec, cfg: DriveConfig) -> None:
    """Give all actuators of a spec, which must be the drives of `envs.robot`, the dynamics of this model."""
    network = drive_network(cfg)
    if network is not None:
        _equip_network(spec, cfg, network)
    gains = torque_gains(cfg)
    for actuator in spec.actuators:
        actuator.gainprm[gains] *= cfg.strength
        actuator.forcerange *= cfg.strength


def _equip_network(spec: mujoco.MjSpec, cfg: DriveConfig, network: DriveNetwork) -> None:
    """Make all actuators user actuators, driven by the network; the torque limits stay.

    Its torque is measured behind the gear's spring, so that the link does not feel the rotor's inertia.
    """
    try:
        from envs.drives.native import install

        install(network.sizes)
    except UNREACHABLE as error:
        raise ValueError(
            f"Drives with dynamics need numba and MuJoCo's shared library ({error}); choose `--env.drive.model pd`."
        ) from error
    numbers = network.packed()
    numbers = np.pad(numbers, (0, numbers.size % 2)).view(np.float64)
    spec.add_numeric(name="drives", size=numbers.size, data=numbers)
    parameters = np.zeros(PARAMETERS)
    parameters[[MARKED, SIZES, NUMERIC]] = MARK, size_code(network.sizes), len(spec.numerics) - 1
    parameters[[LAST, POSITION_GAIN, VELOCITY_GAIN, LAG]] = LANES - 1, cfg.position_gain, cfg.velocity_gain, cfg.lag
    for joint in spec.joints:
        joint.armature = 0.0
    for actuator in spec.actuators:
        limit = actuator.forcerange.copy()
        actuator.set_to_motor()
        actuator.dyntype, actuator.dynprm = mujoco.mjtDyn.mjDYN_USER, parameters
        actuator.actdim, actuator.actearly = network.memory_size + 1, True
        actuator.forcelimited, actuator.forcerange = True, limit
