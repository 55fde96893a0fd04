"""The contract beside an exported policy: a JSON file that says all that its user must know; needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from anymal_policy import layout
from anymal_policy.layout import Term

VERSION = 1
"""Number of the contract's form; another number means that a runner of today may misread it."""
NEEDED = {"version", "layout", "gait", "drive", "rates", "kinematics", "inputs", "memory", "outputs", "policy", "onnx"}


class ContractError(ValueError):
    """An exported policy that cannot be run as it is; the message is one sentence for the user."""


def vector(terms: Iterable[Term]) -> list[dict[str, Any]]:
    """What makes up a vector, in its order, with the place of each term."""
    terms = tuple(terms)
    places = layout.slices(terms)
    return [
        {
            "name": term.name,
            "start": places[term.name].start,
            "size": term.size,
            "unit": term.unit,
            "frame": term.frame,
            "meaning": term.meaning,
        }
        for term in terms
    ]


def layout_record() -> dict[str, Any]:
    """All of `anymal_policy.layout`: orders, joints, observations, action and the pattern of the height samples."""
    return {
        "legs": list(layout.LEGS),
        "joints": list(layout.JOINTS),
        "default_joint_position": layout.DEFAULT_JOINT_POSITION.tolist(),
        "joint_lower": layout.JOINT_LOWER.tolist(),
        "joint_upper": layout.JOINT_UPPER.tolist(),
        "observations": {name: vector(terms) for name, terms in layout.GROUPS.items()},
        "action": vector(layout.ACTION),
        "rings": {
            "points_and_radius_m": [list(ring) for ring in layout.RINGS],
            "offsets_m": layout.ring_offsets().round(9).tolist(),
            "order": "feet as legs; rings inner to outer, each from straight ahead (+x of the yaw frame) to the left",
        },
        "heights": {"limit_m": layout.HEIGHT_LIMIT, "unknown_m": layout.UNKNOWN_HEIGHT},
        "frames": {
            "b": "base: origin between the hips, x forward, y left, z up",
            "w": "world: z up",
            "yaw": "world turned about z by the heading of the base",
        },
    }


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write(path: Path, contract: dict[str, Any]) -> None:
    """Write the contract of the exported policy `contract["onnx"]["file"]` beside it, with its hash."""
    onnx = {**contract["onnx"], "sha256": digest(path.parent / contract["onnx"]["file"])}
    whole = {"version": VERSION, **contract, "layout": layout_record(), "onnx": onnx}
    path.write_text(json.dumps(whole, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """The contract, when it, its ONNX file and this code belong together; ContractError else."""
    if not path.is_file():
        raise ContractError(f"There is no contract {path}: export.py writes one.")
    try:
        contract = json.loads(path.read_text(encoding="utf-8"))
        version = contract["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path} is not the contract of an exported policy.") from error
    if version != VERSION:
        raise ContractError(f"{path} is a contract of version {version}, but this code reads {VERSION}: export anew.")
    missing = NEEDED - set(contract)
    if missing:
        raise ContractError(f"{path} lacks {', '.join(sorted(missing))}: export anew.")
    if contract["layout"] != layout_record():
        raise ContractError(f"{path} describes other observations than anymal_policy.layout: export anew.")
    model = path.parent / contract["onnx"]["file"]
    if not model.is_file():
        raise ContractError(f"{path} needs {model}, which is not there.")
    if digest(model) != contract["onnx"]["sha256"]:
        raise ContractError(f"{model} is not the file that {path} was written for: export anew.")
    return contract
