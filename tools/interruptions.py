"""Ctrl-C, SIGTERM and a lost terminal at many moments of every command: `python -m tools.interruptions`.

Each command is started anew for each moment, told to end, and must be gone within 5 s, without a traceback, without
files that are half-written, without processes left over, and with a sentence that names the signal or its work done.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro

from agents import archive
from agents.checkpoint import RESUME
from system import early, stopping
from system.console import tell
from system.folders import LOCK

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
    "page": ["play.py", "--checkpoint", STUDENT, "--viewer", "web", "--port", "0", "--terrain", "rough"],
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
    """Which: train, ranks, stages, play, page, evaluate, suite, export, terrains."""
    moments: int = 40
    """Moments for each command."""
    first: float = 0.2
    """s after the start, the first of them; before, there is only Python itself."""
    last: float = 15.0
    """s after the start, the last of them."""
    signals: tuple[Literal["int", "term", "hup"], ...] = ("int", "term", "hup")
    """What comes, in turns: Ctrl-C (to the whole group, as a terminal does), SIGTERM and SIGHUP."""
    alone: bool = False
    """Signals go to the first process only, as from `kill`."""


@dataclass(frozen=True)
class End:
    """How one command has ended."""

    faults: str
    """What was wrong with it."""
    seconds: float = 0.0
    """From the signal to its end."""
    over: bool = False
    """Whether it was over before the signal came."""


def interrupted(words: list[str], number: signal.Signals, after: float, alone: bool, folder: Path) -> End:
    """Start one command, and tell it to end `after` so many s."""
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
            preexec_fn=heeding,
        )
        try:
            over = waited(process, after) is not None
            if not over:
                (os.kill if alone else os.killpg)(process.pid, number)
            begin = time.monotonic()
            code = waited(process, KEPT)
            seconds = time.monotonic() - begin
            said.seek(0)
            text = said.read()
            if code is None:
                return End(f"still there after {KEPT:g} s, said {text[-500:]!r}", seconds)
            return End("; ".join(faults(code, number, seconds, text, over, folder, process.pid)), seconds, over)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def heeding() -> None:
    """Heed the signals that a parent under nohup ignores."""
    for number in SIGNALS.values():
        signal.signal(number, signal.SIG_DFL)


def waited(process: subprocess.Popen[bytes], seconds: float) -> int | None:
    """Exit code of a process that ends within so many s, else None."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None


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
    if code and not over and number.name not in text:
        yield f"said {text[-500:]!r}"
    forced = seconds >= stopping.PATIENCE  # then nothing is tidied up, and the lock's file stays
    hidden = [path for path in folder.rglob(".*") if path.is_file() and not (forced and path.name == LOCK)]
    parts = [*hidden, *(path for path in folder.rglob("*") if ".export-" in path.name)]
    parts += [path for path in (folder / "tmp").iterdir() if not path.name.startswith(TORCHS_CACHE)]
    if parts:
        yield f"left {', '.join(str(path.relative_to(folder)) for path in parts)}"
    yield from damaged(folder / "work")
    with suppress(ProcessLookupError):
        os.killpg(group, 0)
        time.sleep(1.0)
        os.killpg(group, signal.SIGKILL)
        yield "left processes"


def damaged(work: Path) -> Iterator[str]:
    """Results that cannot be read."""
    readers: dict[str, Callable[[Path], object]] = {
        "resume.pt": lambda path: archive.read(path, RESUME),
        "*.json": lambda path: json.loads(path.read_text(encoding="utf-8")),
    }
    for pattern, read in readers.items():
        for path in work.rglob(pattern):
            try:
                read(path)
            except ValueError as error:
                yield f"left {path.name} unreadable: {error}"


@stopping.stoppable
def main() -> int:
    """Interrupt all of them; exit code 1 if anything was wrong."""
    args = tyro.cli(Args, description=__doc__)
    wrong = 0
    for name in args.commands:
        words, ends = COMMANDS.get(name, ["-m", name]), list[End]()
        for moment in range(args.moments):
            after = args.first + (args.last - args.first) * moment / max(1, args.moments - 1)
            number = SIGNALS[args.signals[moment % len(args.signals)]]
            folder = Path(tempfile.mkdtemp(prefix="interrupted-"))
            try:
                end = interrupted(words, number, after, args.alone, folder)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            ends.append(end)
            wrong += bool(end.faults)
            how = "was over" if end.over else f"{end.seconds:.2f} s"
            tell(f"{name} {after:6.2f} s {number.name}: {end.faults or 'well'}, {how}")
        told = [end for end in ends if not end.over]
        longest = max((end.seconds for end in told), default=0.0)
        tell(f"{name}: {len(told)} interrupted, at most {longest:.1f} s to its end; {len(ends) - len(told)} were over.")
    tell(f"{wrong} of {len(args.commands) * args.moments} ended badly.")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
