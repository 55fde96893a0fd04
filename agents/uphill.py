"""More speed uphill for a policy to start from: `python -m agents.uphill policy.pt --gain 0.7 --out faster.pt`.

A policy that was rewarded for its speed along a pitched body walks too slowly over the ground (docs/paper.md, decision
45), and reinforcement does not find the way out (docs/training.md). This shifts the command that its head reads by the
gain times how far its nose points up; the training that goes on from there settles the rest.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from agents import archive
from agents.checkpoint import read_policy
from anymal_policy import layout
from anymal_policy.normalizer import Normalizer

COMMAND = layout.slices(layout.PROPRIO)["command"].start
"""Place of the forward command in the proprioception."""
GRAVITY = layout.slices(layout.PROPRIO)["gravity_b"].start
"""Place of gravity along the base's x axis, which is the sine of its pitch: negative when the nose points up."""


@dataclass(frozen=True)
class Args:
    """Write a policy that walks faster uphill and slower downhill, to go on from with train.py --init-from."""

    policy: Annotated[Path, tyro.conf.Positional]
    """Policy file or run directory."""
    gain: float
    """m/s that the command grows by for a base that points straight up, times the sine of its pitch for others."""
    out: Path
    """File to write."""


def main(argv: Sequence[str] | None = None) -> int:
    """Shift as the command line says; exit code 0 when done, 2 for a request that cannot be met."""
    args = tyro.cli(Args, args=argv, prog="agents.uphill")
    try:
        archive.write(args.out, shifted(read_policy(args.policy), args.gain))
    except (ValueError, OSError) as failure:
        print(f"agents.uphill: {failure}", file=sys.stderr)
        return 2
    print(f"{args.out} written: {args.gain} m/s more uphill.")
    return 0


def shifted(record: dict[str, Any], gain: float) -> dict[str, Any]:
    """The policy record whose head reads, instead of the command c in m/s, c - gain g_x with gravity's g_x.

    The head's first layer is linear in both, normalised, so that its weights and biases can say so exactly, as long as
    the normaliser does not clip.
    """
    normalizer = Normalizer(len(record["normalizer"]["mean"]))
    normalizer.load_state_dict(record["normalizer"])
    deviation = normalizer.var.sqrt() + normalizer.eps
    weight, bias = (record["network"][f"head.0.{name}"].clone() for name in ("weight", "bias"))
    slope = -gain * weight[:, COMMAND] / deviation[COMMAND]
    weight[:, GRAVITY] += slope * deviation[GRAVITY]
    bias += slope * normalizer.mean[GRAVITY]
    network = {**record["network"], "head.0.weight": weight, "head.0.bias": bias}
    return {**{name: value for name, value in record.items() if name != "hash"}, "network": network}


if __name__ == "__main__":
    sys.exit(main())
