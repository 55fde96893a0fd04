"""The stages of a run in their order: walk, refine, student and blind, and the settings with which each begins."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents import archive, checkpoint, distributed
from agents.checkpoint import BLIND, PLAN_FILE, REFINE, STAGES, STUDENT, TEACHER, WALK
from agents.config import PRESETS, RefinementConfig, StudentTrainingConfig, TeacherConfig, restore
from envs.tasks import DEFAULT, split, task_config
from training.args import Args
from training.cores import fresh_processes, usable_cores
from training.environments import going_on, recorded_env, refined_env, sized, student_env, under_way
from training.tasks import run_task


def first_stage(args: Args) -> str:
    """The stage with which a new run begins."""
    return args.stage or WALK


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


def following(args: Args) -> Args | None:
    """The stage after the one at hand, which is finished; None after the last."""
    root = args.resume or args.run_dir
    last = BLIND if args.blind else STUDENT
    if args.stage is not None or args.now == last or root is None:
        return None
    anew = replace(args, record=None, resume=None, run_dir=root, init_from=None)
    teacher = checkpoint.read_policy(root, TEACHER)
    if args.now == WALK and args.refinement.max_iterations:
        return from_policy(replace(anew, now=REFINE, init_from=root / WALK), teacher)
    env = replace(recorded_env(teacher, args.task), drive=args.env.drive)
    if args.refinement.max_iterations:
        env = replace(env, num_envs=env.num_envs // args.refinement.robots)
    anew = replace(anew, env=student_env(env, teacher, PRESETS[args.preset]))
    if args.now in (WALK, REFINE):
        return replace(anew, now=STUDENT)
    return replace(anew, now=BLIND, student=replace(args.student, network=replace(args.student.network, extero=False)))


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
    begun = [stage for stage in STAGES if (checkpoint.stage_folder(run_dir, stage) / checkpoint.RESUME_FILE).is_file()]
    blind = plan.get("blind", False)
    return replace(
        args, stage=None, preset=plan["preset"], now=begun[-1], refinement=refinement, student=student, blind=blind
    )


def read_plan(run_dir: Path) -> dict[str, Any] | None:
    """What the later stages of a run of all shall be; None for a run of one."""
    path = run_dir / PLAN_FILE
    return archive.read(path, "plan") if path.is_file() else None
