"""What train.py refuses of a command line, each in one sentence, before anything is built."""

from __future__ import annotations

from agents.checkpoint import STUDENT, TEACHER
from agents.config import differences
from training.args import CONFIG, Args, note, parts_to_come

MOVABLE = {"env.threads", "env.drive.network"}
"""Settings of the environment that a resumed run may change: the file of its drives must hold the same network."""
CHANGEABLE = {"max_iterations", "keep_every", "precision"}
"""Settings of a stage that a resumed run may change."""


def refuse_contradictions(args: Args, default: Args) -> None:
    """A new run uses all that it is given."""
    if args.processes < 1:
        raise ValueError(f"--processes must be at least 1, not {args.processes}.")
    if args.stage == STUDENT and args.teacher is None:
        raise ValueError("--stage student distils a Teacher: name its policy file or run directory with --teacher.")
    if args.stage != STUDENT and args.teacher is not None:
        raise ValueError("--teacher is for --stage student: without it the run trains its own Teacher.")
    if args.stage == STUDENT and args.env.caution_probability > default.env.caution_probability == 0:
        raise ValueError("This Teacher has not learnt to walk with caution: leave --env.caution-probability at 0.")
    if args.stage is not None and args.blind:
        raise ValueError(
            "--blind is for a run of all stages; in --stage student, --student.network.no-extero makes it."
        )
    if args.stage is None:
        if args.init_from is not None:
            raise ValueError(f"--init-from starts one stage: say with --stage which, {TEACHER} or {STUDENT}.")
        args.student.require_robots(args.env.num_envs // args.processes)
        return
    idle = {"agent", "refinement", "student"} - {CONFIG[args.stage]}
    given = [name for part in idle for name in differences(getattr(default, part), getattr(args, part), f"{part}.")]
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(given))
        raise ValueError(f"--stage {args.stage} does not use {flags}: leave it out, or train all stages.")


def refuse_changes(args: Args, default: Args) -> None:
    """A resumed run stays the run it was."""
    changed = {
        name
        for group in ("env", "agent", "refinement", "student")
        for name in differences(getattr(default, group), getattr(args, group), f"{group}.")
    }
    whole = ("task", "stage", "teacher", "preset", "run_dir", "init_from", "processes")
    changed |= {name for name in whole if getattr(args, name) != getattr(default, name)}
    allowed = {*MOVABLE, *(f"{part}.{name}" for part in parts_to_come(args) for name in CHANGEABLE)}
    refused = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(changed - allowed))
    if refused:
        raise ValueError(
            f"--resume keeps the settings of the run, so {refused} cannot change; use --init-from for a new run."
        )
    if changed & {"agent.precision", "student.precision", "env.threads"}:
        note("with other threads or precision the run goes on, but its resume is not bit-exact.")
