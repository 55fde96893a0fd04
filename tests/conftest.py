"""What several test files need that takes long to make."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from policy_files import write_student

import export
from agents import archive
from envs.tasks import TASKS


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with an untrained Student that hardly acts, its statistics all different, and its export."""
    directory = tmp_path_factory.mktemp("exported")
    checkpoint = directory / "policy.pt"
    write_student(checkpoint, TASKS["anymal_rough"])
    record = archive.read(checkpoint, "student")
    record.pop("hash")
    generator = torch.Generator().manual_seed(0)
    record["normalizer"]["mean"] = 0.1 * torch.randn(391, generator=generator)
    record["normalizer"]["var"] = 0.5 + torch.rand(391, generator=generator)
    archive.write(checkpoint, record)
    assert export.main(["--checkpoint", str(checkpoint), "--out", str(directory)]) == 0
    return directory
