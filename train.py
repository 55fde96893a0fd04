"""Train a policy: `python train.py --task anymal_rough`; `--help` names every setting."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # else torch's idle threads spin, and stall physics and neighbours

import torch
import tyro

from agents import checkpoint
from agents.config import PRESETS, TeacherConfig, differences, restore
from agents.log import LoggerName, require_logger
from agents.precision import Precision, resolve_precision
from agents.rng import seed_everything
from agents.runner import TeacherRunner
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.tasks import TASKS

SHORTCUTS = {
    "num_envs": "env.num_envs",
    "seed": "env.seed",
    "threads": "env.threads",
    "max_iterations": "agent.max_iterations",
    "precision": "agent.precision",
}
CHANGEABLE = {"agent.max_iterations", "agent.keep_every", "agent.precision", "env.threads"}
"""Settings that a resumed run may change."""


@dataclass(frozen=True)
class Args:
    """Train a policy; interrupt it at any time, and --resume goes on as if nothing had happened."""

    env: EnvConfig
    agent: TeacherConfig
    task: Literal["anymal_flat", "anymal_rough", "anymal_rough_s7"] = "anymal_rough"
    """Where to learn to walk."""
    stage: Literal["teacher"] = "teacher"
    """What to train: the Teacher, by PPO."""
    preset: Literal["smoke", "laptop", "full"] = "laptop"
    """Size of the run: half a minute, about two hours on two cores, or the paper's."""
    num_envs: int | None = None
    """Robots simulated at once (short for --env.num-envs)."""
    max_iterations: int | None = None
    """Iterations of the whole run, from its first start (short for --agent.max-iterations)."""
    seed: int | None = None
    """Seed of everything random (short for --env.seed)."""
    threads: int | None = None
    """CPU threads of physics and networks (short for --env.threads)."""
    precision: Precision | None = None
    """Arithmetic of the update (short for --agent.precision)."""
    run_dir: Path | None = None
    """Where the run is kept; default runs/<task>_<date-time>."""
    resume: Path | None = None
    """Run directory to continue, with its own settings, to the same bits."""
    init_from: Path | None = None
    """Policy file or run directory whose networks a new run starts from."""
    logger: LoggerName = "tensorboard"
    """wandb logs to Weights & Biases too; TensorBoard and curves.csv are always written."""


def main(argv: Sequence[str] | None = None) -> int:
    """Train as the command line says; exit code 0 when finished or stopped, 2 for a request that cannot be met."""
    try:
        runner = build(parse(sys.argv[1:] if argv is None else argv))
    except (ValueError, OSError) as error:
        return fail(error, 2)
    except KeyboardInterrupt:
        return fail("aborted before the first iteration.", 130)
    try:
        finished = runner.train()
    except KeyboardInterrupt:
        return fail(f"aborted; go on from the last save with --resume {runner.run_dir}.", 130)
    except (FloatingPointError, OSError) as error:
        return fail(error, 1)
    finally:
        runner.env.close()  # type: ignore
    print(f"{'Finished' if finished else 'Stopped'} after {runner.iteration} iterations.")
    print(f"Policy: {runner.run_dir / checkpoint.POLICY_FILE}")
    if not finished:
        print(f"Go on with: python train.py --resume {runner.run_dir}")
    return 0


def fail(reason: Exception | str, code: int) -> int:
    """Say in one line on stderr why there is no result; returns the exit code."""
    print(f"train.py: {reason}", file=sys.stderr)
    return code


