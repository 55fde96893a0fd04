"""Numbers of settings."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import Any

UNLIMITED = {"desired_kl"}
"""Settings that may be infinite."""


def require_finite(config: Any, prefix: str) -> None:
    """Raise a ValueError for a setting of a dataclass that is no finite number, but for `UNLIMITED`."""
    for item in fields(config):
        value, name = getattr(config, item.name), f"{prefix}.{item.name}"
        if is_dataclass(value):
            require_finite(value, name)
        for number in value if isinstance(value, tuple) else value.values() if isinstance(value, dict) else (value,):
            if isinstance(number, float) and not (math.isfinite(number) or (item.name in UNLIMITED and number > 0)):
                raise ValueError(f"--{name.replace('_', '-')} must be a finite number, not {number}.")
