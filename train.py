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
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # else torch's idle threads spin, and stall physics and neighbours

from agents import checkpoint, distributed, launch, run_dir
from envs.own import OwnTermError
from envs.tasks import split
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
        stopping.advise(lambda: "".join(way_on(args)) or early.AGAIN)
        try:
            code, goes_on = run(args)
            while goes_on and (after := following(args)) is not None:
                args = after
                code, goes_on = run(args)
            return code
        except KeyboardInterrupt as interrupt:
            return stopping.said(interrupt)


def run(args: Args) -> tuple[int, bool]:
    """Train the stage at hand: exit code, and whether the next one may begin."""
    try:
        runner = build(args)
    except ValueError as error:
        return fail(error, 2), False
    except OSError as error:
        return ended(error, args, 2), False
    try:
        goes_on = runner.train()
    except FloatingPointError as error:
        return fail(error, 1), False
    except OwnTermError as error:
        return ended(error, args, 2), False
    except OSError as error:
        return ended(error, args, 1), False
    finally:
        runner.env.close()  # type: ignore
    tell(f"{'Finished' if runner.finished else 'Stopped'} after {runner.iteration} iterations.")
    tell(f"Policy: {quoted(runner.run_dir / checkpoint.POLICY_FILE)}")
    if not runner.finished or (runner.stopped and following(args) is not None):
        tell(f"Go on with: {going_on(args)}")
    return 0, goes_on


def ended(error: Exception, args: Args, code: int) -> int:
    """Say in one line why a run has ended early, and how it goes on; returns the exit code."""
    return fail("; ".join([str(error), *way_on(args)]), code)


def way_on(args: Args) -> list[str]:
    """What to tell a user whose run has ended early: nothing if none of its stages has been saved."""
    saved = checkpoint.holds_run(args.resume or args.run_dir or Path())
    return [f"go on from the last save with: {going_on(args)}"] if saved else []


def going_on(args: Args) -> str:
    """The command that continues the run."""
    logger = ["--logger", args.logger] if args.logger != Args.logger else []
    task = ["--task", args.task] if args.record is not None and split(args.task)[0] is not None else []
    return distributed.command(distributed.size(), "--resume", args.resume or args.run_dir or "", *task, *logger)


def fail(reason: Exception | str, code: int) -> int:
    """Say in one line on stderr why there is no result; returns the exit code."""
    who = f" (rank {distributed.rank()})" if distributed.rank() > 0 else ""
    say(f"train.py{who}: {reason}")
    return code


if __name__ == "__main__":
    sys.exit(main())
