"""How a command ends when it is told to, by Ctrl-C, SIGTERM or a terminal that goes away: soon, with one sentence.

From its first line on it leaves at once (`at_once`), since nothing has been begun. Once it works, it is interrupted
(`stoppable`): it tidies up, and if that takes too long, because it hangs in foreign code, it is ended from outside.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, ParamSpec

from system import files

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 4.0
"""s that a command has to tidy up after a signal."""
ONCE_MORE = 0.1
"""s after which a command is interrupted once more when foreign code has swallowed the first time."""
INTERRUPTED = 128
"""Exit codes from here on are of commands that a signal has ended, with its number added."""
AGAIN = "give the same command again."
DONE = "its work was done."

Parameters = ParamSpec("Parameters")
_alone = False
"""Whether this process is one of our commands, and nobody else's."""


class Stopped(KeyboardInterrupt):
    """The command was told to end, by the signal of this number."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        """By Ctrl-C, if nobody says otherwise."""
        super().__init__(signal.Signals(number).name)
        self.number = number


def at_once(advice: str = AGAIN) -> None:
    """From now on leave at a signal without further ado: for the time in which a command is only being loaded."""
    global _alone
    _alone = True

    def leave(number: int, frame: FrameType | None) -> None:
        _end(number, advice)

    for number in heeded_signals():
        signal.signal(number, leave)


def at_once_if_a_module_starts() -> None:
    """The same where `python -m` is just importing the package of what it shall run."""
    if sys.argv[:1] == ["-m"]:
        at_once()


def heeded_signals() -> list[signal.Signals]:
    """Signals that whoever started this process has not told it to ignore, as nohup does."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]


def _end(number: int, advice: str) -> None:
    last_words(number, advice)
    files.forget_unfinished()
    os._exit(INTERRUPTED + number)


def last_words(number: int, advice: str) -> None:
    """One sentence on stderr, past Python's own files, which may be in use when a signal comes."""
    with suppress(OSError):
        os.write(2, f"{program()}: stopped by {signal.Signals(number).name}; {advice}\n".encode())


def program() -> str:
    """Name of this command."""
    if sys.argv[0] == "-m":
        return sys.orig_argv[sys.orig_argv.index("-m") + 1]
    spec = sys.modules["__main__"].__spec__
    return Path(sys.argv[0]).name if spec is None else spec.name.removesuffix(".__main__")


def stoppable(work: Callable[Parameters, int]) -> Callable[Parameters, int]:
    """Decorator of a command's work, which gives the exit code: a signal ends it with one sentence.

    A command that knows more about how to go on than `AGAIN` catches it, and gives what `said` gives.
    """

    @wraps(work)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> int:
        try:
            with interrupted_by_signals(AGAIN):
                result = work(*args, **kwargs)
        except KeyboardInterrupt as interrupt:
            result = said(interrupt, AGAIN)
        if _alone:  # what is left is Python's own end
            at_once(DONE)
        return result

    return guarded


def said(interrupt: KeyboardInterrupt, advice: str) -> int:
    """Exit code of a command that was interrupted, once it has said so."""
    number = interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT
    last_words(number, advice)
    return INTERRUPTED + number


@contextmanager
def interrupted_by_signals(advice: str) -> Iterator[None]:
    """Context in which the first signal raises `Stopped` and all later ones change nothing; see above."""
    if not (heeded := heeded_signals()):
        yield
        return
    guard = _Guard(advice)
    previous: dict[Any, Any] = {number: signal.signal(number, guard.on_signal) for number in heeded}
    previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, guard.once_more)
    unraisable, sys.unraisablehook = sys.unraisablehook, guard.on_unraisable
    awake = signal.set_wakeup_fd(guard.bell, warn_on_full_buffer=False)
    try:
        yield
    finally:
        guard.over.set()
        signal.set_wakeup_fd(awake)
        sys.unraisablehook = unraisable
        for number, handler in previous.items():
            signal.signal(number, handler)
        guard.close()


class _Guard:
    """Interrupts the main thread, and ends the process if that does not help: it hears signals in a thread of its own,
    even while the main thread is in code that is not Python's."""

    def __init__(self, advice: str) -> None:
        self.advice, self.number, self.over = advice, 0, threading.Event()
        self.ear, self.bell = os.pipe()
        os.set_blocking(self.bell, False)
        self.unraisable = sys.unraisablehook
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def on_signal(self, number: int, frame: FrameType | None) -> None:
        if not self.number:
            self.number = number
            raise Stopped(number)

    def once_more(self, number: int, frame: FrameType | None) -> None:
        if self.number:
            raise Stopped(self.number)

    def on_unraisable(self, what: Any) -> None:
        """Python drops exceptions of finalisers and callbacks."""
        if issubclass(what.exc_type, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, ONCE_MORE)
        else:
            self.unraisable(what)

    def _watch(self) -> None:
        while (heard := os.read(self.ear, 1)) and heard[0] not in SIGNALS:
            pass
        if heard and not self.over.wait(PATIENCE):
            _end(heard[0], self.advice)

    def close(self) -> None:
        os.close(self.bell)
        self.thread.join(1.0)
        os.close(self.ear)
