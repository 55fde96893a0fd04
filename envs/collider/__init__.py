"""Our own collision of spheres with the terrain: risers stand vertical, contacts are few, and it is fast.

`use_exact(geom)` makes a heightfield geom collide by it, `stand_risers(spec, geom, risers)` also makes its risers
vertical and lets treads overhang; heightfields without either keep MuJoCo's collider. `write_heights(model, name,
heights)` fills them in.
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


def stand_risers(spec: mujoco.MjSpec, geom: mujoco.MjsGeom, risers: NDArray[np.uint8], plate: float = 0.0) -> None:
    """Let spheres collide with this heightfield geom by our collider, with vertical walls at its risers.

    `risers` (ny, nx) has the bits RISER_X, RISER_Y and COVERED of envs.terrains.grid. They travel in the model, as the
    bytes of a custom numeric, which the geom's second user value counts from 1; behind them is room for bounds on the
    heights and, if the third user value `plate` is not 0, for the lower ground under treads that are `plate` m thick.
    """
    field = spec.hfield(geom.hfieldname)
    if risers.shape != (field.nrow, field.ncol):
        raise ValueError(f"Risers {risers.shape} must have the shape of the heightfield, ({field.nrow}, {field.ncol}).")
    use_exact(geom)
    bounds, floor = _room(*risers.shape)
    data = np.full(floor, UNBOUNDED)
    data[:bounds].view(np.uint8)[: risers.size] = risers.ravel()
    size = floor + (-(-risers.size // 2) if plate > 0.0 else 0)
    spec.add_numeric(name=f"{geom.name}_risers", size=size, data=data)
    geom.userdata = [*geom.userdata, len(spec.numerics), *([plate] if plate > 0.0 else [])]


def write_heights(
    model: mujoco.MjModel, name: str, heights: NDArray[np.floating], floor: NDArray[np.floating] | None = None
) -> None:
    """Write the heights (ny, nx) of heightfield geom `name`, in 0..1 of its vertical range, into a compiled model.

    If the geom has vertical risers, the bounds by which spheres are found clear of the ground go with them, and if its
    treads overhang, so does the lower ground `floor` (ny, nx).
    """
    geom = model.geom(name)
    users, first = model.geom_user[geom.id], model.hfield_adr[geom.dataid[0]]
    model.hfield_data[first : first + heights.size] = heights.ravel()
    if len(users) > 1 and users[1] > 0:
        from envs.collider.ceiling import ceiling

        bounds = ceiling(heights.astype(np.float32))
        for behind, values in zip(_room(*heights.shape), (bounds, floor), strict=True):
            if values is not None:
                at = model.numeric_adr[int(users[1]) - 1] + behind
                model.numeric_data[at:].view(np.float32)[: values.size] = values.ravel()


def _room(rows: int, columns: int) -> tuple[int, int]:
    """Where in the numeric, in numbers behind its first, the bounds and the lower ground of a heightfield begin."""
    bounds = -(-rows * columns // 8)
    return bounds, bounds + -(-(-(-rows // BLOCK) * -(-columns // BLOCK)) // 2)


def _install() -> Any:
    """Put our function into MuJoCo's table for this process, and return it."""
    try:
        from envs.collider.native import COLLISION, build
        from envs.library import library

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
