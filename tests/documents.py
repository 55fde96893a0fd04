"""The sections of a page of docs/ with the code that they show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A block of code: its language, the file that it is, if it is one, and the code."""


@dataclass
class Section:
    """One section: its files, and what is to be done in its order."""

    files: dict[str, str] = field(default_factory=dict)
    """Name -> content."""
    steps: list[tuple[str, str]] = field(default_factory=list)
    """Language and code."""


def sections(page: str) -> dict[str, Section]:
    """Title -> section, of those that show code."""
    found: dict[str, Section] = {}
    for part in re.split(r"^## ", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        section = Section()
        for language, name, code in FENCE.findall(part):
            if name:
                section.files[name] = code
            else:
                section.steps.append((language, code))
        if section.files or section.steps:
            found[part.partition("\n")[0]] = section
    return found
