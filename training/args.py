"""What a training can be asked for: its arguments, and which of them a stage uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from agents import distributed
from agents.checkpoint import BLIND, REFINE, STUDENT, TEACHER, WALK
from agents.config import RefinementConfig, StudentTrainingConfig, TeacherConfig
from envs.config import EnvConfig
from system.console import say
from training.flags import Flags

CONFIG = {TEACHER: "agent", WALK: "agent", REFINE: "agent", STUDENT: "student", BLIND: "student"}
"""Which argument holds a stage's training configuration."""


@dataclass(frozen=True, kw_only=True)
class Args(Flags):
    """Train a Teacher, then distil it into a Student; --resume goes on after any interruption as if it had not been.

    A run of all stages keeps them in the folders walk (a Teacher learns to walk), refine (more robots refine it) and
    student of its run directory, with --blind a baseline in blind; --stage does one alone, in the run directory itself.
    Play and evaluate take the run directory in either case.

    Several processes train one policy together, each with its share of the robots; --resume starts as many again.
    `python -m torch.distributed.run --nproc_per_node=2 train.py ...` starts them for GPUs.
    """

    env: EnvConfig
    agent: TeacherConfig
    refinement: RefinementConfig
    student: StudentTrainingConfig
    now: Annotated[str, tyro.conf.Fixed, tyro.conf.Suppress] = TEACHER
    """The stage at hand."""
    record: Annotated[dict[str, Any] | None, tyro.conf.Fixed, tyro.conf.Suppress] = None
    """Content of the resume.pt from which it continues."""


def parts_to_come(args: Args) -> list[str]:
    """Arguments that hold the configurations of the stages that are not over."""
    if args.now in (STUDENT, BLIND) or args.stage is not None:
        return [CONFIG[args.now]]
    return ["agent", "student"]


def note(text: str) -> None:
    """Tell the user on stderr, once for all processes, what to keep in mind."""
    if distributed.rank() == 0:
        say(f"Note: {text}")
