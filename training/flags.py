"""The flags of train.py that people use, and its help; imports little, so that help is there at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from agents.choices import Device, LoggerName, Precision

HELP, HELP_ALL = ("-h", "--help"), "--help-all"
OFTEN = {
    "--env.drive.model pd": "ideal PD drives in place of the real ones' dynamics",
    "--env.terrain.types flat rough": "the kinds of terrain to train on (python -m envs.terrains draws them)",
    "--env.collider stock": "MuJoCo's own contacts with the terrain",
    "--agent.learning-rate 5e-4": "the largest step size of PPO",
    "--student.uphill 2.5": "let the Student climb faster than its Teacher",
    "--student.network.no-extero": "a blind Student; no-gate and no-reconstruct are ablations, too",
}
"""Of the other settings those that are asked for most: a flag with a value -> what it does."""
SYMBOLS = {
    "S1 to S9, E1 to E9": "sections of the supplement, and experiments, of Miki et al. 2022",
    "decision N": "entry N of docs/paper.md: where the paper is silent, what is done and why",
    "c_k": "factor from c_0 to 1 over a training, on randomisation and on penalties (Miki, Methods)",
    "z": "the standard deviations of the height samples' errors (Miki, S8)",
    "l_e, g_e; l_priv, g_p": "latent and encoder of the heights; of the privileged state (Miki, S6)",
    "b, g_b; g_a": "belief and its network; the gate on the latent heights (Miki, S6)",
    "_b, _w, yaw": "frames: base; world; world turned about z by the heading of the base",
}
"""What the help's short words stand for."""


@dataclass(frozen=True, kw_only=True)
class Flags:
    """Train a Teacher by PPO, then distil it into a Student; --resume goes on after any interruption."""

    task: str = "anymal_rough"
    """Where to learn to walk: anymal_flat, anymal_rough, anymal_rough_s7, or your own, FILE.py:NAME (docs/howto.md)."""
    stage: Literal["teacher", "student"] | None = None
    """Do one stage only: a Teacher by PPO, or the Student by distillation of --teacher; default all."""
    teacher: Path | None = None
    """Policy file or run directory of the Teacher for --stage student, whose task and environment are the defaults."""
    preset: Literal["smoke", "laptop", "full"] = "laptop"
    """Size of the run: a minute, three to four hours on two cores, or the paper's."""
    num_envs: int | None = None
    """Robots simulated at once (short for --env.num-envs)."""
    max_iterations: int | None = None
    """Iterations of the stage at hand, from its first start (short for --agent. or --student.max-iterations)."""
    seed: int | None = None
    """Seed of everything random (short for --env.seed)."""
    processes: Annotated[int, tyro.conf.arg(help_behavior_hint="")] = 1
    """Processes that train together; default: what is fastest on this machine, but one with --threads or for a GPU."""
    threads: int | None = None
    """CPU threads of physics and networks of each process (short for --env.threads); default: its share of cores."""
    device: Device = "auto"
    """Where the networks live; auto: on a GPU if each process has its own. Where robots walk: --env.engine."""
    precision: Precision | None = None
    """Arithmetic of the updates (short for --agent.precision and --student.precision)."""
    run_dir: Path | None = None
    """Where the run is kept; default runs/<task>_<date-time>."""
    resume: Path | None = None
    """Run directory to continue (or a file in it), with its own settings; bit-exact."""
    init_from: Path | None = None
    """With --stage: policy or run directory of a Teacher (then refined by default) or Student, to start from."""
    logger: LoggerName = "tensorboard"
    """wandb logs to Weights & Biases too; TensorBoard and curves.csv are always written."""
    blind: bool = False
    """After the Student, or with --resume, distil one that does not see the ground: the baseline."""


def short_help(argv: Sequence[str]) -> None:
    """Show the flags that people use, and end, if the command line asks for help."""
    if not set(HELP) & set(argv):
        return
    with explained(OFTEN):
        tyro.cli(Flags, args=["--help"], prog="train.py")


@contextmanager
def explained(often: dict[str, str] | None = None) -> Iterator[None]:
    """Context in which help is followed by other settings that are asked for `often`, and by what its words mean."""
    try:
        yield
    except SystemExit as end:
        if end.code == 0:
            if often is not None:
                print(f"Of all other settings ({HELP_ALL}), for example:", *table(often), "", sep="\n")
            print("What is meant by:", *table(SYMBOLS), sep="\n")
        raise


def table(rows: dict[str, str]) -> list[str]:
    """Lines of two columns."""
    width = max(map(len, rows))
    return [f"  {name:{width}}  {meaning}" for name, meaning in rows.items()]
