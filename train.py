"""Train a Teacher, refine it, distil a Student: `python train.py --task anymal_rough`; `--help` names every setting."""

from __future__ import annotations

from system import early

if __name__ == "__main__":
    early.at_once()  # for the seconds that the imports below take

import os
import sys

from training.flags import short_help

if __name__ == "__main__":
    short_help(sys.argv[1:])

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # else torch's idle threads spin, and stall physics and neighbours

from agents import checkpoint, distributed, launch, run_dir
from system import stopping
from system.console import say, tell
from system.shell import quoted
from training.args import Args
from training.command_line import parse
from training.plan import following
from training.stage import build


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


if __name__ == "__main__":
    sys.exit(main())
