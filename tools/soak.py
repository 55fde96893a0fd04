"""A training that is disturbed again and again ends as an undisturbed one, bit by bit: `python -m tools.soak`.

Undisturbed, `train.py --preset smoke` trains all stages with two processes. Then the same is trained in a loop: after a
random time a random process is killed, or the command is told to stop, or the disk is full for a while, or the clock
jumps by up to a year; what has ended goes on with --resume, until it is finished. Each end is compared with the first.

A full disk is a limit on the size of files, which the kernel puts on the running processes; the clock is one that
Python modules see through a sitecustomize.py.
"""

from __future__ import annotations

import csv
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from agents.archive import content_hash
from agents.checkpoint import REFINE, STUDENT, WALK, read_policy, read_resume
from system import stopping
from system.console import tell
from tools.interruptions import heeding

ROOT = Path(__file__).parents[1]
STAGES = (WALK, REFINE, STUDENT)
LEARNT = ("algorithm", "env_state", "rng", "iteration", "samples", "hidden")
"""Parts of a resume.pt that the next iteration depends on, of each rank."""
OF_THE_CLOCK = ("perf/", "train/seconds")
"""Beginnings of the metrics that may differ."""
ROOM = 20_000
"""Bytes to which a file may grow on a full disk."""
CLOCK = """
import os, time
_now = time.time
def _jumped():
    try:
        with open(os.environ["SOAK_CLOCK"]) as file:
            return _now() + float(file.read() or 0)
    except (OSError, ValueError):
        return _now()
time.time = _jumped
"""
LEFT = 10.0
"""s after its end within which all processes of a command must be gone."""
STUCK = 600.0
"""s without an end after which a command is taken to hang."""


@dataclass(frozen=True)
class Args:
    """Disturb trainings."""

    minutes: float = 20.0
    """Time for disturbed trainings; the one that is under way at the end is finished."""
    seed: int = 0
    """Seed of the trainings and of the disturbances."""
    processes: int = 2
    """Ranks of each training."""
    shortest: float = 2.0
    """s until a disturbance, at least."""
    longest: float = 40.0
    """s until a disturbance, at most."""
    flags: tuple[str, ...] = ()
    """More flags for train.py, as one argument after another."""


class Run:
    """A command that trains, with all its processes, and what it has said."""

    def __init__(self, flags: list[str], folder: Path) -> None:
        """Start it."""
        environment = os.environ | {"SOAK_CLOCK": str(folder / "clock"), "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}
        environment["TMPDIR"] = str(folder)
        self.said = (folder / "said").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "train.py"), *flags],
            env=environment,
            stdout=self.said,
            stderr=self.said,
            start_new_session=True,
            preexec_fn=heeding,
        )

    def members(self) -> list[int]:
        """All its processes."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._owns(entry)]

    def _owns(self, entry: Path) -> bool:
        try:
            return os.getpgid(int(entry.name)) == self.process.pid and "train.py" in (entry / "cmdline").read_text()
        except OSError:
            return False

    def over(self) -> bool:
        """Whether it has ended."""
        return self.process.poll() is not None

    def wait(self, seconds: float) -> bool:
        """Let so much time pass; whether it has ended meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and not self.over():
            time.sleep(0.05)
        return self.over()

    def words(self) -> str:
        """The end of what it has said."""
        self.said.seek(0)
        return self.said.read()[-1500:]


def kill(run: Run, chance: random.Random, folder: Path) -> None:
    """Kill one of its processes."""
    members = run.members()
    os.kill(chance.choice(members or [run.process.pid]), signal.SIGKILL)


def stop(run: Run, chance: random.Random, folder: Path) -> None:
    """Tell it to stop, as a terminal or a scheduler does."""
    number = chance.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    chance.choice((os.killpg, os.kill))(run.process.pid, number)


def fill(run: Run, chance: random.Random, folder: Path) -> None:
    """Let its disk be full for up to 20 s."""
    for pid in run.members():
        _limit(pid, ROOM)
    run.wait(chance.uniform(1.0, 20.0))
    for pid in run.members():
        _limit(pid, resource.RLIM_INFINITY)


def _limit(pid: int, size: int) -> None:
    with suppress(ProcessLookupError):
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def jump(run: Run, chance: random.Random, folder: Path) -> None:
    """Let its clock jump, forward or back."""
    (folder / "clock").write_text(str(chance.choice((-1, 1)) * 10 ** chance.uniform(0, 7.5)))


DISTURBANCES: tuple[Callable[[Run, random.Random, Path], None], ...] = (kill, stop, fill, jump)


