"""Writes docs/results.md from what `evaluate.py --suite` has measured, each table under the command that makes it.

`python -m tools.results DIR [DIR ...]` reads the JSON of every experiment in these directories; of an experiment that
is in several, each becomes a table of its own. Nothing in the document is written by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from evaluation.experiments.parts import of_this_version, read_results
from evaluation.experiments.suite import EXPERIMENTS
from evaluation.experiments.transfer import OF_THE_URDF
from evaluation.experiments.worlds import OF_THE_NETWORK
from system import stopping
from system.files import write
from system.shell import quoted

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "results.md"
TITLES = {
    "reference": "Success",
    "gait": "Gait",
    "commands": "Commands",
    "mapfail": "Maps that fail",
    "gate": "The gate when a map fails",
    "transfer": "Other worlds than training's",
    "mapping": "On a map of its own",
    "maps": "Success maps (E4)",
    "steps": "Single steps (E6)",
    "robustness": "Robustness (E9)",
    "distance": "Distance from the Teacher (E7, E8)",
    "curves": "Learning curves",
}
"""Experiments in the order of the document."""
FILES = {"drive-network": OF_THE_NETWORK, "robot-urdf": OF_THE_URDF}
"""Flags that name a file, and the world that needs it."""
DETAILS = "\n\nIn full:"
"""From where on an experiment's tables are left to its own file."""
INTRODUCTION = """# Results

Every table stands under the command that makes it; `python -m tools.results DIR` writes this document from them.
What is measured is in [evaluate.md](evaluate.md), the conditions are in decision 24 of [paper.md](paper.md), how
the policies were made in their cards ([teacher](../pretrained/teacher.md), [student](../pretrained/student.md),
[blind](../pretrained/blind.md)). Intervals are those of 95 %; Students act under the noise that is named, Teachers see
the truth.
"""


@dataclass(frozen=True)
class Arguments:
    """What to show."""

    results: tyro.conf.Positional[tuple[Path, ...]]
    """Directories of `evaluate.py --suite`."""
    out: Path = DOCUMENT
    """The document."""


@stopping.stoppable
def main(argv: Sequence[str] | None = None) -> int:
    """Write the document; exit code 2 if a directory holds no results."""
    arguments = tyro.cli(Arguments, args=argv, description=__doc__, prog="python -m tools.results")
    try:
        write(arguments.out, document(arguments.results))
    except (OSError, ValueError) as error:
        print(f"tools.results: {error}", file=sys.stderr)
        return 2
    print(f"Wrote {quoted(arguments.out)}.")
    return 0


def document(directories: Sequence[Path]) -> str:
    """All experiments that these directories hold, in their order."""
    if not directories:
        raise ValueError("Name the directories that evaluate.py --suite has filled.")
    for place in directories:
        if not any((place / f"{name}.json").is_file() for name in TITLES):
            raise ValueError(f"{place} holds no results: name a directory that evaluate.py --suite has filled.")
    return "\n".join([INTRODUCTION, *(part for name in TITLES for part in sections(name, directories))])


def sections(name: str, directories: Sequence[Path]) -> Iterator[str]:
    """Each result of one experiment: its title once, the command, the commit, the tables."""
    heading = f"## {TITLES[name]}\n\n"
    for path in (place / f"{name}.json" for place in directories):
        if path.is_file():
            results = read_results(path)
            with of_this_version(path):
                tables = EXPERIMENTS[name].markdown(results["cells"]).split(DETAILS)[0]
                made_by = f"    {command(name, results['settings'])}\n\nCommit {results['versions']['commit']}."
            yield f"{heading}{made_by} {tables}\n"
            heading = ""


def command(name: str, settings: dict[str, Any]) -> str:
    """What makes these results."""
    words = [f"--suite {name}"]
    for flag, part, key in (("checkpoint", "agents", "checkpoint"), ("runs", "runs", "run")):
        if part in settings:
            words.append(f"--{flag} {' '.join(quoted(Path(each[key])) for each in settings[part])}")
    if "teacher" in settings:
        words.append(f"--teacher {quoted(Path(settings['teacher']['checkpoint']))}")
    words += [f"--{number} {settings[number]}" for number in ("episodes", "seed") if number in settings]
    words += [f"--{flag} FILE" for flag, world in FILES.items() if world in settings.get("worlds", {})]
    return f"python evaluate.py {' '.join(words)} --out DIR"


if __name__ == "__main__":
    sys.exit(main())
