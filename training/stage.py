"""The stage at hand of a run, built: its folder, its environment, and the runner that trains its policy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from agents import archive, checkpoint, distributed
from agents.checkpoint import BLIND, PLAN_FILE, REFINE, STUDENT, TEACHER, WALK
from agents.online import require_logger
from agents.precision import resolve_precision
from agents.rng import seed_everything
from agents.runner import StudentRunner, TeacherRunner
from agents.saves import patiently
from envs.anymal import AnymalEnv
from envs.ranks import Ranks
from system.console import tell
from system.shell import quoted
from training.args import CONFIG, Args, note
from training.environments import own_share, require_drives_of
from training.plan import first_stage, read_plan
from training.tasks import keep_copy

RUNNERS: dict[str, Any] = {"agent": TeacherRunner, "student": StudentRunner}
"""By the part of the arguments that configures a stage."""
TITLES = {WALK: "Teacher (walk)", REFINE: "Teacher (refinement)", BLIND: "blind Student"}
"""What a stage trains, where its name does not say it."""


@distributed.together()
def build(args: Args) -> TeacherRunner | StudentRunner:
    """Environment and runner of the stage at hand, ready to train."""
    require_logger(args.logger)
    kind = STUDENT if CONFIG[args.now] == "student" else TEACHER
    policy = checkpoint.read_policy(args.init_from, kind) if args.init_from is not None else None
    if policy is not None:
        require_drives_of(policy, args.env)
    folder = stage_dir(args)
    own, ranks = own_share(args.env), distributed.size()
    seed_everything(own.seed)
    torch.set_num_threads(args.env.threads)
    env = AnymalEnv(own, ranks=Ranks(distributed.rank(), ranks, distributed.total))
    cfg: Any = getattr(args, CONFIG[args.now])
    runner = RUNNERS[CONFIG[args.now]](
        env, cfg, args.task, folder, resolve_precision(cfg.precision, distributed.device()), args.logger
    )
    if args.record is not None:
        runner.restore(args.record)
        device = torch.device(distributed.device()).type
        before = {"device": distributed.recorded_device(args.record), **args.record["versions"]}
        note_versions(before, {"device": device, **runner.versions})
    elif kind == STUDENT:
        teacher = checkpoint.read_policy(args.teacher or folder.parent, TEACHER)
        require_drives_of(teacher, args.env)
        note_misfits(runner.teach(teacher), "Teacher")
    if args.record is None and distributed.rank() == 0:
        keep_copy(args.task, args.run_dir or folder)
    if policy is not None:
        note_misfits(runner.init_from(policy), "policy to start from")
    robots = f"{args.env.num_envs} robots{f' in {ranks} processes' if ranks > 1 else ''}"
    arithmetic = runner.precision if distributed.device() == "cpu" else f"{runner.precision} on {distributed.device()}"
    what = TITLES.get(args.now, args.now.capitalize())
    tell(f"Training a {what} on {args.task} in {quoted(folder)}: {robots}, seed {args.env.seed}, {arithmetic}.")
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
    if new:
        write_plan(args, root)
    else:
        patiently(lambda: write_plan(args, root))
    return checkpoint.stage_folder(root, args.now)


def write_plan(args: Args, root: Path) -> None:
    """Make the folder of the stage at hand in a run of all, and note there what the later ones shall be."""
    later = {"refinement": args.refinement, "student": args.student, "blind": args.blind}
    plan = {"kind": "plan", "preset": args.preset, **later}
    if distributed.rank() == 0:
        checkpoint.stage_folder(root, args.now).mkdir(exist_ok=True)
        if archive.plain(plan) != read_plan(root):
            archive.write(root / PLAN_FILE, plan)


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
