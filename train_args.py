"""What can be asked of train.py: its arguments, their defaults for a new run, and those of a run that goes on."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

from agents import archive, checkpoint, distributed
from agents.checkpoint import BLIND, PLAN_FILE, STAGES, STUDENT, TEACHER, WALK
from agents.config import PRESETS, RefinementConfig, StudentTrainingConfig, TeacherConfig, differences, restore
from envs.config import EnvConfig
from envs.tasks import DEFAULT, split, task_config
from system.console import say
from train_cores import fresh_processes, usable_cores
from train_flags import HELP_ALL, Flags, explained, short_help
from train_stages import going_on, recorded_env, refined_env, sized, student_env, under_way
from train_tasks import run_task

CONFIG = {WALK: "agent", TEACHER: "agent", STUDENT: "student", BLIND: "student"}
"""Which argument holds a stage's training configuration."""
EARLY = ("task", "preset", "stage", "teacher", "init-from", "resume", "processes", "device")
"""Flags on which the defaults of others depend."""
EARLY_SHORT = ("num-envs", "threads")
"""More of them, each short for a flag of --env."""
UNLIMITED = {"desired_kl"}
"""Settings that may be infinite."""
CHANGEABLE = {"max_iterations", "keep_every", "precision"}
"""Settings of a stage that a resumed run may change."""


