"""How a command ends when it is told to, by Ctrl-C, SIGTERM or a terminal that goes away: soon, with one sentence.

While it is being loaded it leaves at once (`system.early`). Once it works, it is interrupted (`stoppable`): it tidies
up, and if that takes too long, because it hangs in foreign code, a thread ends it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import FrameType
from typing import Any, ParamSpec

from system import early, files
from system.console import flush, say

PATIENCE = 3.5
"""s that a command has to tidy up after a signal."""
ONCE_MORE = 0.1
"""s after which a command is interrupted once more when foreign code has swallowed the first time."""

Parameters = ParamSpec("Parameters")


_guards: list[_Guard] = []


class Stopped(KeyboardInterrupt):
    """The command was told to end, by the signal of this number."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        """By Ctrl-C, if nobody says otherwise."""
        super().__init__(signal.Signals(number).name)
        self.number = number


def heeded_signals() -> list[signal.Signals]:
    """Signals that whoever started this process has not told it to ignore, as nohup does; none in a thread."""
    if threading.current_thread() is not threading.main_thread():
        return []
    return [number for number in early.SIGNALS if signal.getsignal(number) != signal.SIG_IGN]


def stoppable(work: Callable[Parameters, int]) -> Callable[Parameters, int]:
    """Decorator of a command's work, which gives the exit code: a signal ends it with one sentence.

    It says `early.AGAIN`, or what the command has given to `advise`.
    """

    @wraps(work)
    def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> int:
        with interrupted_by_signals():
            try:
                result = work(*args, **kwargs)
            except KeyboardInterrupt as interrupt:
                result = said(interrupt)
            except OSError as error:  # mostly of stdout, which is full or gone
                say(f"{early.program()}: {error}")
                result = 2
            if early.alone and result >= early.INTERRUPTED:
                _end(result)  # Python would take its time
        if early.alone:
            early.at_once(early.DONE)
            flush()
        return result

    return guarded


def advise(advice: Callable[[], str]) -> None:
    """What to tell a user from now on whose signal ends the command, asked when that happens: how to go on."""
    for guard in _guards:
        guard.advice = advice


def said(interrupt: KeyboardInterrupt) -> int:
    """Exit code of a command that was interrupted, once it has said so."""
    number = interrupt.number if isinstance(interrupt, Stopped) else signal.SIGINT
    early.last_words(number, _guards[-1].advice() if _guards else early.AGAIN)
    return early.INTERRUPTED + number


def _end(code: int) -> None:
    files.forget_unfinished()
    flush()
    os._exit(code)


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """Context in which the first signal raises `Stopped` and all later ones change nothing; see above."""
    if not (heeded := heeded_signals()):
        yield
        return
    guard = _Guard()
    _guards.append(guard)
    previous: dict[Any, Any] = {number: signal.signal(number, guard.on_signal) for number in heeded}
    previous[signal.SIGALRM] = signal.signal(signal.SIGALRM, guard.once_more)
    unraisable, sys.unraisablehook = sys.unraisablehook, guard.on_unraisable
    awake = signal.set_wakeup_fd(guard.bell, warn_on_full_buffer=False)
    try:
        yield
    finally:
        guard.over.set()
        _guards.remove(guard)
        signal.set_wakeup_fd(awake)
        sys.unraisablehook = unraisable
        for number, handler in previous.items():
            signal.signal(number, handler)
        guard.close()


class _Guard:
    """Interrupts the main thread, and ends the process if that does not help: it hears signals in a thread of its own,
    even while the main thread is in code that is not Python's."""

    def __init__(self) -> None:
        self.advice: Callable[[], str] = lambda: early.AGAIN
        self.number, self.over = 0, threading.Event()
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
        while (heard := os.read(self.ear, 1)) and heard[0] not in early.SIGNALS:
            pass
        if heard and not self.over.wait(PATIENCE):
            early.last_words(heard[0], self.advice())
            _end(early.INTERRUPTED + heard[0])

    def close(self) -> None:
        os.close(self.bell)
        self.thread.join(1.0)
        os.close(self.ear)
