"""What a command does at a signal while it is only being loaded; imports nothing that Python has not loaded anyway."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 128
"""Exit codes from here on are of commands that a signal has ended, with its number added."""
AGAIN = "give the same command again."
DONE = "its work was done."

alone = False
"""Whether this process is one of our commands, and nobody else's."""


def at_once(advice: str = AGAIN) -> None:
    """From now on leave at a signal without further ado: nothing has been begun, or nothing is left to do."""
    global alone
    alone = True

    def leave(number: int, frame: FrameType | None) -> None:
        last_words(number, advice)
        os._exit(INTERRUPTED + number)

    for number in SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, leave)


def at_once_if_a_module_starts() -> None:
    """The same where `python -m` is just importing the package of what it shall run."""
    if sys.argv[:1] == ["-m"]:
        at_once()


def last_words(number: int, advice: str) -> None:
    """One sentence on stderr, past Python's own files, which may be in use when a signal comes."""
    try:  # noqa: SIM105 (contextlib is not loaded yet)
        os.write(2, f"{program()}: stopped by {signal.Signals(number).name}; {advice}\n".encode())
    except OSError:  # nobody listens
        pass


def program() -> str:
    """Name of this command."""
    if sys.argv[0] == "-m":
        return sys.orig_argv[sys.orig_argv.index("-m") + 1]
    spec = sys.modules["__main__"].__spec__
    return os.path.basename(sys.argv[0]) if spec is None else spec.name.removesuffix(".__main__")
