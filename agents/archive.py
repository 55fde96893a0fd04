"""Files of tensors and plain values: written atomically, hashed, opened without ever running code."""

from __future__ import annotations

import hashlib
import io
import warnings
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from system.files import whole

SCALARS = (bool, int, float, str, type(None))


class CheckpointError(ValueError):
    """A file that is not the intact checkpoint it should be; the message is one sentence for the user."""


def plain(value: Any) -> Any:
    """The value in dictionaries (dataclasses too), lists, tuples, Python scalars and compact CPU tensors."""
    if isinstance(value, torch.Tensor):
        tensor = value.detach().cpu()
        return tensor if tensor.untyped_storage().nbytes() == tensor.nbytes else tensor.clone()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(plain(item) for item in value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, SCALARS):
        return value
    raise TypeError(f"{type(value).__name__} has no place in a checkpoint.")


def content_hash(record: Any) -> str:
    """SHA-256 over every key, number, string and tensor (type, shape and bytes), independent of the file format."""
    digest = hashlib.sha256()
    _feed(digest, record)
    return digest.hexdigest()


def _feed(digest: Any, value: Any) -> None:
    if isinstance(value, torch.Tensor):
        digest.update(f"tensor {value.dtype} {tuple(value.shape)} ".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    elif isinstance(value, dict):
        digest.update(f"dict {len(value)} ".encode())
        for key, item in value.items():
            _feed(digest, key)
            _feed(digest, item)
    elif isinstance(value, (list, tuple)):
        digest.update(f"{type(value).__name__} {len(value)} ".encode())
        for item in value:
            _feed(digest, item)
    else:
        text = repr(value).encode()
        digest.update(f"{type(value).__name__} {len(text)} ".encode() + text)


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Replace `path` by the record and its hash, whole or not at all, whenever the process or machine stops."""
    content = plain(record)
    content["hash"] = content_hash(content)
    serial = io.BytesIO()  # torch's own writer ends the process where a disk is full
    torch.save(content, serial)
    with whole(path) as part:
        part.write_bytes(serial.getbuffer())


def read(path: Path, *kinds: str) -> dict[str, Any]:
    """The record of one of these `kinds` written by `write`; CheckpointError for anything else."""
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint {path}.")
    try:
        with warnings.catch_warnings(action="ignore"):
            record = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and pickle raise a dozen types on damaged or hostile files
        raise CheckpointError(
            f"{path} is truncated, damaged or not a checkpoint of this project; nothing in it was executed."
        ) from error
    if not isinstance(record, dict) or not isinstance(record.get("hash"), str) or "kind" not in record:
        raise CheckpointError(f"{path} is a PyTorch file of another program, not a checkpoint of this project.")
    recorded = record.pop("hash")
    if not _hashable(record) or content_hash(record) != recorded:
        raise CheckpointError(f"{path} was altered after it was written: its content does not match its hash.")
    if record["kind"] not in kinds:
        raise CheckpointError(f"{path} holds a {record['kind']}, but a {' or '.join(kinds)} is needed here.")
    return record | {"hash": recorded}


def _hashable(value: Any, depth: int = 0) -> bool:
    """Whether the value is a finite tree of what `write` writes: no cycle, no tensor larger than its storage."""
    if isinstance(value, torch.Tensor):
        dense = value.layout == torch.strided and value.device.type == "cpu" and not value.is_quantized
        return dense and value.nbytes <= value.untyped_storage().nbytes()
    if depth > 16:
        return False
    if isinstance(value, dict):
        return all(isinstance(key, SCALARS) and _hashable(item, depth + 1) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_hashable(item, depth + 1) for item in value)
    return isinstance(value, SCALARS)
