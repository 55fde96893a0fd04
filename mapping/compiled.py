"""Machine code of this package, kept for its own sources."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from system import machine_code

FOLDER = f"compiled-mapping-{machine_code.digest(sorted(Path(__file__).parent.glob('*.py')))}"
"""Name of the cache's folder for the present sources."""

compiled = partial(machine_code.compiled, kept_in=FOLDER)
"""Compile a function of this package."""
inlined = partial(compiled, inline="always")
"""Compile a function into its callers; with as many arrays as these take, a call would cost more than the function."""
