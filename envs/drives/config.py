"""Which drives the robot has, and how far they may be from the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Model = Literal["anydrive", "network", "pd"]


@dataclass(frozen=True)
class DriveConfig:
    """What a joint does with its target between two policy steps."""

    model: Model = "anydrive"
    """anydrive is the real robot's drive, fitted; network one of your own (--env.drive.network); pd an ideal PD."""
    network: str | None = None
    """File of an actuator network for the model network: TorchScript as for legged_gym and Isaac Lab, or .npz."""
    strength: float = 1.0
    """Factor on the torque and on its limit, of all drives alike."""
    position_gain: float = 1.0
    """Factor on the position error that a drive feels; not for pd."""
    velocity_gain: float = 1.0
    """Factor on the joint velocity that a drive feels; not for pd."""
    lag: float = 0.0
    """s, time constant of a first-order lag of the torque beside the drive's own; not for pd."""

    def __post_init__(self) -> None:
        """Refuse what no drive is."""
        if (self.model == "network") != (self.network is not None):
            raise ValueError("--env.drive.model network and --env.drive.network FILE belong together.")
        if min(self.strength, self.position_gain, self.velocity_gain) < 0 or self.lag < 0:
            raise ValueError("Factors and lag of --env.drive must be at least 0.")
        if self.model == "pd" and (self.position_gain, self.velocity_gain, self.lag) != (1.0, 1.0, 0.0):
            raise ValueError("--env.drive.position-gain, velocity-gain and lag are not for --env.drive.model pd.")


PD = DriveConfig(model="pd")
"""The drives of a policy whose record does not name any."""