@dataclass(frozen=True, kw_only=True)
class Args(Flags):
    """Train a Teacher, then distil it into a Student; --resume goes on after any interruption as if it had not been.

    A run of all stages keeps them in the folders walk (a Teacher learns to walk), teacher (more robots refine it) and
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
        refuse_no_numbers(getattr(args, part), part)
    if args.resume is not None:
        refuse_changes(args, default)
        return replace(args, resume=checkpoint.run_directory(args.resume))
    refuse_contradictions(args, default)
    return replace(args, now=first_stage(args))


def hyphenated(argument: str) -> str:
    """A flag as it is spelt in `--help`; tyro takes underscores, too."""
    name, equals, value = argument.partition("=")
    return name.replace("_", "-") + equals + value if name.startswith("--") else argument


def refuse_no_numbers(config: Any, prefix: str) -> None:
    """Raise a ValueError for a setting that is no finite number, but for `UNLIMITED`."""
    for item in fields(config):
        value, name = getattr(config, item.name), f"{prefix}.{item.name}"
        if is_dataclass(value):
            refuse_no_numbers(value, name)
        for number in value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,):
            if isinstance(number, float) and not (math.isfinite(number) or (item.name in UNLIMITED and number > 0)):
                raise ValueError(f"--{name.replace('_', '-')} must be a finite number, not {number}.")


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


def fresh_defaults(chosen: argparse.Namespace) -> Args:
    """Settings of a new run; a preset that does not exist falls back here, for tyro to refuse it."""
    size = PRESETS.get(chosen.preset or "", PRESETS["laptop"])
    env, teacher = task_config(chosen.task or DEFAULT), None
    if chosen.stage == STUDENT and chosen.teacher is not None:
        teacher = checkpoint.read_policy(chosen.teacher, TEACHER)
        if chosen.task not in (None, teacher["task"]) and split(chosen.task)[0] is None:
            raise ValueError(f"A Student learns on its Teacher's task, {teacher['task']}: leave --task out.")
        env = recorded_env(teacher, teacher["task"])
    processes = fresh_processes(chosen, size.num_envs, env.engine)
    args = Args(
        task=chosen.task or DEFAULT,
        env=sized(env, size, max(1, usable_cores() // processes)),
        agent=size.agent,
        refinement=size.refinement,
        student=size.student,
        processes=processes,
    )
    if teacher is not None:
        env = student_env(args.env, teacher, size)
        return replace(
            args,
            task=chosen.task or teacher["task"],
            now=STUDENT,
            env=env if chosen.init_from is None else under_way(env),
        )
    if chosen.stage == TEACHER and chosen.init_from is not None:
        return from_policy(args, checkpoint.read_policy(chosen.init_from, TEACHER))
    return args


def from_policy(args: Args, teacher: dict[str, Any]) -> Args:
    """Settings of a Teacher that goes on from another one: refined, where there is a refinement."""
    if not args.refinement.max_iterations:
        return replace(args, env=going_on(args.env, teacher))
    env, agent = refined_env(args.env, teacher, args.refinement), args.refinement.refined(args.agent)
    return replace(args, env=env, agent=agent)


def resumed_defaults(run_dir: Path, task: str | None = None) -> Args:
    """Settings that the run, or the stage of it that is under way, was started with.

    An own task may be named anew, by `task`, where its file has moved.
    """
    plan = read_plan(run_dir)
    record = checkpoint.read_resume(run_dir)
    kind = record.get("stage", TEACHER)
    record = {**record, "task": run_task(record, run_dir, task)}
    recorded = {**record["agent"], "precision": record["precision"]}
    args = Args(
        env=recorded_env(record, record["task"]),
        agent=TeacherConfig() if kind == STUDENT else restore(TeacherConfig(), recorded),
        refinement=RefinementConfig(),
        student=restore(StudentTrainingConfig(), recorded if kind == STUDENT else {}),
        task=record["task"],
        stage=kind,
        processes=record.get("ranks", 1),
        device="cpu" if distributed.recorded_device(record) == "cpu" else "auto",
        now=kind,
        record=record,
    )
    if plan is None:
        return args
    refinement = restore(RefinementConfig(), plan.get("refinement", {"max_iterations": 0}))
    student = args.student if kind == STUDENT else restore(args.student, plan["student"])
    now = next(stage for stage in reversed(STAGES) if (run_dir / stage / checkpoint.RESUME_FILE).is_file())
    blind = plan.get("blind", False)
    return replace(
        args, stage=None, preset=plan["preset"], now=now, refinement=refinement, student=student, blind=blind
    )


def read_plan(run_dir: Path) -> dict[str, Any] | None:
    """What the later stages of a run of all shall be; None for a run of one."""
    path = run_dir / PLAN_FILE
    return archive.read(path, "plan") if path.is_file() else None


def first_stage(args: Args) -> str:
    """The stage with which a new run begins."""
    return args.stage or (WALK if args.refinement.max_iterations else TEACHER)


def following(args: Args) -> Args | None:
    """The stage after the one at hand, which is finished; None after the last."""
    root = args.resume or args.run_dir
    last = BLIND if args.blind else STUDENT
    if args.stage is not None or args.now == last or root is None:
        return None
    anew = replace(args, record=None, resume=None, run_dir=root, init_from=None)
    if args.now == WALK:
        teacher = checkpoint.read_policy(root / WALK, TEACHER)
        return from_policy(replace(anew, now=TEACHER, init_from=root / WALK), teacher)
    teacher = checkpoint.read_policy(root / TEACHER, TEACHER)
    env = recorded_env(teacher, args.task)
    if args.refinement.max_iterations:
        env = replace(env, num_envs=env.num_envs // args.refinement.robots)
    anew = replace(anew, env=student_env(env, teacher, PRESETS[args.preset]))
    if args.now == TEACHER:
        return replace(anew, now=STUDENT)
    return replace(anew, now=BLIND, student=replace(args.student, network=replace(args.student.network, extero=False)))


def parts_to_come(args: Args) -> list[str]:
    """Arguments that hold the configurations of the stages that are not over."""
    if args.now in (STUDENT, BLIND) or args.stage is not None:
        return [CONFIG[args.now]]
    return ["agent", "student"]


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


def refuse_changes(args: Args, default: Args) -> None:
    """A resumed run stays the run it was."""
    changed = {
        name
        for group in ("env", "agent", "refinement", "student")
        for name in differences(getattr(default, group), getattr(args, group), f"{group}.")
    }
    whole = ("task", "stage", "teacher", "preset", "run_dir", "init_from", "processes")
    changed |= {name for name in whole if getattr(args, name) != getattr(default, name)}
    allowed = {"env.threads", *(f"{part}.{name}" for part in parts_to_come(args) for name in CHANGEABLE)}
    refused = ", ".join(f"--{name.replace('_', '-')}" for name in sorted(changed - allowed))
    if refused:
        raise ValueError(
            f"--resume keeps the settings of the run, so {refused} cannot change; use --init-from for a new run."
        )
    if changed & {"agent.precision", "student.precision", "env.threads"}:
        note("with other threads or precision the run goes on, but its resume is not bit-exact.")


def note(text: str) -> None:
    """Tell the user on stderr, once for all processes, what to keep in mind."""
    if distributed.rank() == 0:
        say(f"Note: {text}")
