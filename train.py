"""Train a Teacher, refine it, distil a Student: `python train.py --task anymal_rough`; `--help` names every setting."""

from __future__ import annotations

from system import early

if __name__ == "__main__":
    early.at_once()  # for the seconds that the imports below take

import os
import sys

from train_flags import short_help

if __name__ == "__main__":
    short_help(sys.argv[1:])

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # else torch's idle threads spin, and stall physics and neighbours

import torch

from agents import archive, checkpoint, distributed, launch, run_dir
from agents.checkpoint import BLIND, PLAN_FILE, STUDENT, TEACHER, WALK
from agents.log import require_logger
from agents.precision import resolve_precision
from agents.rng import seed_everything
from agents.runner import StudentRunner, TeacherRunner
from envs.anymal import AnymalEnv
from envs.ranks import Ranks
from system import stopping
from system.console import say, tell
from system.shell import quoted
from train_args import CONFIG, Args, first_stage, following, note, parse
from train_stages import own_share
from train_tasks import keep_copy

RUNNERS: dict[str, Any] = {WALK: TeacherRunner, TEACHER: TeacherRunner, STUDENT: StudentRunner, BLIND: StudentRunner}


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; exit code 0 when finished or stopped, 2 for a request that cannot be met."""
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = parse(argv)
        distributed.choose(args.device, args.processes)
    except (ValueError, OSError) as error:
        return fail(error, 2)
    try:
        with launch.processes(args.processes, [__file__, *argv]) as others:
            try:
                with distributed.connected(others.all_run):
                    code = stages(args)
            except distributed.LostRank as error:
                code = fail(error, 1)
                say(others.messages().rstrip())
            if code >= early.INTERRUPTED:
                others.hurry()
            return code
    except OSError as error:
        return fail(error, 2)


def stages(args: Args) -> int:
    """Do what is left of the stages that are asked for; returns the exit code."""
    with ExitStack() as stack:
        try:
            root = stack.enter_context(run_dir.owned(args.run_dir, args.resume, args.task, args.record))
        except (ValueError, OSError) as error:
            return fail(error, 2)
        if args.resume is None:
            args = replace(args, run_dir=root)
        code, finished = run(args)
        while finished and (after := following(args)) is not None:
            args = after
            code, finished = run(args)
        return code


def run(args: Args) -> tuple[int, bool]:
    """Train the stage at hand: exit code, and whether it is finished."""
    try:
        runner = build(args)
    except (ValueError, OSError) as error:
        return fail(error, 2), False
    going_on = distributed.command(distributed.size(), "--resume", args.resume or args.run_dir or "")
    if args.record is not None:
        stopping.advise(f"go on from the last save with: {going_on}")
    try:
        finished = runner.train()
    except KeyboardInterrupt as interrupt:
        saved = (runner.run_dir / checkpoint.RESUME_FILE).is_file()
        advice = f"go on from the last save with: {going_on}" if saved else early.AGAIN
        return stopping.said(interrupt, advice), False
    except (FloatingPointError, OSError) as error:
        return fail(error, 1), False
    finally:
        runner.env.close()  # type: ignore
    tell(f"{'Finished' if finished else 'Stopped'} after {runner.iteration} iterations.")
    tell(f"Policy: {quoted(runner.run_dir / checkpoint.POLICY_FILE)}")
    if not finished:
        stopping.advise(f"go on with: {going_on}")
        tell(f"Go on with: {going_on}")
    return 0, finished


def fail(reason: Exception | str, code: int) -> int:
    """Say in one line on stderr why there is no result; returns the exit code."""
    who = f" (rank {distributed.rank()})" if distributed.rank() > 0 else ""
    say(f"train.py{who}: {reason}")
    return code


def note_versions(old: dict[str, str], new: dict[str, str]) -> None:
    """Tell the user when a resumed run meets another device or other libraries than it was started with."""
    changed = [
        f"{name} {old.get(name)} -> {new[name]}" for name in new if name != "commit" and old.get(name) != new[name]
    ]
    if changed:
        note(f"{', '.join(changed)}; the run goes on, but its resume is not bit-exact.")


def note_misfits(parts: list[str], source: str) -> None:
    """Tell the user which parts of a policy could not be taken over."""
    for part in parts:
        note(f"the {part} of the {source} is unknown or does not fit; it starts anew.")


@distributed.together()
def build(args: Args) -> TeacherRunner | StudentRunner:
    """Environment and runner of the stage at hand, ready to train."""
    require_logger(args.logger)
    policy = checkpoint.read_policy(args.init_from, args.now) if args.init_from is not None else None
    folder = stage_dir(args)
    own, ranks = own_share(args.env), distributed.size()
    seed_everything(own.seed)
    torch.set_num_threads(args.env.threads)
    env = AnymalEnv(own, ranks=Ranks(distributed.rank(), ranks, distributed.total))
    cfg: Any = getattr(args, CONFIG[args.now])
    runner = RUNNERS[args.now](
        env, cfg, args.task, folder, resolve_precision(cfg.precision, distributed.device()), args.logger
    )
    if args.record is not None:
        runner.restore(args.record)
        device = torch.device(distributed.device()).type
        before = {"device": distributed.recorded_device(args.record), **args.record["versions"]}
        note_versions(before, {"device": device, **runner.versions})
    elif args.now in (STUDENT, BLIND):
        teacher = checkpoint.read_policy(args.teacher or folder.parent / TEACHER, TEACHER)
        note_misfits(runner.teach(teacher), "Teacher")
    if args.record is None and distributed.rank() == 0:
        keep_copy(args.task, args.run_dir or folder)
    if policy is not None:
        note_misfits(runner.init_from(policy), "policy to start from")
    robots = f"{args.env.num_envs} robots{f' in {ranks} processes' if ranks > 1 else ''}"
    arithmetic = runner.precision if distributed.device() == "cpu" else f"{runner.precision} on {distributed.device()}"
    print(f"Training a {args.now} on {args.task} in {quoted(folder)}: {robots}, seed {args.env.seed}, {arithmetic}.")
    return runner


def stage_dir(args: Args) -> Path:
    """Directory of the stage at hand; that of a new run is made."""
    root = args.resume or args.run_dir
    assert root is not None
    new = args.resume is None and args.now == first_stage(args)
    if new:
        checkpoint.create_run_dir(root)
    if args.stage is not None:
        return root
    if distributed.rank() == 0:
        (root / args.now).mkdir(exist_ok=True)
        later = {"refinement": args.refinement, "student": args.student, "blind": args.blind}
        archive.write(root / PLAN_FILE, {"kind": "plan", "preset": args.preset, **later})
    return root / args.now


if __name__ == "__main__":
    sys.exit(main())
