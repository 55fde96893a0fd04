"""The mean of several policies of one descent: `python -m agents.mean policy_100.pt policy_200.pt --out mean.pt`.

Policies of a run differ by chance, and their mean is steadier (docs/paper.md, decision 36). policy.pt is the mean over
the last few million environment steps; this one reaches as far as policies were kept, and over runs that went on from
one another (`--init-from`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import torch
import tyro
from torch import Tensor

from agents import archive
from agents.archive import CheckpointError
from agents.checkpoint import read_policy
from system import stopping
from system.shell import quoted

AVERAGED = ("network", "critic")
"""Tensors of a policy record whose mean is taken."""
COMMON = ("kind", "task", "student")
"""What policies with a mean have in common."""
KINSHIP = 0.8
"""Least cosine between the weights of policies with a mean.

Policies of runs that went on from one another have 0.9 and more, of runs with a start of their own 0.72 and less.
"""


@dataclass(frozen=True)
class Args:
    """Write the mean of several policies of one run, or of runs that went on from one another."""

    policies: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Two policy files or more; what else the new file says is the last one's."""
    out: Path
    """File to write."""
    fractions: tuple[float, ...] = ()
    """Fraction of each policy in the mean, together 1; default equal ones."""


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Average as the command line says; exit code 0 when done, 2 for a request that cannot be met."""
    args = tyro.cli(Args, args=argv, prog="agents.mean")
    try:
        archive.write(args.out, mean(args.policies, args.fractions))
    except (ValueError, OSError) as failure:
        print(f"agents.mean: {failure}", file=sys.stderr)
        return 2
    print(f"The mean of {len(args.policies)} policies.\nWrote {quoted(args.out)}")
    return 0


def mean(paths: Sequence[Path], fractions: Sequence[float] = ()) -> dict[str, Any]:
    """The record of the last policy with the mean weights of all, and their hashes as `mean_of`.

    Policies count equally without `fractions`. Raises a ValueError for fractions that are not one for each policy and 1
    together, and a CheckpointError for policies that have no mean.
    """
    if len(paths) < 2:
        raise ValueError("A mean needs two policies or more: name files that one run has kept, policy_<iteration>.pt.")
    if fractions and (len(fractions) != len(paths) or not min(fractions) > 0 or not abs(sum(fractions) - 1) < 1e-6):
        raise ValueError("--fractions needs a positive number for each policy, and all of them together must be 1.")
    records = [read_policy(path) for path in paths]
    last = records[-1]
    for path, record in zip(paths, records, strict=True):
        if any(record.get(name) != last.get(name) for name in COMMON):
            raise CheckpointError(f"{path} and {paths[-1]} differ in kind, task or network: name policies that do not.")
        if not kinship(record, last) >= KINSHIP:  # not a number is no kin either
            raise CheckpointError(
                f"{path} and {paths[-1]} are too far apart for a mean: "
                "name policies of one run, or of runs that went on from one another."
            )
        if record["network"].keys() != last["network"].keys():
            raise CheckpointError(
                f"Only one of {path} and {paths[-1]} has learnt caution: name policies that are alike."
            )
        if record.get("critic", {}).keys() != last.get("critic", {}).keys():
            raise CheckpointError(f"{path} and {paths[-1]} have critics of different versions: name policies of one.")
        if archive.content_hash(record["normalizer"]) != archive.content_hash(last["normalizer"]):
            raise CheckpointError(f"{path} is older than the last change of the normaliser: name later policies.")
    averaged = {
        part: {name: average([record[part][name] for record in records], fractions) for name in last[part]}
        for part in AVERAGED
        if part in last
    }
    hashes = [record.pop("hash") for record in records]
    return {**last, **averaged, "mean_of": hashes}


def average(tensors: Sequence[Tensor], fractions: Sequence[float]) -> Tensor:
    """Mean of tensors of one shape, weighted by these fractions, or equally without them."""
    stacked = torch.stack(list(tensors))
    return torch.tensordot(stacked.new_tensor(fractions), stacked, dims=1) if fractions else stacked.mean(dim=0)


def kinship(one: Mapping[str, Any], other: Mapping[str, Any]) -> float:
    """Cosine of the angle between the weights of two policies of the same network; biases do not count."""
    matrices = [name for name, weight in one["network"].items() if weight.dim() > 1]
    a, b = (torch.cat([record["network"][name].flatten() for name in matrices]) for record in (one, other))
    return float(torch.cosine_similarity(a, b, dim=0))


if __name__ == "__main__":
    sys.exit(main())
