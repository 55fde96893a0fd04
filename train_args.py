"""What can be asked of train.py: its arguments, their defaults for a new run, and those of a run that goes on."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from agents import archive, checkpoint, distributed
from agents.checkpoint import STUDENT, TEACHER
from agents.config import PRESETS, Preset, StudentTrainingConfig, TeacherConfig, differences, restore
from agents.log import LoggerName
from agents.precision import Precision
from envs.config import EnvConfig
from envs.curriculum import curriculum_factor
from envs.tasks import TASKS

PLAN_FILE = "plan.pt"
"""In a run of both stages: what the second one shall be."""
CONFIG = {TEACHER: "agent", STUDENT: "student"}
"""Which argument holds a stage's training configuration."""
EARLY = ("task", "preset", "stage", "teacher", "init-from", "resume", "num-envs", "processes", "threads")
"""Flags on which the defaults of others depend."""
LEAST_ROBOTS = 256
"""Of a process, by default: fewer are slower each."""
CHANGEABLE = {"max_iterations", "keep_every", "precision"}
"""Settings of a stage that a resumed run may change."""


@dataclass(frozen=True)
class Args:
    """Train a Teacher, then distil it into a Student; --resume goes on after any interruption as if it had not been.

    A run of both stages keeps them in the folders teacher and student of its run directory; --stage does one alone,
    in the run directory itself. Play and evaluate take the run directory in either case.

    Several processes train one policy together, each with its share of the robots; --resume starts as many again.
    `python -m torch.distributed.run --nproc_per_node=2 train.py ...` starts them for GPUs.
    """

    env: EnvConfig
    agent: TeacherConfig
    student: StudentTrainingConfig
    task: Literal["anymal_flat", "anymal_rough", "anymal_rough_s7"] = "anymal_rough"
    """Where to learn to walk."""
    stage: Literal["teacher", "student"] | None = None
    """Do one stage only: the Teacher by PPO, or the Student by distillation of --teacher; default both."""
    teacher: Path | None = None
    """Policy file or run directory of the Teacher for --stage student, whose task and environment are the defaults."""
    preset: Literal["smoke", "laptop", "full"] = "laptop"
    """Size of the run: a minute, about two hours on two cores, or the paper's."""
    num_envs: int | None = None
    """Robots simulated at once (short for --env.num-envs)."""
    max_iterations: int | None = None
    """Iterations of the stage at hand, from its first start (short for --agent. or --student.max-iterations)."""
    seed: int | None = None
    """Seed of everything random (short for --env.seed)."""
    processes: int = 1
    """Processes that train together; default: one a core, of at least 256 robots, but one if --threads is given."""
    threads: int | None = None
    """CPU threads of physics and networks of each process (short for --env.threads); default: its share of cores."""
    precision: Precision | None = None
    """Arithmetic of the updates (short for --agent.precision and --student.precision)."""
    run_dir: Path | None = None
    """Where the run is kept; default runs/<task>_<date-time>."""
    resume: Path | None = None
    """Run directory to continue, with its own settings, to the same bits."""
    init_from: Path | None = None
    """Policy file or run directory of a Teacher, or for --stage student a Student, from which a new one starts."""
    logger: LoggerName = "tensorboard"
    """wandb logs to Weights & Biases too; TensorBoard and curves.csv are always written."""
    now: Annotated[str, tyro.conf.Fixed, tyro.conf.Suppress] = TEACHER
    """The stage at hand."""
    record: Annotated[dict[str, Any] | None, tyro.conf.Fixed, tyro.conf.Suppress] = None
    """Content of the resume.pt from which it continues."""


