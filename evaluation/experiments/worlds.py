"""Worlds that differ from the conditions of evaluation, and so from training, in one thing each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from envs.config import EnvConfig
from evaluation.conditions import CONDITIONS, Change, unchanged

PAYLOAD = 10.0
"""kg that the base carries."""
SHORT_STEPS = 8
"""Physics steps in a policy step of 20 ms: 2.5 ms each."""


@dataclass(frozen=True)
class World:
    """One world."""

    name: str
    """In tables."""
    change: Change
    """What it has otherwise."""

    def difference(self) -> dict[str, Any]:
        """The settings that it changes, by their names joined with dots."""
        return different(asdict(CONDITIONS), asdict(self.change(CONDITIONS)))


def different(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of `after` that are others than those of `before`, by their names joined with dots."""
    changes = {}
    for name, value in after.items():
        if isinstance(value, Mapping):
            inner = different(before[name], value)
            changes |= {f"{name}.{part}": other for part, other in inner.items()}
        elif value != before[name]:
            changes[name] = value
    return changes


def loaded(cfg: EnvConfig) -> EnvConfig:
    """A robot that carries something heavy."""
    return replace(cfg, randomization=replace(cfg.randomization, payload=PAYLOAD))


def short_steps(cfg: EnvConfig) -> EnvConfig:
    """Shorter physics steps."""
    return replace(cfg, decimation=SHORT_STEPS)


def stock_collider(cfg: EnvConfig) -> EnvConfig:
    """Contacts by MuJoCo's own collider, for which a riser is a slope of one cell."""
    return replace(cfg, collider="stock")


WORLDS = (
    World("as evaluated", unchanged),
    World("10 kg on the base", loaded),
    World("physics steps of 2.5 ms", short_steps),
    World("MuJoCo's collider", stock_collider),
)
"""In the order of the table; the first is the one that all others are compared with."""
