"""The collider as C functions in MuJoCo's collision table, where they take the place of the stock functions.

The table is global to the process, so they look at each heightfield for the mark of `envs.collider` and hand those
without it to the stock functions.
"""

from __future__ import annotations

import ctypes
from hashlib import sha256
from typing import Any

import numpy as np
from numba import carray, njit, types  # pyright: ignore[reportPrivateImportUsage]

from envs.collider.capsule import collide_capsule
from envs.collider.ceiling import is_capsule_clear, is_clear
from envs.collider.geometry import MOST_CONTACTS, RECORD
from envs.collider.heightfield import collide
from envs.collider.layout import words
from envs.collider.marks import BOUNDS, COUNT, FLOOR, MARK, MARKED, NUMERIC, THICKNESS
from envs.collider.memory import WORDS, array, link, matrix, named
from envs.terrains.compiled import FOLDER, c_function

COLLISION = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_int, ctypes.c_double
)
"""mjfCollision: model, data, contacts to fill, geom 1, geom 2, margin; the number of contacts."""
MODEL_FIELDS = (
    *("nuser_geom", "geom_user", "geom_size", "geom_dataid"),
    *("hfield_size", "hfield_nrow", "hfield_ncol", "hfield_adr", "hfield_data"),
    *("numeric_adr", "numeric_data"),
)
"""What the collider reads of mjModel."""
DATA_FIELDS = "geom_xpos", "geom_xmat"
"""What it reads of mjData."""
SIGNATURE = types.int32(types.voidptr, types.voidptr, types.voidptr, types.int32, types.int32, types.float64)
"""Of a collision function."""
STOCK = "anymal_stock_sphere", "anymal_stock_capsule"
"""Names of the functions whose place ours take."""
stock_sphere, stock_capsule = (named(name, SIGNATURE) for name in STOCK)
AT = words("mjModel", MODEL_FIELDS), words("mjData", DATA_FIELDS)
"""Which 8-byte words of mjModel and mjData hold them in the installed MuJoCo; constants of the machine code."""
user_count, geom_user, geom_size, geom_field, field_size, field_rows, field_columns, *_others = AT[0]
field_first, field_data, numeric_first, numeric_data = _others
geom_position, geom_frame = AT[1]


@njit(error_model="numpy")
def is_ours(m: Any, d: Any, g1: int) -> bool:
    """Whether geom g1 has our mark and stands upright."""
    users, frame = carray(m, (WORDS,), np.intp)[user_count], array(d, geom_frame, 72 * g1, np.float64)
    upright = frame[0] == 1.0 and frame[4] == 1.0 and frame[8] == 1.0
    return users >= COUNT and user_of(m, g1)[MARKED] == MARK and upright


@njit(error_model="numpy")
def user_of(m: Any, g1: int) -> Any:
    """User values of geom g1."""
    return array(m, geom_user, 8 * carray(m, (WORDS,), np.intp)[user_count] * g1, np.float64)


@njit(error_model="numpy")
def position(d: Any, g: int) -> Any:
    """Of a geom's middle, m."""
    place = array(d, geom_position, 24 * g, np.float64)
    return place[0], place[1], place[2]


@njit(error_model="numpy")
def ground(m: Any, d: Any, g1: int) -> Any:
    """What `collide` is told of heightfield geom g1."""
    user, field = user_of(m, g1), array(m, geom_field, 4 * g1, np.int32)[0]
    rows, columns = array(m, field_rows, 4 * field, np.int32)[0], array(m, field_columns, 4 * field, np.int32)[0]
    size, place = array(m, field_size, 32 * field, np.float64), position(d, g1)
    spacing = (2.0 * size[0] / (columns - 1), 2.0 * size[1] / (rows - 1), size[2])
    risers, floor = matrix(m, numeric_data, 0, (0, 0), np.uint8), matrix(m, numeric_data, 0, (0, 0), np.float32)
    numeric = int(user[NUMERIC])
    if numeric > 0:
        first = 8 * array(m, numeric_first, 4 * (numeric - 1), np.int32)[0]
        risers = matrix(m, numeric_data, first, (rows, columns), np.uint8)
        if user[THICKNESS] > 0.0:
            floor = matrix(m, numeric_data, first + 8 * int(user[FLOOR]), (rows, columns), np.float32)
    heights = matrix(m, field_data, 4 * array(m, field_first, 4 * field, np.int32)[0], (rows, columns), np.float32)
    return heights, risers, floor, user[THICKNESS], spacing, (place[0] - size[0], place[1] - size[1], place[2])


@njit(error_model="numpy")
def offset(d: Any, g1: int, g2: int) -> Any:
    """From geom g1's position to g2's, m."""
    place, centre = position(d, g1), position(d, g2)
    return centre[0] - place[0], centre[1] - place[1], centre[2] - place[2]


@njit(error_model="numpy")
def bounds(m: Any, g1: int) -> Any:
    """Bounds on the heights of geom g1."""
    return array(m, numeric_data, 4 * int(user_of(m, g1)[BOUNDS]), np.float32)


def sphere_on_heightfield(m: Any, d: Any, con: Any, g1: int, g2: int, margin: float) -> int:
    """Contacts of sphere g2 with the ground g1; stock's, if that is not ours."""
    if not is_ours(m, d, g1):
        return stock_sphere(m, d, con, g1, g2, margin)
    radius = array(m, geom_size, 24 * g2, np.float64)[0]
    if is_clear(user_of(m, g1), bounds(m, g1), offset(d, g1, g2), radius + margin):
        return 0
    contacts = carray(con, (MOST_CONTACTS, RECORD), np.float64)
    heights, risers, floor, plate, spacing, origin = ground(m, d, g1)
    return collide(heights, risers, floor, plate, spacing, origin, position(d, g2), radius, margin, contacts)


def capsule_on_heightfield(m: Any, d: Any, con: Any, g1: int, g2: int, margin: float) -> int:
    """Contacts of capsule g2 with the ground g1; stock's, if that is not ours."""
    if not is_ours(m, d, g1):
        return stock_capsule(m, d, con, g1, g2, margin)
    size, frame = array(m, geom_size, 24 * g2, np.float64), array(d, geom_frame, 72 * g2, np.float64)
    direction, half, radius = (frame[2], frame[5], frame[8]), size[1], size[0]
    if is_capsule_clear(user_of(m, g1), bounds(m, g1), offset(d, g1, g2), direction, half, radius + margin):
        return 0
    contacts, centre = carray(con, (MOST_CONTACTS, RECORD), np.float64), position(d, g2)
    heights, risers, floor, plate, spacing, origin = ground(m, d, g1)
    return collide_capsule(
        heights, risers, floor, plate, spacing, origin, centre, direction, half, radius, margin, contacts
    )


def build(stock: tuple[Any, Any]) -> tuple[Any, Any]:
    """The colliders of spheres and of capsules; what is not ours they hand to these stock functions."""
    for name, function in zip(STOCK, stock, strict=True):
        link(name, function)
    kept_in = f"{FOLDER}-{sha256(repr(AT).encode()).hexdigest()[:8]}"
    sphere, capsule = (
        c_function(each, SIGNATURE, kept_in=kept_in) for each in (sphere_on_heightfield, capsule_on_heightfield)
    )
    return sphere, capsule
