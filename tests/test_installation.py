"""What `pip install` brings: every package, the commands, and the pretrained policies, usable from any folder."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
OF_THE_CLONE = {"tests", "tools", "benchmarks", "docs", "examples"}
"""Folders that are no part of an installation."""
USE = """
import envs, gymnasium
from evaluation.agents import load_agent
assert "ANYmalRough-v0" in gymnasium.registry
print(load_agent().name, load_agent("zero").name)
"""


def test_every_package_and_module_is_installed() -> None:
    inits = {path.parent.relative_to(ROOT) for path in ROOT.glob("*/**/__init__.py") if ".venv" not in path.parts}
    packages = {".".join(path.parts) for path in inits if path.parts[0] not in OF_THE_CLONE}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == packages | {"pretrained"}
    assert set(PROJECT["tool"]["setuptools"]["py-modules"]) == {path.stem for path in ROOT.glob("*.py")}


def test_each_command_is_a_function() -> None:

    functions = {
        node.name
        for node in ast.parse((ROOT / "anymal_commands.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    scripts = PROJECT["project"]["scripts"]
    assert scripts == {f"anymal-{name}": f"anymal_commands:{name}" for name in functions}
    assert set(scripts) == {"anymal-train", "anymal-play", "anymal-evaluate", "anymal-export"}


@pytest.mark.slow
@pytest.mark.skipif(find_spec("setuptools") is None, reason="nothing to build with")
def test_an_installation_works_in_any_folder(tmp_path: Path) -> None:
    source, wheels, target = tmp_path / "source", tmp_path / "wheels", tmp_path / "target"
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, files.split("\0")):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", "-w", wheels, source], check=True)
    subprocess.run([*pip, "install", "--no-deps", "--target", target, *wheels.glob("*.whl")], check=True)
    env = {**os.environ, "PYTHONPATH": str(target)}
    used = subprocess.run(
        [sys.executable, "-c", USE], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert used.stdout.split() == ["pretrained/student.pt", "zero"]
    command = [sys.executable, target / "bin" / "anymal-train", "--help"]
    said = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=True).stdout
    assert "--task" in said and "--help-all" in said
