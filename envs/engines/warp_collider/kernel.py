"""One thread a shape of a robot: find its contacts with the ground, and hand them to MuJoCo Warp."""

import mujoco
import warp as wp
from mujoco_warp._src.collision_core import contact_margin_gap, contact_material_params, write_contact
from mujoco_warp._src.math import make_frame
from mujoco_warp._src.types import vec5

from envs.collider.geometry import MOST_CONTACTS
from envs.collider.heightfield import FARTHEST
from envs.engines.warp_collider.candidates import normal_of, point_of
from envs.engines.warp_collider.capsule import collide_capsule
from envs.engines.warp_collider.edges import Axis
from envs.engines.warp_collider.ground import Ground, stored_height
from envs.engines.warp_collider.sphere import collide_sphere

ROOM = MOST_CONTACTS
"""Candidates of a shape, as many as MuJoCo has room for; with 24, a base that lies on open stairs touched otherwise."""
ENDS, ALL = wp.constant(ROOM), wp.constant(2 * ROOM)
CAPSULE = wp.constant(int(mujoco.mjtGeom.mjGEOM_CAPSULE.value))
EDGE = wp.constant(FARTHEST)


@wp.kernel(module="unique", enable_backward=False, module_options={"max_unroll": 1})
def collide_all(
    ground: Ground,
    corner: wp.vec3,
    field: int,
    solid: wp.array[int],
    scratch: wp.array3d[float],
    geom_type: wp.array[int],
    geom_size: wp.array2d[wp.vec3],
    geom_xpos: wp.array2d[wp.vec3],
    geom_xmat: wp.array2d[wp.mat33],
    geom_condim: wp.array[int],
    geom_priority: wp.array[int],
    geom_solmix: wp.array2d[float],
    geom_solref: wp.array2d[wp.vec2],
    geom_solimp: wp.array2d[vec5],
    geom_friction: wp.array2d[wp.vec3],
    geom_margin: wp.array2d[float],
    geom_gap: wp.array2d[float],
    geom_adhesion: wp.array2d[float],
    pair_dim: wp.array[int],
    pair_solref: wp.array2d[wp.vec2],
    pair_solreffriction: wp.array2d[wp.vec2],
    pair_solimp: wp.array2d[vec5],
    pair_margin: wp.array2d[float],
    pair_gap: wp.array2d[float],
    pair_adhesion: wp.array2d[float],
    pair_friction: wp.array2d[vec5],
    most: int,
    contact_dist: wp.array[float],
    contact_pos: wp.array[wp.vec3],
    contact_frame: wp.array[wp.mat33],
    contact_includemargin: wp.array[float],
    contact_friction: wp.array[vec5],
    contact_solref: wp.array[wp.vec2],
    contact_solreffriction: wp.array[wp.vec2],
    contact_solimp: wp.array[vec5],
    contact_dim: wp.array[int],
    contact_geom: wp.array[wp.vec2i],
    contact_efc_address: wp.array2d[int],
    contact_worldid: wp.array[int],
    contact_type: wp.array[int],
    contact_geomcollisionid: wp.array[int],
    contact_adhesion: wp.array[float],
    contact_count: wp.array[int],
):
    """Add the contacts of a robot's shape with the ground to MuJoCo Warp's, in the world."""
    robot, shape = wp.tid()
    geom = solid[shape]
    size, frame = geom_size[robot % geom_size.shape[0], geom], geom_xmat[robot, geom]
    c = geom_xpos[robot, geom] - corner
    in_cells = wp.vec2(c[0] / ground.spacing[0], c[1] / ground.spacing[1])
    if not (wp.abs(in_cells[0]) < EDGE and wp.abs(in_cells[1]) < EDGE and wp.abs(c[2]) < EDGE):
        return
    g = Ground()
    g.heights = ground.heights
    g.risers = ground.risers
    g.floor = ground.floor
    g.plate = ground.plate
    g.spacing = ground.spacing
    g.first_x = int(wp.floor(in_cells[0]))
    g.first_y = int(wp.floor(in_cells[1]))
    g.base = stored_height(g, g.first_x, g.first_y)
    shift = wp.vec3(float(g.first_x) * g.spacing[0], float(g.first_y) * g.spacing[1], g.base * g.spacing[2])
    geoms = wp.vec2i(field, geom)
    margin, gap = contact_margin_gap(geom_margin, geom_gap, pair_margin, pair_gap, geoms, -1, robot)
    room = scratch[robot * solid.shape[0] + shape]
    count = int(0)
    if geom_type[geom] == CAPSULE:
        axis = Axis()
        axis.middle = c - shift
        axis.direction = wp.vec3(frame[0, 2], frame[1, 2], frame[2, 2])
        axis.half = size[1]
        axis.radius = size[0]
        axis.reach = size[0] + margin
        count = collide_capsule(g, axis, room[:ENDS], room[ENDS:ALL])
    else:
        count = collide_sphere(g, c - shift, size[0], margin, room[:ENDS])
    if count == 0:
        return
    condim, friction, solref, solreffriction, solimp, adhesion = contact_material_params(
        geom_condim,
        geom_priority,
        geom_solmix,
        geom_solref,
        geom_solimp,
        geom_friction,
        geom_adhesion,
        pair_dim,
        pair_solref,
        pair_solreffriction,
        pair_solimp,
        pair_adhesion,
        pair_friction,
        geoms,
        -1,
        robot,
    )
    for i in range(count):
        write_contact(
            most,
            i,
            room[i, 0],
            point_of(room, i) + shift + corner,
            make_frame(normal_of(room, i)),
            margin,
            gap,
            condim,
            friction,
            solref,
            solreffriction,
            solimp,
            adhesion,
            geoms,
            wp.vec2i(-1, -1),
            robot,
            contact_dist,
            contact_pos,
            contact_frame,
            contact_includemargin,
            contact_friction,
            contact_solref,
            contact_solreffriction,
            contact_solimp,
            contact_dim,
            contact_geom,
            contact_efc_address,
            contact_worldid,
            contact_type,
            contact_geomcollisionid,
            contact_adhesion,
            contact_count,
        )
