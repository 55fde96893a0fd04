"""Policy files as training and export write them, with untrained networks or none."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from agents import archive
from anymal_policy import contract, layout
from anymal_policy.normalizer import Normalizer
from anymal_policy.sizes import PAPER, NetworkSizes
from anymal_policy.student import Student, StudentConfig
from anymal_policy.teacher import Teacher
from envs.config import EnvConfig


def write_student(path: Path, env: EnvConfig, cfg: StudentConfig | None = None) -> None:
    """A Student that was distilled in `env` for no time at all."""
    torch.manual_seed(0)
    cfg = cfg or StudentConfig()
    record = {
        "kind": "student",
        "task": "anymal_rough",
        "env": env,
        "agent": {},
        "student": cfg,
        "network": Student(cfg).state_dict(),
        "normalizer": Normalizer(391).state_dict(),
        "teacher_hash": "0",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    archive.write(path, record)


def write_policy(path: Path, env: EnvConfig, sizes: NetworkSizes = PAPER) -> None:
    """A Teacher that was trained in `env` for no time at all."""
    torch.manual_seed(0)
    width = sum(layout.size(layout.GROUPS[group]) for group in ("proprio", "extero", "privileged"))
    record = {
        "kind": "teacher",
        "task": "anymal_rough",
        "env": env,
        "agent": {},
        "network": Teacher(16, sizes).state_dict(),
        "critic": {},
        "normalizer": Normalizer(width).state_dict(),
        "std": {},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    archive.write(path, record)


def write_contract(folder: Path, **changes: object) -> Path:
    """A contract of which nothing is true but its form, beside a file that is no network."""
    (folder / "student.onnx").write_bytes(b"no network")
    parts = {name: {} for name in contract.NEEDED - {"version", "layout"}}
    contract.write(folder / "student.json", contract.whole({**parts, "onnx": {"file": "student.onnx"}}))
    record = json.loads((folder / "student.json").read_text()) | changes
    (folder / "student.json").write_text(json.dumps(record))
    return folder / "student.json"
