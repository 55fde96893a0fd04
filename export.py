"""A Student for a robot: `python export.py --checkpoint student.pt --out DIR` writes its network and its contract."""

from __future__ import annotations

from system import early

if __name__ == "__main__":
    early.at_once()  # for the seconds that the imports below take

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from agents.archive import CheckpointError
from agents.checkpoint import load_policy
from agents.policies import StudentPolicy
from envs.drives import DriveConfig, require_network
from evaluation.agents import TrainedAgent
from evaluation.deployment import CONTRACT, MODEL, deploy, require_packages
from evaluation.drives import Drives
from system import stopping
from system.shell import quoted


@dataclass(frozen=True)
class Args:
    """Write a Student as one ONNX network (measurements in, joint targets out) and one JSON contract."""

    checkpoint: Path
    """Policy file or run directory of a Student."""
    out: Path
    """Directory for student.onnx and student.json; made if it is not there."""
    network: Annotated[str | None, tyro.conf.arg(name="drive.network")] = None
    """Where the file of the actuator network is now that the Student was trained with, if it has moved."""


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Export as the command line says; exit code 0 when done, 2 for a request that cannot be met."""
    args = tyro.cli(Args, args=argv, prog="export.py")
    try:
        error = export(args.checkpoint, args.out, args.network)
    except (ValueError, OSError) as failure:
        print(f"export.py: {failure}", file=sys.stderr)
        return 2
    print(f"Joint targets of the written network agree with torch to {error:.1e} rad.")
    print(*(f"Wrote {quoted(args.out / name)}" for name in (MODEL, CONTRACT)), sep="\n")
    return 0


def export(checkpoint: Path, out: Path, network: str | None = None) -> float:
    """Write both files and compare them with the checkpoint; rad, largest difference of a joint target."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a directory with --out.")
    require_packages()
    policy = load_student(checkpoint)
    return deploy(policy, drive_of(policy, str(checkpoint), network), out)


def drive_of(policy: StudentPolicy, name: str, network: str | None) -> DriveConfig:
    """The drives that a Student was trained with, their file where it is now; a ValueError for any other."""
    trained = policy.meta["env"].get("drive", {}).get("network")
    if network is not None and trained is None:
        raise ValueError(f"{name} was not trained with drives of a file: leave out --drive.network.")
    drive = TrainedAgent(name, policy, drives=Drives(network=network)).env.drive
    require_network(drive, policy.meta.get("drive_network"), name)
    return drive


def load_student(checkpoint: Path) -> StudentPolicy:
    """The Student of a checkpoint; CheckpointError for a Teacher."""
    policy = load_policy(checkpoint)
    if not isinstance(policy, StudentPolicy):
        raise CheckpointError(
            f"{checkpoint} holds a teacher, which needs a privileged state that no robot has: export a student."
        )
    return policy


if __name__ == "__main__":
    sys.exit(main())
