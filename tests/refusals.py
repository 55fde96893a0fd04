"""How the tests of train.py see it refuse."""

from __future__ import annotations

from typing import Any

import train


def refusal(capsys: Any, *argv: str) -> str:
    """The one line on stderr with which the command line is refused."""
    assert train.main(argv) == 2
    message = capsys.readouterr().err
    assert message.startswith("train.py: ") and message.count("\n") == 1
    return message
