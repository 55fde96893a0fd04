"""Commands end soon and with one sentence when they are told to, whatever they are doing at that moment."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import train
from agents import interrupt
from agents.interrupt import StopRequest
from system import stopping
from system.stopping import Stopped, stoppable

ROOT = Path(train.__file__).parent
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BEGIN = "import ctypes, signal, time; from pathlib import Path; from system import early, files, stopping\n"
LOADED = "early.at_once()\n"
WORK = """
@stopping.stoppable
def main():
    print('begun', flush=True)
    work()
    return 0

raise SystemExit(main())
"""


@pytest.fixture(autouse=True)
def _a_terminal_that_can_be_lost() -> Iterator[None]:
    """SIGHUP as it is by default: a run under nohup ignores it, and so do its children."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def told(program: str, number: signal.Signals = signal.SIGINT, times: int = 1) -> tuple[int, str, float]:
    """Exit code, stderr and s of a program that gets a signal once it has said that it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-c", BEGIN + program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    while process.stdout.readline() != "begun\n":
        assert process.poll() is None
    begin = time.monotonic()
    for _ in range(times):
        process.send_signal(number)
        time.sleep(0.02)
    _, errors = process.communicate(timeout=30)
    return process.returncode, errors, time.monotonic() - begin


@pytest.mark.parametrize("number", SIGNALS)
def test_what_is_only_being_loaded_leaves_at_once(number: signal.Signals) -> None:
    code, errors, _ = told(LOADED + "print('begun', flush=True); time.sleep(20)", number)
    assert (code, errors) == (128 + number, f"-c: stopped by {number.name}; give the same command again.\n")


@pytest.mark.parametrize("number", SIGNALS)
def test_work_is_interrupted_with_one_sentence_however_often_the_signal_comes(number: signal.Signals) -> None:
    code, errors, _ = told(LOADED + "def work(): time.sleep(20)" + WORK, number, times=20)
    assert (code, errors.count("\n")) == (128 + number, 1) and number.name in errors


def test_an_interruption_that_foreign_code_swallows_comes_once_more() -> None:
    deaf = """
class Deaf:
    def __del__(self): time.sleep(20)

def work():
    Deaf()
    time.sleep(20)
"""
    code, errors, seconds = told(LOADED + deaf + WORK)
    assert (code, errors.count("\n")) == (130, 1) and seconds < 5


SWALLOW = """
def wait():
    while True:
        try: time.sleep(20)
        except KeyboardInterrupt: pass
"""
HANG = """
def wait():
    while True:
        ctypes.CDLL(None).sleep(20)
"""


@pytest.mark.parametrize("wait", [SWALLOW, HANG])
def test_what_does_not_end_is_ended_and_leaves_nothing_half_written(wait: str, tmp_path: Path) -> None:
    writing = f"""
def work():
    with files.whole(Path({str(tmp_path / "a")!r})) as part:
        part.touch()
        wait()
"""
    code, errors, seconds = told(LOADED + wait + writing + WORK)
    assert (code, errors.count("\n")) == (130, 1) and seconds < stopping.PATIENCE + 2
    assert not list(tmp_path.iterdir())


def test_what_is_ended_by_force_says_what_the_command_has_advised() -> None:
    advised = "def work():\n    stopping.advise(lambda: 'look at the sky.')\n    wait()\n"
    _, errors, _ = told(LOADED + SWALLOW + advised + WORK)
    assert errors == "-c: stopped by SIGINT; look at the sky.\n"


def test_signals_that_the_starter_has_switched_off_stay_off() -> None:
    off = "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code, errors, _ = told(off + LOADED + "def work(): time.sleep(1)" + WORK, signal.SIGHUP)
    assert (code, errors) == (0, "")


def test_handlers_and_exit_codes_are_given_back() -> None:
    before = [signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)]

    @stoppable
    def work() -> int:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
        return 0

    assert work() == 143
    assert [signal.getsignal(number) for number in (*SIGNALS, signal.SIGALRM)] == before
    assert stoppable(lambda: 7)() == 7


def test_a_request_that_is_not_met_in_time_aborts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "GRACE", 0.1)
    with pytest.raises(Stopped) as stopped, StopRequest(abort=False):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    assert stopped.value.number == signal.SIGTERM
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_a_request_that_is_met_leaves_no_alarm_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupt, "GRACE", 0.1)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
    time.sleep(0.3)
    assert stop.requested


SMALL = "--task anymal_flat --num-envs 4 --threads 1 --agent.num-steps-per-env 4 --agent.warm-up-steps 2"
TEACHER = ["--stage", "teacher", *SMALL.split(), "--max-iterations", "100000"]


@pytest.mark.slow
def test_training_survives_the_loss_of_its_terminal(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "train.py", *TEACHER, "--run-dir", str(tmp_path / "run")])
    said = b""
    while b"1/100000" not in said:
        said += os.read(terminal, 1000)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) in (0, 120)  # 120: Python cannot flush what nobody reads
    assert train.checkpoint.read_resume(tmp_path / "run")["iteration"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("rank", ["first", "second"])
def test_a_rank_that_is_killed_while_it_starts_ends_the_other_at_once(tmp_path: Path, rank: str) -> None:
    command = [sys.executable, "train.py", *TEACHER, "--processes", "2", "--run-dir", str(tmp_path / "run")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while not (second := children.read_text().split()):
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(process.pid if rank == "first" else int(second[0]), signal.SIGKILL)
    begin = time.monotonic()
    _, errors = process.communicate(timeout=120)
    if rank == "second":
        assert "another rank ended early" in errors and "Traceback" not in errors
        assert process.returncode == 1 and time.monotonic() - begin < 30
    else:
        while Path(f"/proc/{second[0]}").exists() and "State:\tZ" not in Path(f"/proc/{second[0]}/status").read_text():
            assert time.monotonic() - begin < 100
            time.sleep(0.5)


def test_every_command_is_stoppable() -> None:
    """Whoever is run as a script heeds signals before the slow imports; whoever as a module has a package that does."""
    for name in ("train", "play", "evaluate", "export"):
        lines: list[Any] = (ROOT / f"{name}.py").read_text(encoding="utf-8").splitlines()
        slow = min(number for number, line in enumerate(lines) if line.startswith("import "))
        assert "    early.at_once()" in "\n".join(lines[:slow]) and "@stopping.stoppable" in lines
    for path in ROOT.glob("*/**/*.py"):
        if 'if __name__ == "__main__":' in (text := path.read_text(encoding="utf-8")) and "tests" not in path.parts:
            package = path.relative_to(ROOT).parts[0]
            if package not in (".venv", "system") and path.name != "tracking.py":  # part of benchmarks.learning
                assert "at_once_if_a_module_starts()" in (ROOT / package / "__init__.py").read_text(encoding="utf-8")
                assert "stoppable" in text or "benchmarks.report import" in text, path
