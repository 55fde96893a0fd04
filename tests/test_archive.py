"""Files: written whole or not at all, hashed by content."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from agents import archive
from agents.archive import content_hash, plain


def test_failed_write_leaves_the_old_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "policy.pt"
    archive.write(path, {"kind": "teacher", "value": 1})

    def full_disk(*_: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space"):
        archive.write(path, {"kind": "teacher", "value": 2})
    assert archive.read(path, "teacher")["value"] == 1
    assert [item.name for item in tmp_path.iterdir()] == ["policy.pt"]


def test_hash_tells_apart_what_files_tell_apart() -> None:
    values = [
        1,
        1.0,
        True,
        "1",
        None,
        [1],
        (1,),
        {"a": 1},
        {"b": 1},
        [[1], 2],
        [[1, 2]],
        torch.ones(2),
        torch.ones(1, 2),
    ]
    values += [torch.ones(2).int(), torch.ones(2).double(), {"a": 1, "b": 2}, torch.tensor(1.0), torch.zeros(0)]
    assert len({content_hash(value) for value in values}) == len(values)
    assert content_hash({"a": torch.arange(3)}) == content_hash({"a": torch.arange(3)})


def test_plain_accepts_configurations_and_drops_hidden_storage() -> None:
    @dataclass(frozen=True)
    class Config:
        name: str = "x"
        range: tuple[float, float] = (0.0, 1.0)

    assert plain(Config()) == {"name": "x", "range": (0.0, 1.0)}
    row = plain(torch.zeros(1000, 4)[3])
    assert row.untyped_storage().nbytes() == 16
    with pytest.raises(TypeError, match="no place"):
        plain({"f": print})
