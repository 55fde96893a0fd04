"""Domain shifts: worlds that differ from the conditions of evaluation, and so from training, in one thing each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from envs.config import EnvConfig
from envs.drives import PD, DriveConfig, drive_digest
from envs.latency import LatencyConfig
from envs.randomization import NONE
from envs.solver import SolverConfig
from evaluation.conditions import CONDITIONS, Change, unchanged
from evaluation.physics import Physics

PAYLOAD = 10.0
"""kg that the base carries."""
OTHER_PHYSICS = Physics(0.0025, SolverConfig(cone="elliptic", contacts="default", impratio=1.0))
"""MuJoCo's defaults where ours differ, at half the step."""
DELAYS = (0.01, 0.02, 0.04)
"""s, of actions and of what a Student feels, each."""
WEAK = 0.8
"""Fraction of its torque that a weak drive has."""
SLOW = 0.01
"""s, time constant of the lag that a slow drive has beside its own of some 20 ms."""
OF_THE_NETWORK = "drives: network"
"""World in which an actuator network drives the joints."""
NETWORK = "drive.network"
"""Name of the setting that is a file."""
OF_DRIVES = ("drive_position_gain", "drive_velocity_gain", "drive_lag", "torque_limit", "weak_probability")
"""By how much the drives of evaluation's robots differ: settings of the randomisation that pd drives are free of."""


@dataclass(frozen=True)
class World:
    """One domain shift: a world that differs from that of evaluation in one thing."""

    name: str
    """In tables."""
    change: Change
    """What it has otherwise; raises a ValueError for a policy's environment that it does not fit."""
    unfit: str = ""
    """What tables say of a policy that it does not fit."""

    def difference(self) -> dict[str, Any]:
        """The settings that it changes for policies of any drives, by their names joined with dots; files as hashes."""
        changes: dict[str, Any] = {}
        for drive in (DriveConfig(), PD):
            before = replace(CONDITIONS, drive=drive)
            if self.fits(before):
                changes |= different(asdict(before), asdict(self.change(before)))
        if NETWORK in changes:
            changes[NETWORK] = drive_digest(DriveConfig("network", changes[NETWORK]))
        return changes

    def fits(self, cfg: EnvConfig) -> bool:
        """Whether a policy's environment can be changed so, and is not like that anyway."""
        try:
            return self.change is unchanged or self.change(cfg) != cfg
        except ValueError:
            return False


def different(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of `after` that are others than those of `before`, by their names joined with dots."""
    changes = {}
    for name, value in after.items():
        if isinstance(value, Mapping):
            inner = different(before[name], value)
            changes |= {f"{name}.{part}": other for part, other in inner.items()}
        elif value != before[name]:
            changes[name] = value
    return changes


def loaded(cfg: EnvConfig) -> EnvConfig:
    """A robot that carries something heavy."""
    return replace(cfg, randomization=replace(cfg.randomization, payload=PAYLOAD))


def late(seconds: float) -> Change:
    """Targets that act late, and sensors that are as late again."""
    latency = LatencyConfig(action=(seconds, seconds), proprioception=(seconds, seconds))
    return lambda cfg: replace(cfg, latency=latency)


def stock_collider(cfg: EnvConfig) -> EnvConfig:
    """Contacts by MuJoCo's own collider, for which a riser is a slope of one cell."""
    return replace(cfg, collider="stock")


def driven_by(drive: DriveConfig) -> Change:
    """Other drives than those that the policy was trained with."""
    return lambda cfg: replace(cfg, drive=drive)


def driven_by_file(network: Path) -> Change:
    """The drives of a file, whatever its name and form, if those of the policy are others."""
    drive = DriveConfig("network", str(network))

    def change(cfg: EnvConfig) -> EnvConfig:
        own = cfg.drive.model == "network" and drive_digest(cfg.drive) == drive_digest(drive)
        return cfg if own and replace(cfg.drive, network=drive.network) == drive else replace(cfg, drive=drive)

    return change


def as_fitted(cfg: EnvConfig) -> EnvConfig:
    """Drives of which none differs from the model; ideal PDs never do."""
    if cfg.drive.model == "pd":
        return cfg
    exact = {name: getattr(NONE, name) for name in OF_DRIVES}
    return replace(cfg, randomization=replace(cfg.randomization, **exact))


def weak_drives(cfg: EnvConfig) -> EnvConfig:
    """The policy's drives, weaker."""
    return replace(cfg, drive=replace(cfg.drive, strength=WEAK))


def slow_drives(cfg: EnvConfig) -> EnvConfig:
    """The policy's drives, slower; an ideal PD cannot be."""
    return replace(cfg, drive=replace(cfg.drive, lag=SLOW))


WORLDS = (
    World("as evaluated", unchanged),
    World("drives: as fitted", as_fitted, "pd drives are exact"),
    World("drives: pd", driven_by(PD), "its own drives"),
    World("drives: anydrive", driven_by(DriveConfig("anydrive")), "its own drives"),
    World("drives 20 % weaker", weak_drives),
    World("drives slower by 10 ms", slow_drives, "pd drives have no lag"),
    World("10 kg on the base", loaded),
    *(World(f"{1000 * delay:g} ms late", late(delay)) for delay in DELAYS),
    World("2.5 ms, elliptic cone, soft contacts", OTHER_PHYSICS),
    World("MuJoCo's collider", stock_collider),
)
"""In the order of the table; the first is the one that all others are compared with."""


def with_network(network: Path) -> World:
    """The world in which an actuator network from a file drives the joints."""
    return World(OF_THE_NETWORK, driven_by_file(network), "its own drives")
