"""The paper's networks, gait and observation layout: usable on a robot, without simulator or trainer.

Torch is imported on first use of a network, so that `anymal_policy.layout` needs numpy alone. `Anymal`, `Teacher` and
`Student` at this level have the interface of `anymal-belief-state-encoder-decoder-pytorch`, around the networks
`anymal_policy.teacher.Teacher` and `anymal_policy.student.Student` that everything else here uses.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anymal_policy.anymal import Anymal
    from anymal_policy.gait import GaitConfig
    from anymal_policy.mlp import mlp
    from anymal_policy.normalizer import Normalizer
    from anymal_policy.published import Student, Teacher

_MODULES = {
    "Anymal": "anymal",
    "GaitConfig": "gait",
    "Normalizer": "normalizer",
    "Student": "published",
    "Teacher": "published",
    "mlp": "mlp",
}

__all__ = ["Anymal", "GaitConfig", "Normalizer", "Student", "Teacher", "mlp"]


def __getattr__(name: str) -> object:
    """Import the module behind an exported name on first use."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """Exported names, for completion."""
    return sorted([*globals(), *_MODULES])
