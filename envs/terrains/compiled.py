"""Machine code of the ground's inner loops, kept for the sources of all packages whose functions it inlines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from system import machine_code

PACKAGES = ("terrains", "collider", "drives")
"""Packages of envs whose functions and constants end up in machine code."""


def digest(root: Path, packages: Sequence[str] = PACKAGES) -> str:
    """A hash of all source code of these packages in `root`: with a part of it heights and contacts would disagree."""
    return machine_code.digest(path for package in packages for path in sorted((root / package).glob("*.py")))


FOLDER = f"compiled-{digest(Path(__file__).parents[1])}"
"""Name of the cache's folder for the present sources."""

compiled = partial(machine_code.compiled, kept_in=FOLDER)
"""Compile a function of these packages."""
inlined = partial(compiled, inline="always")
"""Compile a function into each of its callers; where a call in an inner loop would cost more than the function."""
c_function = partial(machine_code.c_function, kept_in=FOLDER)
"""Compile a function that C calls, at once, or find it again."""
