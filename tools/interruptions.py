"""Ctrl-C, SIGTERM and a lost terminal at many moments of every command: `python -m tools.interruptions`.

Each command is started anew for each moment, told to end, and must be gone within 5 s, without a traceback, without
files that are half-written, without processes left over, and with one sentence or with its work done.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from system import early, stopping
from system.console import tell

ROOT = Path(__file__).parents[1]
LONGEST = 5.0
"""s that a command may take to end."""
KEPT = 60.0
"""s after which a command that does not end is killed."""
SMOKE = ["--preset", "smoke", "--num-envs", "64", "--run-dir", "run", "--max-iterations", "1000"]
STUDENT = str(ROOT / "pretrained" / "student.pt")
COMMANDS = {
    "train": ["train.py", "--stage", "teacher", "--processes", "1", *SMOKE],
    "ranks": ["train.py", "--stage", "teacher", "--processes", "2", *SMOKE],
    "stages": ["train.py", "--processes", "2", *SMOKE[:-2]],
    "play": ["play.py", "--checkpoint", STUDENT, "--terrain", "rough", "--video", "out.mp4", "--seconds", "60"],
    "evaluate": ["evaluate.py", "--checkpoint", STUDENT, "--terrains", "rough", "--json", "out.json"],
    "suite": ["evaluate.py", "--suite", "reference", "--checkpoint", STUDENT, "--episodes", "20", "--out", "out"],
    "export": ["export.py", "--checkpoint", STUDENT, "--out", "out"],
    "terrains": ["-m", "envs.terrains", "--out", "out.png"],
}
"""What is interrupted; further names: any module of ours that python -m runs."""
TORCHS_CACHE = "torchinductor"
"""Beginning of the name of the folder that torch keeps among the temporary files, on purpose."""
SIGNALS = {"int": signal.SIGINT, "term": signal.SIGTERM, "hup": signal.SIGHUP}


@dataclass(frozen=True)
class Args:
    """Interrupt commands."""

    commands: tuple[str, ...] = tuple(COMMANDS)
    """Which: train, ranks, stages, play, evaluate, suite, export, terrains."""
    moments: int = 40
    """Moments for each command."""
    first: float = 0.2
    """s after the start, the first of them; before, there is only Python itself."""
    last: float = 15.0
    """s after the start, the last of them."""
    signals: tuple[Literal["int", "term", "hup"], ...] = ("int",)
    """What comes, in turns: Ctrl-C (to the whole group, as a terminal does), SIGTERM and SIGHUP."""
    alone: bool = False
    """Signals go to the first process only, as from `kill`."""


def interrupted(words: list[str], number: signal.Signals, after: float, alone: bool, folder: Path) -> str | None:
    """What was wrong with the end of one command; None if nothing."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp")}
    (folder / "tmp").mkdir(parents=True)
    (folder / "work").mkdir()
    if not words[0].startswith("-"):
        words = [str(ROOT / words[0]), *words[1:]]
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, *words],
            cwd=folder / "work",
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        time.sleep(after)
        over = process.poll() is not None
        if not over:
            (os.kill if alone else os.killpg)(process.pid, number)
        begin = time.monotonic()
        try:
            code = process.wait(KEPT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return f"still there after {KEPT:g} s"
        seconds = time.monotonic() - begin
        said.seek(0)
        text = said.read()
    return "; ".join(faults(code, number, seconds, text, over, folder, process.pid)) or None


def faults(
    code: int, number: signal.Signals, seconds: float, text: str, over: bool, folder: Path, group: int
) -> Iterator[str]:
    """Everything that is wrong with how a command has ended."""
    if seconds > LONGEST:
        yield f"took {seconds:.1f} s"
    if "Traceback" in text or "Exception ignored" in text:
        yield f"said {text[-2000:]!r}"
    if code not in (0, early.INTERRUPTED + number):
        yield f"exit code {code}, said {text[-500:]!r}"
    if code and not over and text.count(number.name) != 1:
        yield f"said {text[-500:]!r}"
    parts = [path for path in folder.rglob("*") if ".export-" in path.name or (path.name[0] == "." and path.is_file())]
    parts += [path for path in (folder / "tmp").iterdir() if not path.name.startswith(TORCHS_CACHE)]
    if parts:
        yield f"left {', '.join(str(path.relative_to(folder)) for path in parts)}"
    try:
        os.killpg(group, 0)
        time.sleep(1.0)
        os.killpg(group, signal.SIGKILL)
        yield "left processes"
    except ProcessLookupError:
        pass


@stopping.stoppable
def main() -> int:
    """Interrupt all of them; exit code 1 if anything was wrong."""
    args = tyro.cli(Args, description=__doc__)
    wrong = 0
    for name in args.commands:
        words = COMMANDS.get(name, ["-m", name])
        for moment in range(args.moments):
            after = args.first + (args.last - args.first) * moment / max(1, args.moments - 1)
            number = SIGNALS[args.signals[moment % len(args.signals)]]
            folder = Path(tempfile.mkdtemp(prefix="interrupted-"))
            fault = interrupted(words, number, after, args.alone, folder)
            wrong += fault is not None
            tell(f"{name} {after:6.2f} s {number.name}: {fault or 'well'}")
            shutil.rmtree(folder, ignore_errors=True)
    tell(f"{wrong} of {len(args.commands) * args.moments} ended badly.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
