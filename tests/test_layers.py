"""Who may import whom."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {
    "system",
    "anymal_policy",
    "mapping",
    "examples",
    "agents",
    "envs",
    "evaluation",
    "viewer",
    "train",
    "training",
    "anymal_commands",
    "play",
    "evaluate",
    "export",
    "benchmarks",
    "tools",
}
ALLOWED = {
    "anymal_policy": ("anymal_policy",),
    "mapping": ("mapping", "system.machine_code", "system.files"),
    "system": ("system",),
    "agents": ("agents", "anymal_policy", "system"),
    "envs": ("envs", "mapping", "anymal_policy.gait", "anymal_policy.kinematics", "anymal_policy.layout", "system"),
    "evaluation": ("evaluation", "agents", "envs", "mapping", "anymal_policy", "system"),
    "training": ("training", "agents", "envs", "system"),
    "viewer": ("viewer", "evaluation", "agents", "envs", "mapping", "anymal_policy", "system"),
}
SIMULATOR_AND_TRAINER = {"mujoco", "rsl_rl", "gymnasium", "tensordict", "numba", "scipy", "tyro", "matplotlib"}


def imports(path: Path) -> Iterator[str]:
    """Full names of everything that a file imports, wherever in the file."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = [*package[: len(package) - node.level], *([node.module] if node.module else [])]
            module = ".".join(start) if node.level else str(node.module)
            yield from (f"{module}.{alias.name}" for alias in node.names)


def files(package: str) -> list[Path]:
    found = sorted((ROOT / package).rglob("*.py"))
    assert found, package
    return found


def is_within(name: str, allowed: tuple[str, ...]) -> bool:
    return any(name == other or name.startswith(f"{other}.") for other in allowed)


@pytest.mark.parametrize("package", ALLOWED)
def test_packages_import_only_those_below_them(package: str) -> None:
    for path in files(package):
        ours = {name for name in imports(path) if name.split(".")[0] in OURS}
        forbidden = {name for name in ours if not is_within(name, ALLOWED[package])}
        assert not forbidden, f"{path.relative_to(ROOT)} imports {forbidden}"


def test_the_policy_needs_neither_simulator_nor_trainer() -> None:
    for path in files("anymal_policy"):
        assert not {name.split(".")[0] for name in imports(path)} & SIMULATOR_AND_TRAINER, path


def test_the_layout_needs_numpy_alone() -> None:
    third_party = {name.split(".")[0] for name in imports(ROOT / "anymal_policy" / "layout.py")} & {"torch", "einops"}
    assert not third_party


def test_the_map_needs_numpy_and_numba_alone() -> None:
    for path in files("mapping"):
        third_party = {name.split(".")[0] for name in imports(path)} - {*sys.stdlib_module_names, "mapping", "system"}
        optional = {"rosbags"} if path.name == "recorded.py" else set()
        assert third_party <= {"numpy", "numba"} | optional, path


def test_agents_know_tensors_but_no_physics() -> None:
    for path in files("agents"):
        assert "mujoco" not in {name.split(".")[0] for name in imports(path)}, path


def test_the_system_needs_the_standard_library_and_for_machine_code_numba() -> None:
    for path in files("system"):
        machine_code = {"numba"} if path.name == "machine_code.py" else set()
        allowed = {*sys.stdlib_module_names, "system"} | machine_code
        assert {name.split(".")[0] for name in imports(path)} <= allowed, path


def test_tests_share_files_that_hold_no_tests() -> None:
    for path in files("tests"):
        first = {name.split(".")[0] for name in imports(path)}
        assert "tests" not in first and not {name for name in first if name.startswith("test_")}, path
