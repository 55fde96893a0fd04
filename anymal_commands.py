"""The commands of an installation: anymal-train, anymal-play, anymal-evaluate and anymal-export."""

from __future__ import annotations

from system import early

early.at_once()  # for the seconds that the imports below take

import sys


def train() -> int:
    """What train.py does."""
    from training.flags import short_help

    short_help(sys.argv[1:])
    from train import main

    return main()


def play() -> int:
    """What play.py does."""
    from play import main

    return main()


def evaluate() -> int:
    """What evaluate.py does."""
    from evaluate import main

    return main()


def export() -> int:
    """What export.py does."""
    from export import main

    return main()
