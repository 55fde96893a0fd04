"""Machine code of this package, kept for its own sources and those of the terrain's surface, which it inlines."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from envs.terrains import compiled as terrains

HERE = Path(__file__).parent
SOURCES = ("compiled.py", "draws.py", "pictures.py", "rays.py")
"""Files of this package whose functions and constants end up in it."""


def digest(root: Path = HERE) -> str:
    """A hash of these files in `root`, and of the terrain's sources beside it."""
    hashed = hashlib.sha256(terrains.digest(root.parent, ("terrains",)).encode())
    for name in SOURCES:
        hashed.update((root / name).read_bytes())
    return hashed.hexdigest()[:24]


compiled = partial(terrains.compiled, kept_in=f"compiled-depth-{digest()}")
