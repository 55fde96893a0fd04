"""What play costs: from the command to a walking robot, a page in real time, a picture of a video.

`python -m benchmarks.playing [--checkpoint FILE] [--browser PROGRAM] [--json FILE]` starts play.py as its users do, and
reads the processor time of its process; a browser's does not count to it. On two cores without a graphics card a robot
shall walk within 10 s, its page take half a core at most, and a picture 0.1 s, with the walk to it and its encoding.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.report import report, run

PLAY = Path(__file__).resolve().parents[1] / "play.py"
FIRST = 15
"""s of the shorter of two runs, whose difference is free of what starting costs, a browser too."""
PICTURES_PER_SECOND = 25
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
HEADLESS = ("--headless=new", "--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    checkpoint: Path = Path("pretrained/student.pt")
    """Policy to play."""
    browser: str | None = None
    """Chromium's program, which looks at the page in software; default the first one found, "" for none."""
    seconds: int = 20
    """s of walk that are measured."""
    rounds: int = 3
    """Runs of each kind; the median counts."""
    port: int = 8090
    """Port of the page."""
    json: Path | None = None
    """File to write the result to."""


@dataclass(frozen=True)
class Cost:
    """What a run of play took, in s."""

    address: float
    """From the command to the page's address; 0 without one."""
    clock: float
    """Until it ended, from the address on, or from the command."""
    processor: float
    """Of the process and its threads."""


def play(flags: list[str], browser: list[str] | None = None) -> Cost:
    """Start play.py with these flags and, once it says its page's address, the browser; ValueError if play fails."""
    start, address = time.perf_counter(), 0.0
    command = [sys.executable, str(PLAY), *flags]
    with ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        )
        assert process.stdout is not None
        for line in process.stdout:
            found = re.search(r"http://\S+", line)
            if found and not address:
                address = time.perf_counter() - start
                if browser:
                    stack.callback(visitor(browser, found[0]).kill)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"play.py failed; see why with: {' '.join(command)}")
    return Cost(address, time.perf_counter() - start - address, usage.ru_utime + usage.ru_stime)


def visitor(browser: list[str], address: str) -> subprocess.Popen[bytes]:
    """A browser that looks at a page and never stops drawing it."""
    command = [*browser, "--remote-debugging-port=0", address]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def per_second(flags: list[str], seconds: int, browser: list[str] | None = None) -> tuple[float, float, float]:
    """s to the page's address, s of the clock and s of the processor for each s of walk, of two runs' difference."""
    short, long = (play([*flags, "--seconds", str(length)], browser) for length in (FIRST, FIRST + seconds))
    return long.address, (long.clock - short.clock) / seconds, (long.processor - short.processor) / seconds


def main(arguments: Arguments) -> None:
    """Measure and report."""
    program = arguments.browser if arguments.browser is not None else next(filter(shutil.which, BROWSERS), "")
    sides: dict[str, float] = {}
    with TemporaryDirectory() as folder:
        profile = f"--user-data-dir={folder}/profile"
        stairs = ["--checkpoint", str(arguments.checkpoint), "--terrain", "stairs_up", "--height", "0.17"]
        page = [*stairs, "--viewer", "web", "--port", str(arguments.port)]
        video = [*stairs, "--viewer", "video", "--size", "640", "360", "--video", f"{folder}/walk.mp4"]
        for kind, looker in (("page", None), ("page, browser", [program, *HEADLESS, profile])):
            if looker is None or program:
                runs = [per_second(page, arguments.seconds, looker) for _ in range(arguments.rounds)]
                address, clock, processor = (median(each) for each in zip(*runs, strict=True))
                sides |= {f"{kind}, s to its address": address, f"{kind}, s of clock for 1 s": clock}
                sides[f"{kind}, s of processor for 1 s"] = processor
        drawn = [per_second(video, arguments.seconds)[2] for _ in range(arguments.rounds)]
        sides["video, s of processor for a picture"] = median(drawn) / PICTURES_PER_SECOND
    report("playing", {}, sides, arguments.json)


if __name__ == "__main__":
    sys.exit(run("playing", Arguments, main, __doc__))
