"""A Student for a robot: `python export.py --checkpoint student.pt --out DIR` writes its network and its contract."""

from __future__ import annotations

from system import early

if __name__ == "__main__":
    early.at_once()  # for the seconds that the imports below take

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tyro

from agents.archive import CheckpointError
from agents.checkpoint import load_policy
from agents.policies import StudentPolicy
from evaluation.deployment import CONTRACT, MODEL, deploy, require_packages
from system import stopping
from system.shell import quoted


@dataclass(frozen=True)
class Args:
    """Write a Student as one ONNX network (measurements in, joint targets out) and one JSON contract."""

    checkpoint: Path
    """Policy file or run directory of a Student."""
    out: Path
    """Directory for student.onnx and student.json; made if it is not there."""


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Export as the command line says; exit code 0 when done, 2 for a request that cannot be met."""
    args = tyro.cli(Args, args=argv, prog="export.py")
    try:
        error = export(args.checkpoint, args.out)
    except (ValueError, OSError) as failure:
        print(f"export.py: {failure}", file=sys.stderr)
        return 2
    print(f"Joint targets of the written network agree with torch to {error:.1e} rad.")
    print(*(f"Wrote {quoted(args.out / name)}" for name in (MODEL, CONTRACT)), sep="\n")
    return 0


def export(checkpoint: Path, out: Path) -> float:
    """Write both files and compare them with the checkpoint; rad, largest difference of a joint target."""
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is a file: name a directory with --out.")
    require_packages()
    return deploy(load_student(checkpoint), out)


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
