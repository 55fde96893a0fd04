"""Our own collision of spheres with the terrain: risers stand vertical, contacts are few, and it is fast.

`use_exact(geom)` makes a heightfield geom collide by it, `stand_risers(spec, geom, risers)` also makes its risers
vertical; heightfields without either keep MuJoCo's collider. `write_heights(model, name, heights)` fills them in.
"""

from __future__ import annotations

import ctypes
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

BLOCK = 4
"""Samples along x and y that share one bound on the heights around them."""
UNBOUNDED = float(np.full(2, np.inf, np.float32).view(np.float64)[0])
"""Two infinite bounds as one number of a custom numeric."""

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
    a custom numeric, which the geom's second user value counts from 1; behind them is room for bounds on the heights.
    """
    field = spec.hfield(geom.hfieldname)
    if risers.shape != (field.nrow, field.ncol):
        raise ValueError(f"Risers {risers.shape} must have the shape of the heightfield, ({field.nrow}, {field.ncol}).")
    use_exact(geom)
    words, bounds = _room(*risers.shape)
    data = np.full(words + -(-bounds // 2), UNBOUNDED)
    data[:words].view(np.uint8)[: risers.size] = risers.ravel()
    spec.add_numeric(name=f"{geom.name}_risers", size=len(data), data=data)
    geom.userdata = [*geom.userdata, len(spec.numerics)]


def write_heights(model: mujoco.MjModel, name: str, heights: NDArray[np.floating]) -> None:
    """Write the heights (ny, nx) of heightfield geom `name`, in 0..1 of its vertical range, into a compiled model.

    If the geom has vertical risers, the bounds by which spheres are found clear of the ground go with them.
    """
    geom = model.geom(name)
    users, first = model.geom_user[geom.id], model.hfield_adr[geom.dataid[0]]
    model.hfield_data[first : first + heights.size] = heights.ravel()
    if len(users) > 1 and users[1] > 0:
        from envs.collider.ceiling import ceiling

        words, count = _room(*heights.shape)
        behind = model.numeric_adr[int(users[1]) - 1] + words
        model.numeric_data[behind:].view(np.float32)[:count] = ceiling(heights.astype(np.float32)).ravel()


def _room(rows: int, columns: int) -> tuple[int, int]:
    """Numbers that hold the risers of a heightfield as bytes, and how many bounds there are."""
    return -(-rows * columns // 8), -(-rows // BLOCK) * -(-columns // BLOCK)


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
