"""Drives other than those that a policy was trained with, where somebody asks for them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from envs.drives import DriveConfig
from envs.drives.config import Model


@dataclass(frozen=True)
class Drives:
    """What robots have in place of their policy's own drives; called with those, it is a change of them."""

    model: Model | None = None
    """anydrive is the real robot's drive, fitted; network one of your own (--drive.network); pd an ideal PD."""
    network: str | None = None
    """File of an actuator network: another one, or where that of the policy is now."""
    strength: float | None = None
    """Factor on the torque and on its limit."""
    position_gain: float | None = None
    """Factor on the position error that a drive feels; not for pd."""
    velocity_gain: float | None = None
    """Factor on the joint velocity that a drive feels; not for pd."""
    lag: float | None = None
    """s, time constant of a first-order lag of the torque beside the drive's own; not for pd."""

    def __call__(self, own: dict[str, Any]) -> DriveConfig:
        """Drives of these settings, where they are asked for; those of another model have none of the policy's own."""
        asked = {name: value for name, value in asdict(self).items() if value is not None}
        if self.network is not None:
            asked = {"model": "network", **asked}
        try:
            return DriveConfig(**(asked if asked.get("model", own["model"]) != own["model"] else own | asked))
        except ValueError as error:
            raise ValueError(str(error).replace("--env.drive", "--drive")) from error


OWN = Drives()
"""Those of the policy's training."""