def parse(argv: Sequence[str]) -> Args:
    """The command line over the defaults of its task and preset, or over the settings of the run it resumes."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in ("--task", "--preset", "--resume"):
        early.add_argument(flag)
    chosen, _ = early.parse_known_args([argument for argument in argv if argument not in ("-h", "--help")])
    default = fresh_defaults(chosen.task, chosen.preset) if chosen.resume is None else resumed_defaults(chosen.resume)
    args = tyro.cli(Args, args=argv, default=default, prog="train.py")
    args = apply_shortcuts(args, default)
    if args.resume is not None:
        refuse_changes(args, default)
    return args


def fresh_defaults(task: str | None, preset: str | None) -> Args:
    """Settings of a new run; names that do not exist fall back here, for tyro to refuse them."""
    size = PRESETS.get(preset or "", PRESETS["laptop"])
    env = replace(TASKS.get(task or "", TASKS["anymal_rough"]), num_envs=size.num_envs, threads=usable_cores())
    return Args(env=env, agent=size.agent)


def resumed_defaults(run_dir: str) -> Args:
    """Settings that the run was started with."""
    record = checkpoint.read_resume(run_dir)
    if record["task"] not in TASKS:
        raise ValueError(f"{run_dir} trained the task {record['task']}, which this version does not have.")
    agent = restore(TeacherConfig(), {**record["agent"], "precision": record["precision"]})
    return Args(env=restore(TASKS[record["task"]], record["env"]), agent=agent, task=record["task"])


def apply_shortcuts(args: Args, default: Args) -> Args:
    """Write the short flags into the configuration that they stand for."""
    for short, target in SHORTCUTS.items():
        part, name = target.split(".")
        value, config = getattr(args, short), getattr(args, part)
        if value is None:
            continue
        if getattr(config, name) not in (value, getattr(getattr(default, part), name)):
            raise ValueError(
                f"--{short} {value} and --{target} {getattr(config, name)} contradict each other.".replace("_", "-")
            )
        args = replace(args, **{part: replace(config, **{name: value})})
    return args


def refuse_changes(args: Args, default: Args) -> None:
    """A resumed run stays the run it was."""
    changed = set(differences(default.env, args.env, "env.")) | set(differences(default.agent, args.agent, "agent."))
    changed |= {
        name for name in ("task", "preset", "run_dir", "init_from") if getattr(args, name) != getattr(default, name)
    }
    refused = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(changed - CHANGEABLE))
    if refused:
        raise ValueError(
            f"--resume keeps the settings of the run, so {refused} cannot change; use --init-from for a new run."
        )
    if changed & {"agent.precision", "env.threads"}:
        print("Note: with other threads or precision the run goes on, but not to the same bits.", file=sys.stderr)


def note_versions(old: dict[str, str], new: dict[str, str]) -> None:
    """Tell the user when a resumed run meets other libraries than it was started with."""
    changed = [
        f"{name} {old.get(name)} -> {new[name]}" for name in new if name != "commit" and old.get(name) != new[name]
    ]
    if changed:
        print(f"Note: {', '.join(changed)}; the run goes on, but not to the same bits.", file=sys.stderr)


def build(args: Args) -> TeacherRunner:
    """Environment and runner, ready to train."""
    require_logger(args.logger)
    record = checkpoint.read_resume(args.resume) if args.resume is not None else None
    policy = checkpoint.read_policy(args.init_from) if args.init_from is not None else None
    run_dir = args.resume or checkpoint.create_run_dir(args.run_dir or default_run_dir(args.task))
    seed_everything(args.env.seed)
    torch.set_num_threads(args.env.threads)
    env = AnymalEnv(args.env)
    runner = TeacherRunner(env, args.agent, args.task, run_dir, resolve_precision(args.agent.precision), args.logger)
    if record is not None:
        runner.restore(record)
        note_versions(record["versions"], runner.versions)
    if policy is not None:
        runner.init_from(policy)
    print(f"Training {args.task} in {run_dir}: {args.env.num_envs} robots, seed {args.env.seed}, {runner.precision}.")
    return runner


def default_run_dir(task: str) -> Path:
    """A directory named after task and time."""
    return Path("runs") / f"{task}_{datetime.now():%Y-%m-%d_%H-%M-%S}"


def usable_cores() -> int:
    """CPU cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
