from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import envs
from envs.terrains.compiled import PACKAGES, digest

SOURCES = Path(envs.__file__).parent


@pytest.mark.parametrize("source", ["terrains/cells.py", "terrains/grid.py", "collider/geometry.py", "drives/cell.py"])
def test_machine_code_is_made_anew_when_any_of_its_sources_changes(tmp_path, source):
    for package in PACKAGES:
        shutil.copytree(SOURCES / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    before = digest(tmp_path)
    assert before == digest(SOURCES)
    with (tmp_path / source).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert digest(tmp_path) != before