def finish(run: Run) -> None:
    """Wait for its end, and that of all its processes; a TimeoutError if it hangs."""
    if not run.wait(STUCK):
        raise TimeoutError(f"hangs: {run.words()}")
    end = time.monotonic() + LEFT
    while run.members():
        if time.monotonic() > end:
            raise TimeoutError(f"left processes: {run.words()}")
        time.sleep(0.05)


@contextmanager
def running(flags: list[str], folder: Path) -> Iterator[Run]:
    """Context of a command, of which nothing is left afterwards."""
    run = Run(flags, folder)
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.process.pid, signal.SIGKILL)
        run.process.wait()
        run.said.close()


def disturbed(
    begin: list[str], place: Path, chance: random.Random, args: Args, folder: Path, counts: dict[str, int]
) -> None:
    """Train to the end, disturbed; `counts` how often by what."""
    while True:
        resumable = any((place / stage / "resume.pt").is_file() for stage in STAGES)
        (folder / "clock").write_text("0")
        ended = False
        with running(["--resume", str(place)] if resumable else begin, folder) as run:
            while not run.wait(chance.uniform(args.shortest, args.longest)):
                disturbance = chance.choice(DISTURBANCES)
                counts[disturbance.__name__] += 1
                with suppress(ProcessLookupError):  # it has ended by itself meanwhile
                    disturbance(run, chance, folder)
                if disturbance in (kill, stop):
                    ended = True
                    finish(run)
                ended |= disturbance is fill and not resumable and run.over()  # a run does not begin on a full disk
            finish(run)
            said, code = run.words(), run.process.returncode
        if "Traceback" in said:
            raise RuntimeError(f"a traceback: {said}")
        if code and not ended:
            raise RuntimeError(f"ended by itself with {code}: {said}")
        if code == 0 and (place / STUDENT / "resume.pt").is_file():
            record = read_resume(place / STUDENT)
            if record["iteration"] >= record["agent"]["max_iterations"]:
                return


def learnt(place: Path) -> dict[str, Any]:
    """What a run of all stages has come to: a hash of every stage's training, policy and curves."""
    found: dict[str, Any] = {}
    for stage in STAGES:
        record, policy = read_resume(place / stage), read_policy(place / stage)
        for rank, own in enumerate([record, *record["other_ranks"]]):
            found[f"{stage}, rank {rank}"] = content_hash({name: own[name] for name in LEARNT if name in own})
        found[f"{stage}, policy"] = content_hash({name: policy[name] for name in ("network", "normalizer")})
        with (place / stage / "curves.csv").open(newline="") as file:
            rows = [{k: v for k, v in row.items() if not k.startswith(OF_THE_CLOCK)} for row in csv.DictReader(file)]
        found[f"{stage}, curves"] = content_hash(rows)
        left = [path.name for path in (place / stage).iterdir() if path.name.startswith(".")]
        found[f"{stage}, half-written files"] = left
    return found


@stopping.stoppable
def main() -> int:
    """Train undisturbed, then disturbed until the time is over; exit code 1 if an end differs."""
    args = tyro.cli(Args, description=__doc__)
    chance, folder = random.Random(args.seed), Path(tempfile.mkdtemp(prefix="soak-"))
    (folder / "sitecustomize.py").write_text(CLOCK)
    flags = ["--preset", "smoke", "--processes", str(args.processes), "--seed", str(args.seed), *args.flags]
    with running([*flags, "--run-dir", str(folder / "first")], folder) as first:
        finish(first)
        if first.process.returncode:
            tell(f"The undisturbed training failed: {first.words()}")
            return 1
    total = {each.__name__: 0 for each in DISTURBANCES}
    wanted, end, wrong, number = learnt(folder / "first"), time.monotonic() + 60 * args.minutes, 0, 0
    while time.monotonic() < end:
        place, number = folder / f"disturbed_{number}", number + 1
        counts = {each.__name__: 0 for each in DISTURBANCES}
        try:
            disturbed([*flags, "--run-dir", str(place)], place, chance, args, folder, counts)
            got = learnt(place)
            faults = [name for name in wanted if got[name] != wanted[name]]
            verdict = "the same bits" if not faults else f"differs in {'; '.join(faults)}"
        except Exception as fault:
            faults = [verdict := f"{type(fault).__name__}: {fault}"]
        total = {name: total[name] + count for name, count in counts.items()}
        wrong += bool(faults)
        tell(f"training {number}, {', '.join(f'{name} {count}' for name, count in counts.items())}: {verdict}")
        if faults:
            tell(f"kept in {place}")
        else:
            shutil.rmtree(place)
    tell(f"{wrong} of {number} ended otherwise than undisturbed, after {', '.join(f'{total[n]} {n}' for n in total)}.")
    if not wrong:
        shutil.rmtree(folder)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