def parse(argv: Sequence[str]) -> Args:
    """The command line over the defaults of its task, preset and Teacher, or over the settings of a run to resume."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for flag in EARLY:
        early.add_argument(f"--{flag}")
    chosen, _ = early.parse_known_args([argument for argument in argv if argument not in ("-h", "--help")])
    default = resumed_defaults(Path(chosen.resume)) if chosen.resume is not None else fresh_defaults(chosen)
    args = tyro.cli(Args, args=argv, default=default, prog="train.py")
    args = apply_shortcuts(args, default)
    if args.resume is not None:
        refuse_changes(args, default)
        return args
    if args.processes < 1:
        raise ValueError(f"--processes must be at least 1, not {args.processes}.")
    if args.stage == STUDENT and args.teacher is None:
        raise ValueError("--stage student distils a Teacher: name its policy file or run directory with --teacher.")
    if args.stage != STUDENT and args.teacher is not None:
        raise ValueError("--teacher is for --stage student: without it the run trains its own Teacher.")
    return args


def fresh_defaults(chosen: argparse.Namespace) -> Args:
    """Settings of a new run; names that do not exist fall back here, for tyro to refuse them."""
    size = PRESETS.get(chosen.preset or "", PRESETS["laptop"])
    begin, full = size.noise_samples
    processes = fresh_processes(chosen, size.num_envs)

    def sized(env: EnvConfig) -> EnvConfig:
        noise = replace(env.height_noise, start_samples=begin, full_samples=full)
        threads = max(1, usable_cores() // processes)
        return replace(env, num_envs=size.num_envs, threads=threads, height_noise=noise)

    if chosen.stage != STUDENT or chosen.teacher is None:
        env = sized(TASKS.get(chosen.task or "", TASKS["anymal_rough"]))
        if chosen.init_from is not None and chosen.stage != STUDENT:
            env = going_on(env, checkpoint.read_policy(chosen.init_from, TEACHER))
        return Args(env=env, agent=size.agent, student=size.student, processes=processes)
    teacher = checkpoint.read_policy(chosen.teacher, TEACHER)
    task = chosen.task or teacher["task"]
    env = student_env(sized(recorded_env(teacher, task)), teacher, size)
    if chosen.init_from is not None:
        env = under_way(env)
    return Args(env=env, agent=size.agent, student=size.student, task=task, now=STUDENT, processes=processes)


def fresh_processes(chosen: argparse.Namespace, robots: int) -> int:
    """Processes of a new run: those asked for, or as many as there are cores and enough robots for."""
    numbers = {flag: int(value) for flag, value in vars(chosen).items() if value is not None and value.isdigit()}
    if distributed.launched() or chosen.threads is not None:
        return distributed.local_size()
    robots = numbers.get("num_envs", robots)
    most = max(1, min(usable_cores(), robots // LEAST_ROBOTS))
    by_default = max(count for count in range(1, most + 1) if robots % count == 0)
    return max(1, numbers.get("processes", by_default))


def recorded_env(record: dict[str, Any], task: str) -> EnvConfig:
    """Environment of a training's record, of all its ranks; settings that it lacks are the task's."""
    if task not in TASKS:
        raise ValueError(f"There is no task {task} in this version; choose one of {', '.join(TASKS)}.")
    env = restore(TASKS[task], record["env"])
    return replace(env, num_envs=env.num_envs * record.get("ranks", 1))


def student_env(env: EnvConfig, teacher: dict[str, Any], size: Preset) -> EnvConfig:
    """The Teacher's environment for its Student: easy ground first, and c_k goes on where the Teacher's ended."""
    curriculum = replace(going_on(env, teacher).curriculum, flat_samples=size.flat_samples)
    return replace(env, noisy_groups=True, curriculum=curriculum)


def going_on(env: EnvConfig, teacher: dict[str, Any]) -> EnvConfig:
    """The environment with the c_k at which the training of this Teacher ended, for one that goes on from it."""
    trained = restore(env.curriculum, teacher["env"]["curriculum"])
    factor = curriculum_factor(teacher["samples"], trained)
    return replace(env, curriculum=replace(env.curriculum, initial_factor=factor))


def under_way(env: EnvConfig) -> EnvConfig:
    """The same for a Student that starts from another one, whose easy ground and perfect maps lie behind it."""
    noise, curriculum = replace(env.height_noise, factor=1.0), replace(env.curriculum, flat_samples=0)
    return replace(env, height_noise=noise, curriculum=curriculum)


def resumed_defaults(run_dir: Path) -> Args:
    """Settings that the run, or the stage of it that is under way, was started with."""
    plan = read_plan(run_dir)
    record = checkpoint.read_resume(run_dir)
    now = record.get("stage", TEACHER)
    stage = now if plan is None else None
    env = recorded_env(record, record["task"])
    recorded = {**record["agent"], "precision": record["precision"]}
    if now == STUDENT:
        agent, student = TeacherConfig(), restore(StudentTrainingConfig(), recorded)
    else:
        agent, student = restore(TeacherConfig(), recorded), StudentTrainingConfig()
        student = restore(student, plan["student"]) if plan is not None else student
    preset = plan["preset"] if plan is not None else "laptop"
    args = Args(env, agent, student, task=record["task"], stage=stage, preset=preset, now=now, record=record)
    return replace(args, processes=record.get("ranks", 1))


def read_plan(run_dir: Path) -> dict[str, Any] | None:
    """What the second stage of a run of both shall be; None for a run of one."""
    path = run_dir / PLAN_FILE
    return archive.read(path, "plan") if path.is_file() else None


def second_stage(args: Args) -> Args:
    """Distillation of the Teacher that the first stage has trained."""
    root = args.resume or args.run_dir
    assert root is not None
    teacher = checkpoint.read_policy(root / TEACHER, TEACHER)
    env = student_env(recorded_env(teacher, args.task), teacher, PRESETS[args.preset])
    return replace(args, env=env, now=STUDENT, record=None, resume=None, run_dir=root, init_from=None)


def parts_to_come(args: Args) -> list[str]:
    """Arguments that hold the configurations of the stages that are not over."""
    stages = (TEACHER, STUDENT) if args.stage is None and args.now == TEACHER else (args.now,)
    return [CONFIG[stage] for stage in stages]


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
        for group in ("env", "agent", "student")
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
        note("with other threads or precision the run goes on, but not to the same bits.")


def note(text: str) -> None:
    """Tell the user on stderr, once for all processes, what to keep in mind."""
    if distributed.rank() == 0:
        print(f"Note: {text}", file=sys.stderr)


def usable_cores() -> int:
    """CPU cores of the machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
