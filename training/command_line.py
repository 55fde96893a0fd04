"""The command line of train.py, over the defaults of its task, preset and Teacher, or over a run to resume."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import tyro

from agents import checkpoint
from envs.drives import require_network
from system.numbers import require_finite
from training.args import CONFIG, Args, parts_to_come
from training.flags import HELP_ALL, explained, short_help
from training.plan import first_stage, fresh_defaults, resumed_defaults
from training.refusals import refuse_changes, refuse_contradictions

EARLY = ("task", "preset", "stage", "teacher", "init-from", "resume", "processes", "device")
"""Flags on which the defaults of others depend."""
EARLY_SHORT = ("num-envs", "threads")
"""More of them, each short for a flag of --env."""


def parse(argv: Sequence[str]) -> Args:
    """The command line over the defaults of its task, preset and Teacher, or over the settings of a run to resume."""
    short_help(argv)
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in EARLY:
        early.add_argument(f"--{flag}")
    for flag in EARLY_SHORT:
        early.add_argument(f"--{flag}", f"--env.{flag}")
    early.add_argument("--env.engine", dest="engine")
    chosen, _ = early.parse_known_args([hyphenated(argument) for argument in argv if argument != HELP_ALL])
    resumed = None if chosen.resume is None else checkpoint.run_directory(Path(chosen.resume))
    default = fresh_defaults(chosen) if resumed is None else resumed_defaults(resumed, chosen.task)
    argv = [name if name != HELP_ALL else "--help" for name in argv]
    with explained():
        args = tyro.cli(Args, args=argv, default=default, prog="train.py")
    args = apply_shortcuts(args, default)
    for part in ("env", "agent", "refinement", "student"):
        require_finite(getattr(args, part), part)
    if args.resume is not None:
        refuse_changes(args, default)
        require_network(args.env.drive, (args.record or {}).get("drive_network"), str(args.resume))
        return replace(args, resume=checkpoint.run_directory(args.resume))
    refuse_contradictions(args, default)
    return replace(args, now=first_stage(args))


def hyphenated(argument: str) -> str:
    """A flag as it is spelt in `--help`; tyro takes underscores, too."""
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument


def apply_shortcuts(args: Args, default: Args) -> Args:
    """Write the short flags into the configuration that they stand for."""
    targets = [(name, f"env.{name}") for name in ("num_envs", "seed", "threads")]
    targets += [("max_iterations", f"{CONFIG[args.now]}.max_iterations")]
    targets += [("precision", f"{part}.precision") for part in parts_to_come(args)]
    for short, target in targets:
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
