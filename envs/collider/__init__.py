"""Our own collision of spheres with the terrain: risers stand vertical, contacts are few, and it is fast.

`use_exact(geom)` makes a heightfield geom collide by it, `stand_risers(spec, geom, risers)` also makes its risers
vertical; heightfields without either keep MuJoCo's collider.
"""

from __future__ import annotations

import ctypes
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

_installed: list[Any] = []
"""What MuJoCo's table points to, kept alive; empty until the first use."""


def use_exact(geom: mujoco.MjsGeom) -> None:
    """Let spheres collide with this heightfield geom by our collider, in every model compiled from its spec."""
    if not _installed:
        _installed.append(_install())
    from envs.collider.native import MARK

    geom.userdata = [MARK]


def stand_risers(spec: mujoco.MjSpec, geom: mujoco.MjsGeom, risers: NDArray[np.uint8]) -> None:
    """Let spheres collide with this heightfield geom by our collider, with vertical walls at its risers.

    `risers` (ny, nx) has the bits RISER_X and RISER_Y of envs.terrains.grid. They travel in the model, as the bytes of
    a custom numeric, which the geom's second user value counts from 1.
    """
    field = spec.hfield(geom.hfieldname)
    if risers.shape != (field.nrow, field.ncol):
        raise ValueError(f"Risers {risers.shape} must have the shape of the heightfield, ({field.nrow}, {field.ncol}).")
    use_exact(geom)
    data = np.zeros(-(-risers.size // 8), np.float64)
    data.view(np.uint8)[: risers.size] = risers.ravel()
    spec.add_numeric(name=f"{geom.name}_risers", size=len(data), data=data)
    geom.userdata = [*geom.userdata, len(spec.numerics)]


def _install() -> Any:
    """Put our function into MuJoCo's table for this process, and return it."""
    try:
        from envs.collider.native import COLLISION, build, library

        kinds: int = mujoco.mjtGeom.mjNGEOMTYPES.value
        table = ((COLLISION * kinds) * kinds).in_dll(library(), "mjCOLLISIONFUNC")
    except (ImportError, OSError, ValueError, IndexError) as error:
        raise ValueError(
            f"The exact collider needs numba and MuJoCo's shared library ({error}); choose `--env.collider stock`."
        ) from error
    row = table[mujoco.mjtGeom.mjGEOM_HFIELD.value]
    stock = ctypes.cast(ctypes.cast(row[mujoco.mjtGeom.mjGEOM_SPHERE.value], ctypes.c_void_p), COLLISION)
    ours = build(stock)
    row[mujoco.mjtGeom.mjGEOM_SPHERE.value] = ours.ctypes
    return stock, ours
