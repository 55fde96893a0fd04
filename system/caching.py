"""Where things are kept that can be made again, and what is said if they cannot be kept."""

from __future__ import annotations

import os
from pathlib import Path

from system.console import say

warned = False
"""Whether `do_without` has said it."""


def cache_directory() -> Path:
    """Where the platform wants caches to be: $XDG_CACHE_HOME/anymal or ~/.cache/anymal.

    A user without a home (a container with a foreign user id) has a place where nothing can be kept.
    """
    places = (os.environ.get("XDG_CACHE_HOME", ""), os.path.expanduser("~/.cache"))
    return Path(next(filter(os.path.isabs, places), os.devnull)) / "anymal"


def do_without(error: OSError) -> None:
    """Say once why what was made cannot be kept on the disk, which is no reason to stop."""
    global warned
    if not warned:
        say(f"warning: {error}: every start takes longer without a cache; XDG_CACHE_HOME names another place for it.")
    warned = True
