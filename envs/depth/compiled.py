"""Machine code of this package, kept for its own sources and those of the terrain's surface, which it inlines."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from system import machine_code

HERE = Path(__file__).parent
SOURCES = ("compiled.py", "draws.py", "pictures.py", "rays.py")
"""Files of this package whose functions and constants end up in it."""


def digest(root: Path = HERE) -> str:
    """A hash of these files in `root`, and of the terrain's sources beside it."""
    terrains = sorted((root.parent / "terrains").glob("*.py"))
    return machine_code.digest([*terrains, *(root / name for name in SOURCES)])


compiled = partial(machine_code.compiled, kept_in=f"compiled-depth-{digest()}")
