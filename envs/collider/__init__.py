"""Our own collision of spheres and capsules with the terrain: risers stand vertical, contacts are few, and it is fast.

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

from envs.collider.marks import BLOCK, COUNT, FLOOR, MARK, MARKED, NUMERIC, REACH, THICKNESS

_installed: list[Any] = []
"""What MuJoCo's table points to, kept alive; empty until the first use."""


def use_exact(geom: mujoco.MjsGeom) -> None:
    """Let this heightfield geom touch spheres and capsules by our collider, in every model compiled from its spec."""
    _mark(geom)


def stand_risers(spec: mujoco.MjSpec, geom: mujoco.MjsGeom, risers: NDArray[np.uint8], plate: float = 0.0) -> None:
    """Let spheres and capsules collide with this heightfield geom by our collider, with upright walls at its risers.

    `risers` (ny, nx) has the bits RISER_X, RISER_Y and COVERED of envs.terrains.grid. They travel in the model, as the
    bytes of a custom numeric; behind them is room for bounds on the heights and, if `plate` is not 0, for the lower
    ground under treads that are `plate` m thick.
    """
    field = spec.hfield(geom.hfieldname)
    if risers.shape != (field.nrow, field.ncol):
        raise ValueError(f"Risers {risers.shape} must have the shape of the heightfield, ({field.nrow}, {field.ncol}).")
    bounds, floor = _room(*risers.shape)
    data = np.zeros(floor)
    data[:bounds].view(np.uint8)[: risers.size] = risers.ravel()
    size = floor + (-(-risers.size // 2) if plate > 0.0 else 0)
    spec.add_numeric(name=f"{geom.name}_risers", size=size, data=data)
    _mark(geom, len(spec.numerics), plate, floor)


def write_heights(
    model: mujoco.MjModel, name: str, heights: NDArray[np.floating], floor: NDArray[np.floating] | None = None
) -> None:
    """Write the heights (ny, nx) of heightfield geom `name`, in 0..1 of its vertical range, into a compiled model.

    If the geom has vertical risers, the bounds by which they are found clear of the ground go with them, and if its
    treads overhang, so does the lower ground `floor` (ny, nx). The heightfield keeps its size from then on.
    """
    geom = model.geom(name)
    user, field = model.geom_user[geom.id], geom.dataid[0]
    first = model.hfield_adr[field]
    model.hfield_data[first : first + heights.size] = heights.ravel()
    if len(user) >= COUNT and user[MARKED] == MARK and user[NUMERIC] > 0:
        from envs.collider.ceiling import block_marks, ceiling

        start, words = model.numeric_adr[int(user[NUMERIC]) - 1], model.numeric_data.view(np.float32)
        at_bounds, at_floor = (2 * (start + behind) for behind in _room(*heights.shape))
        for at, values in ((at_bounds, ceiling(heights.astype(np.float32))), (at_floor, floor)):
            if values is not None:
                words[at : at + values.size] = values.ravel()
        half_x, half_y, rise, _ = model.hfield_size[field]
        user[REACH:COUNT] = block_marks(heights.shape, (half_x, half_y), rise, at_bounds)


def _room(rows: int, columns: int) -> tuple[int, int]:
    """Where in the numeric, in numbers behind its first, the bounds and the lower ground of a heightfield begin."""
    bounds = -(-rows * columns // 8)
    return bounds, bounds + -(-(-(-rows // BLOCK) * -(-columns // BLOCK)) // 2)


def _mark(geom: mujoco.MjsGeom, numeric: int = 0, plate: float = 0.0, floor: int = 0) -> None:
    """Install the collider, and write a geom's user values as of one without bounds: `write_heights` adds them."""
    if not _installed:
        _installed.append(_install())
    user = np.zeros(COUNT)
    user[[MARKED, NUMERIC, THICKNESS, FLOOR, REACH]] = MARK, numeric, plate, floor, -1.0
    geom.userdata = user


def _install() -> Any:
    """Put our functions into MuJoCo's table for this process, and return them and those before."""
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
    kinds_of_ours = mujoco.mjtGeom.mjGEOM_SPHERE.value, mujoco.mjtGeom.mjGEOM_CAPSULE.value
    sphere, capsule = (ctypes.cast(ctypes.cast(row[kind], ctypes.c_void_p), COLLISION) for kind in kinds_of_ours)
    stock = sphere, capsule
    ours = build(stock)
    for kind, function in zip(kinds_of_ours, ours, strict=True):
        row[kind] = function.ctypes
    return stock, ours
