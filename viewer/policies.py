"""The policies that a page may choose from, by name, and the newest of a training that runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.checkpoint import POLICY_FILE, places
from evaluation import agents
from evaluation.agents import BASELINES, Agent, load_agent

RUNS, PRETRAINED = "runs", "pretrained"
Load = Callable[[str | Path], Agent]
"""What makes an agent of a policy's file or folder: `load_agent` for the task that play was given."""


def find_policies(given: tuple[str, ...] = ()) -> dict[str, str]:
    """Name -> file or folder of what can be chosen: those given, the pretrained, the runs, the baseline agents."""
    found = {name: place_of(name) for name in given}
    for path in sorted((agents.ROOT / PRETRAINED).glob("*.pt")):
        found.setdefault(f"{PRETRAINED}/{path.name}", str(path))
    for folder in sorted(Path(RUNS).glob("*")):
        if newest(folder) is not None:
            found.setdefault(str(folder), str(folder))
    return found | {name: name for name in BASELINES}


def place_of(name: str) -> str:
    """Where a policy lies that walks under this name: the pretrained ones have theirs within the project."""
    return str(agents.ROOT / name) if name in agents.PRETRAINED and not Path(name).exists() else name


def newest(run: Path) -> Path | None:
    """The policy file in a run, or in one of its stages, that was written last; the file itself if it is none."""
    if not run.is_dir():
        return run if run.is_file() else None
    files = [path for place in places(run) if (path := place / POLICY_FILE).is_file()]
    return max(files, key=lambda path: path.stat().st_mtime_ns, default=None)


class Follower:
    """Loads the policy of a training again whenever it has been written anew, for one robot."""

    def __init__(self, run: Path, index: int, load: Load = load_agent) -> None:
        """Watch a run directory or a policy file, whose present policy is known, for the robot with this index."""
        self.run, self.index, self.load = run, index, load
        self.known = self._written()

    def _written(self) -> tuple[Path, int] | None:
        """The newest policy, and when it was written, in ns."""
        path = newest(self.run)
        return None if path is None else (path, path.stat().st_mtime_ns)

    def look(self) -> Agent | None:
        """The newest policy if it is newer than the last one."""
        written = self._written()
        if written is None or written == self.known:
            return None
        self.known = written
        return self.load(written[0])
