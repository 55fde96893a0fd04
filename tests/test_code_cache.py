"""Machine code on disk, damaged, full or not to be written: functions of all packages run all the same."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path
from typing import Any

import numba
import pytest
from numba import types
from numba.core.ccallback import CFunc

from envs.collider.memory import link, named
from envs.terrains import compiled
from mapping import compiled as of_maps
from mapping.window import kept_at
from system import caching, machine_code

elsewhere = named("anymal_test_elsewhere", types.float64(types.float64))


def square_of(number: float) -> float:
    return number * number


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    monkeypatch.setattr(caching, "warned", False)
    return tmp_path / "anymal" / compiled.FOLDER


def in_a_new_process() -> Any:
    """The function as another process would find it."""
    function: Any = compiled.compiled(square_of)
    assert function(3.0) == 9.0
    return function.stats


def files(folder: Path, ending: str) -> list[Path]:
    return sorted(folder.rglob(f"*{ending}"))


def test_machine_code_is_found_again(folder: Path) -> None:
    assert sum(in_a_new_process().cache_misses.values()) == 1
    assert sum(in_a_new_process().cache_hits.values()) == 1
    assert len(files(folder, ".nbi")) == len(files(folder, ".nbc")) == 1


def test_without_a_home_nothing_is_kept_in_the_working_directory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    in_a_new_process()
    assert list(tmp_path.iterdir()) == []
    assert "XDG_CACHE_HOME names another place" in capsys.readouterr().err


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
@pytest.mark.parametrize("damage", ["shorter", "empty", "flipped", "foreign"])
def test_damaged_machine_code_is_made_anew(folder: Path, ending: str, damage: str) -> None:
    in_a_new_process()
    (file,) = files(folder, ending)
    content = file.read_bytes()
    flipped = content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]
    file.write_bytes({"shorter": content[:50], "empty": b"", "flipped": flipped, "foreign": b"nothing\n"}[damage])
    assert not in_a_new_process().cache_hits
    assert in_a_new_process().cache_hits


@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_damaged_machine_code_of_maps_is_made_anew(folder: Path, ending: str) -> None:
    def cell_in_a_new_process() -> Any:
        function: Any = of_maps.compiled(kept_at.py_func)  # pyright: ignore[reportFunctionMemberAccess]
        assert function(3, 1, (2, 9), 10) == 5
        return function.stats

    cell_in_a_new_process()
    (file,) = files(folder.parent / of_maps.FOLDER, ending)
    file.write_bytes(file.read_bytes()[:-100])
    assert not cell_in_a_new_process().cache_hits
    assert cell_in_a_new_process().cache_hits


def test_a_full_disk_is_said_once_and_leaves_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("system.files.os.fsync", full)
    for _ in range(2):
        in_a_new_process()
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "No space left on device" in message and str(folder) in message
    assert not [path for path in folder.rglob("*") if path.is_file()]


def test_a_cache_that_may_not_be_made_is_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.parent).write_text("a file in the way")
    for _ in range(2):
        in_a_new_process()
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and str(folder) in message


def test_an_interrupted_write_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(file: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("system.files.os.fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        in_a_new_process()
    assert not [path for path in folder.rglob("*") if path.is_file()]


def times(number: float) -> CFunc:
    """A function that C calls, as another process would find it."""

    def scaled(value: float) -> float:
        return number * value

    return compiled.c_function(scaled, types.float64(types.float64))


def test_a_function_for_c_is_found_again_for_the_same_numbers_alone(folder: Path) -> None:
    for number, hits in ((2.0, 0), (2.0, 1), (5.0, 0)):
        function = times(number)
        assert (function.cache_hits, function.ctypes(3.0)) == (hits, 3.0 * number)


def through(value: float) -> float:
    return elsewhere(value)


@pytest.mark.usefixtures("folder")
def test_code_that_was_kept_calls_what_a_name_means_now() -> None:
    for hits, added in enumerate((1.0, 10.0)):
        function = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)(lambda value, added=added: value + added)
        link("anymal_test_elsewhere", function)
        kept = compiled.c_function(through, types.float64(types.float64))
        assert (kept.cache_hits, kept.ctypes(0.5)) == (hits, 0.5 + added)


def test_processes_that_keep_different_signatures_at_once_never_meet_each_other_s_code(folder: Path) -> None:
    here, there = (compiled.compiled(square_of)._cache._cache_file for _ in range(2))  # pyright: ignore
    load = here._load_index

    def load_while_another_saves() -> dict[Any, str]:
        index = load()
        there.save("float32", "code for float32")
        return index

    here._load_index = load_while_another_saves
    here.save("float64", "code for float64")
    del here._load_index
    assert here.load("float64") == "code for float64"
    assert here.load("float32") in (None, "code for float32")


@pytest.mark.usefixtures("folder")
def test_a_cache_that_is_gone_when_it_is_needed_is_done_without(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def nowhere(function: Any) -> None:
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(machine_code, "CodeCache", nowhere)
    in_a_new_process()
    assert "no locator available" in capsys.readouterr().err
