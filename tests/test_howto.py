"""docs/howto.md, done as it is printed, with smaller numbers."""

from __future__ import annotations

import csv
import shlex
from pathlib import Path
from types import ModuleType

import pytest
from documents import sections

import evaluate
import export
import play
import train
from evaluation import conditions

SECTIONS = sections("howto.md")
SLOW = {"Own observation", "As a library"}
COMMANDS: dict[str, ModuleType] = {"train.py": train, "play.py": play, "evaluate.py": evaluate, "export.py": export}
FLAT = "--env.terrain.types flat"
SMALLER = {
    "train.py": "--num-envs 4 --threads 1 --max-iterations 1 --agent.num-steps-per-env 4 --agent.warm-up-steps 2 "
    "--refinement.max-iterations 1 --student.num-steps-per-env 4 --student.gradient-length 2 "
    "--student.max-iterations 1",
    "play.py": "--viewer video --seconds 0.06 --size 64 48",
    "evaluate.py": "--episodes 2 --threads 1",
    "export.py": "",
}
"""Flags that a test adds to each command."""
OWN_GROUND = {"heavy.py", "waves.py"}
"""Files whose task chooses its terrain; all others are trained on flat ground here."""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder on a machine without a screen, where evaluations are short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(play, "find_viewer", lambda: None)
    monkeypatch.setattr(conditions, "SECONDS", 0.06)


def run(line: str, own_ground: bool) -> None:
    """Do one line of a shell."""
    _, command, *argv = shlex.split(line)
    if "--resume" not in argv:
        argv += SMALLER[command].split()
        argv += FLAT.split() if command == "train.py" and not own_ground else []
    assert COMMANDS[command].main(argv) == 0, line


@pytest.mark.usefixtures("marks", "spectator")
@pytest.mark.parametrize(
    "title", [pytest.param(each, marks=pytest.mark.slow) if each in SLOW else each for each in SECTIONS]
)
def test_each_section_works_as_it_is_printed(title: str) -> None:
    section = SECTIONS[title]
    for name, code in section.files.items():
        Path(name).write_text(code)
    for language, code in section.steps:
        if language == "sh":
            for line in code.splitlines():
                run(line, bool(OWN_GROUND & section.files.keys()))
        else:
            exec(compile(code, title, "exec"), {"__name__": title})  # noqa: S102
    if title in LOGGED:
        with (next(Path("runs").iterdir()) / "walk" / "curves.csv").open(newline="") as file:
            assert LOGGED[title] in next(csv.DictReader(file))


@pytest.mark.parametrize("step", [code for _, code in SECTIONS["As a library"].steps if "load_agent" in code])
def test_a_policy_is_stepped_and_evaluated_as_the_page_says(step: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The parts of the slow section that need no bank of tiles, with two robots."""
    exec(compile(step.replace("Crowd(20", "Crowd(2"), "As a library", "exec"), {"__name__": "library"})  # noqa: S102
    assert capsys.readouterr().out


LOGGED = {
    "Own reward": "reward/calm",
    "Own termination": "falls_per_minute/kneels",
    "Own terrain": "terrain/waves",
}
"""What a section says that its training logs."""


def test_there_is_a_section_for_each_kind_of_extension() -> None:
    kinds = {"task", "reward", "termination", "event", "terrain", "observation"}
    assert {title.removeprefix("Own ") for title in SECTIONS} - {"As a library"} == kinds
