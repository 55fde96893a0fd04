"""Scenes for the collider's tests: one sphere or capsule over a heightfield, and what touches it there; stairs."""

from __future__ import annotations

import mujoco
import numpy as np

from envs.collider import stand_risers, use_exact, write_heights
from envs.terrains.cells import height_at
from envs.terrains.grid import level_pieces

STEP = 0.05
"""m between samples."""
RADIUS = 0.03
"""m, of the foot."""
SPHERE, CAPSULE = mujoco.mjtGeom.mjGEOM_SPHERE, mujoco.mjtGeom.mjGEOM_CAPSULE


def add_ground(spec, heights, risers=None, exact=True, plate=0.0, name="h", step=(STEP, STEP), **geom):
    """A heightfield whose sample [0, 0] is at the world's origin, unless `pos` says where its middle is."""
    ny, nx = heights.shape
    low, half = float(heights.min()), ((nx - 1) * step[0] / 2, (ny - 1) * step[1] / 2)
    size = [*half, max(float(np.ptp(heights)), 0.01), 1.0]
    spec.add_hfield(name=name, nrow=ny, ncol=nx, size=size, userdata=np.zeros(heights.size))
    place = {"pos": [*half, low]} | geom
    field = spec.worldbody.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_HFIELD, hfieldname=name, **place)
    if risers is not None:
        stand_risers(spec, field, risers, plate)
    elif exact:
        use_exact(field)


def fill(model, heights, name="h"):
    """Write heights in m into a compiled model."""
    write_heights(model, name, (heights - heights.min()) / model.hfield(name).size[2])


def add_sphere(spec, radius=RADIUS, margin=0.0, half=0.0):
    """A sphere, or, around an axis that reaches `half` m to either side, a capsule."""
    body = spec.worldbody.add_body()
    body.add_freejoint()
    body.add_geom(type=CAPSULE if half else SPHERE, size=[radius, half, 0], mass=1.0, margin=margin)


def sphere_on(heights, risers=None, exact=True, radius=RADIUS, margin=0.0, half=0.0, **geom):
    spec = mujoco.MjSpec()
    add_ground(spec, heights, risers, exact, **geom)
    add_sphere(spec, radius, margin, half)
    model = spec.compile()
    fill(model, heights)
    return model, mujoco.MjData(model)


def contacts_at(model, data, position, ground=None, quaternion=(1.0, 0.0, 0.0, 0.0)):
    """Depths (k,), normals out of the ground (k, 3) and points (k, 3), deepest first; of one geom if it is named."""
    data.qpos[:3], data.qpos[3:7] = position, quaternion
    mujoco.mj_kinematics(model, data)
    mujoco.mj_collision(model, data)
    order = np.argsort(data.contact.dist)
    if ground is not None:
        order = order[(data.contact.geom[order] == model.geom(ground).id).any(-1)]
    out = np.where(np.isin(model.geom_type[data.contact.geom[order, 1:]], (SPHERE, CAPSULE)), 1.0, -1.0)
    return -data.contact.dist[order], out * data.contact.frame[order, :3], data.contact.pos[order]


def grid(ny=21, nx=21):
    y, x = np.mgrid[:ny, :nx] * STEP
    return x, y


def turned(rng):
    """A random orientation (4,) and where it turns the z axis, (3,)."""
    quaternion = rng.normal(size=4)
    quaternion /= np.linalg.norm(quaternion)
    return quaternion, z_axis(quaternion)


def z_axis(quaternion):
    """Where a quaternion turns the z axis, (3,)."""
    axis = np.empty(3)
    mujoco.mju_rotVecQuat(axis, np.array((0.0, 0.0, 1.0)), np.asarray(quaternion, np.float64))
    return axis


def along_axis(axis):
    """The quaternion (4,) that turns the z axis to a direction (3,)."""
    quaternion = np.empty(4)
    mujoco.mju_quatZ2Vec(quaternion, np.asarray(axis, np.float64))
    return quaternion


def stairs(rise=0.15, depth=6):
    """Heights, risers and the first sample of each step of a flight up along x, and one step down at its end."""
    first = np.arange(8, 30, depth)
    level = np.searchsorted(first, np.arange(41), side="right").astype(np.float64)
    level[first[-1] + depth :] = 0.0
    heights, risers = level_pieces(np.tile(rise * level, (21, 1)))
    return heights.astype(np.float64), risers, [*first, first[-1] + depth]


def add_boxes(spec, heights, ix_edges):
    """The solid of a flight along x whose level changes halfway to each sample of `ix_edges`, as MuJoCo boxes."""
    edges = [-1.0, *((ix - 0.5) * STEP for ix in ix_edges), 3.0]
    for west, east in zip(edges[:-1], edges[1:], strict=True):
        top = heights[0, min(max(round((west + east) / 2 / STEP), 0), heights.shape[1] - 1)]
        low = -1.0
        pos, size = ((west + east) / 2, 0.5, (top + low) / 2), ((east - west) / 2, 3.0, (top - low) / 2)
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, pos=pos, size=size)


def ground_points(heights, risers, spacing=0.002):
    """Points all over the ground, its walls included, about `spacing` apart."""
    side = np.arange(0.1, 0.9, spacing)
    z = np.array([[height_at(heights, risers, x / STEP, y / STEP) for x in side] for y in side])
    y, x = np.meshgrid(side, side, indexing="ij")
    points = [np.stack((x, y, z), -1).reshape(-1, 3)]
    for axis in (0, 1):
        a, b = (np.stack((x, y, z), -1).take(np.arange(len(side) - 1) + k, axis) for k in (0, 1))
        a, b = a.reshape(-1, 3), b.reshape(-1, 3)
        number = np.ceil(abs(a - b)[:, 2] / spacing).astype(int)
        share = (np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)) / np.repeat(number, number)
        middle = np.repeat(0.5 * (a + b), number, axis=0)
        middle[:, 2] = np.repeat(a[:, 2], number) * share + np.repeat(b[:, 2], number) * (1 - share)
        points.append(middle)
    return np.concatenate(points)
