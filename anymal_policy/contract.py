"""The contract beside and in an exported policy: a JSON text that says all that its user must know; needs no torch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anymal_policy import layout
from anymal_policy.layout import Term

VERSION = 1
"""Number of the contract's form; another number means that a runner of today may misread it."""
METADATA = "contract"
"""Key under which the ONNX file itself carries the contract, all but its own hash."""
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


def layout_record(own: Sequence[Term] = ()) -> dict[str, Any]:
    """All of `anymal_policy.layout` and `own` terms: orders, joints, observations, action, pattern of the heights."""
    return {
        "legs": list(layout.LEGS),
        "joints": list(layout.JOINTS),
        "default_joint_position": layout.DEFAULT_JOINT_POSITION.tolist(),
        "joint_lower": layout.JOINT_LOWER.tolist(),
        "joint_upper": layout.JOINT_UPPER.tolist(),
        "observations": {name: vector(terms) for name, terms in layout.groups(own).items()},
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


def whole(contract: dict[str, Any], own: Sequence[Term] = ()) -> dict[str, Any]:
    """The contract with its version, and the layout with `own` terms."""
    return {"version": VERSION, **contract, "own": [asdict(term) for term in own], "layout": layout_record(own)}


def as_text(contract: dict[str, Any]) -> str:
    """The contract as JSON."""
    return json.dumps(contract, indent=1, allow_nan=False) + "\n"


def write(path: Path, contract: dict[str, Any]) -> None:
    """Write the whole contract of the exported policy `contract["onnx"]["file"]` beside it, with its hash."""
    onnx = {**contract["onnx"], "sha256": digest(path.parent / contract["onnx"]["file"])}
    path.write_text(as_text({**contract, "onnx": onnx}), encoding="utf-8")


def read(path: Path) -> dict[str, Any]:
    """The contract, when it, its ONNX file and this code belong together; ContractError else."""
    if not path.is_file():
        raise ContractError(f"There is no contract {path}: export.py writes one.")
    contract = parse(path.read_bytes(), path)
    model = path.parent / contract["onnx"]["file"]
    if not model.is_file():
        raise ContractError(f"{path} needs {model}, which is not there.")
    if digest(model) != contract["onnx"].get("sha256"):
        raise ContractError(f"{model} is not the file that {path} was written for: export anew.")
    return contract


def parse(text: str | bytes, path: Path) -> dict[str, Any]:
    """The contract that a file holds, when it and this code belong together; ContractError else."""
    try:
        contract = json.loads(text)
        version = contract["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise ContractError(f"{path} is not the contract of an exported policy.") from error
    if version != VERSION:
        raise ContractError(f"{path} is a contract of version {version}, but this code reads {VERSION}: export anew.")
    missing = NEEDED - set(contract)
    if missing:
        raise ContractError(f"{path} lacks {', '.join(sorted(missing))}: export anew.")
    require(contract, path, {"onnx": ("file",), **dict.fromkeys(("drive", "gait", "kinematics"), ())})
    if contract["layout"] != json.loads(as_text(layout_record(own_terms(contract)))):
        raise ContractError(f"{path} describes other observations than anymal_policy.layout: export anew.")
    return contract


def require(contract: dict[str, Any], path: Path | str, needed: Mapping[str, Iterable[str]]) -> None:
    """Raise a ContractError if a part of the contract lacks something of what is needed."""
    for part, names in needed.items():
        held = contract[part] if isinstance(contract[part], dict) else None
        missing = sorted(set(names) - set(held or ()))
        if held is None or missing:
            raise ContractError(f"{path} does not say {', '.join(missing) or 'anything'} of its {part}: export anew.")


def own_terms(contract: dict[str, Any]) -> tuple[Term, ...]:
    """The terms of an own task that the policy observes."""
    return tuple(Term(**{**term, "mirror": tuple(term["mirror"])}) for term in contract.get("own", ()))
