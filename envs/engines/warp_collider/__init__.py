"""The exact collider of `envs.collider` as a Warp kernel, which MuJoCo Warp calls after its own collisions.

MuJoCo Warp's hook for filters of contacts comes between collision and constraints, and may add some: heightfields that
are ours have no pairs there, and get their contacts here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import mujoco
import numpy as np
import warp as wp

from envs.collider.marks import COUNT, FLOOR, MARK, MARKED, NUMERIC, THICKNESS
from envs.engines.warp_collider.ground import Ground
from envs.engines.warp_collider.kernel import ROOM, collide_all


def is_ours(model: mujoco.MjModel, geom: int) -> bool:
    """Whether this geom is a heightfield with the mark of `envs.collider`."""
    users = model.geom_user[geom]
    return bool(model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_HFIELD and len(users) >= COUNT and users[MARKED] == MARK)


def make_collider(model: mujoco.MjModel, nsim: int, device: Any) -> Callable[[Any, Any], None] | None:
    """What MuJoCo Warp calls for contacts with the model's ground; None if that is not ours."""
    fields = [geom for geom in range(model.ngeom) if is_ours(model, geom)]
    if not fields:
        return None
    (field,) = fields
    ground, shapes = put_ground(model, field, device), np.flatnonzero(model.geom_priority > 0)
    solid = wp.array(shapes.astype(np.int32), dtype=int, device=device)
    scratch = wp.zeros((nsim * len(shapes), 2 * ROOM, 7), dtype=float, device=device)
    corner = wp.vec3(*(model.geom_pos[field] - [*model.hfield_size[model.geom_dataid[field], :2], 0.0]))

    def collide(m: Any, d: Any) -> None:
        wp.launch(
            collide_all,
            dim=(d.nworld, len(shapes)),
            inputs=[
                *(ground, corner, field, solid, scratch, m.geom_type, m.geom_size, d.geom_xpos, d.geom_xmat),
                *(m.geom_condim, m.geom_priority, m.geom_solmix, m.geom_solref, m.geom_solimp, m.geom_friction),
                *(m.geom_margin, m.geom_gap, m.geom_adhesion, m.pair_dim, m.pair_solref, m.pair_solreffriction),
                *(m.pair_solimp, m.pair_margin, m.pair_gap, m.pair_adhesion, m.pair_friction, d.naconmax),
            ],
            outputs=[
                *(d.contact.dist, d.contact.pos, d.contact.frame, d.contact.includemargin, d.contact.friction),
                *(d.contact.solref, d.contact.solreffriction, d.contact.solimp, d.contact.dim, d.contact.geom),
                *(d.contact.efc_address, d.contact.worldid, d.contact.type, d.contact.geomcollisionid),
                *(d.contact.adhesion, d.nacon),
            ],
            device=device,
        )

    return collide


def put_ground(model: mujoco.MjModel, field: int, device: Any) -> Ground:
    """The heights, risers and lower ground of a heightfield geom, on the device."""
    user, number = model.geom_user[field], model.geom_dataid[field]
    rows, columns = int(model.hfield_nrow[number]), int(model.hfield_ncol[number])
    first, size = model.hfield_adr[number], model.hfield_size[number]
    ground = Ground()
    ground.heights = wp.array(model.hfield_data[first : first + rows * columns].reshape(rows, columns), device=device)
    ground.risers = wp.zeros((0, 0), dtype=wp.uint8, device=device)
    ground.floor = wp.zeros((0, 0), dtype=float, device=device)
    ground.plate = float(user[THICKNESS])
    ground.spacing = wp.vec3(2 * size[0] / (columns - 1), 2 * size[1] / (rows - 1), size[2])
    if user[NUMERIC] > 0:
        numbers = model.numeric_data[model.numeric_adr[int(user[NUMERIC]) - 1] :]
        risers = numbers.view(np.uint8)[: rows * columns].reshape(rows, columns)
        ground.risers = wp.array(risers, dtype=wp.uint8, device=device)
        if user[THICKNESS] > 0:
            floor = numbers[int(user[FLOOR]) :].view(np.float32)[: rows * columns].reshape(rows, columns)
            ground.floor = wp.array(floor, dtype=float, device=device)
    return ground
