"""The collider as a C function in MuJoCo's collision table, where it takes the place of the stock function.

The table is global to the process, so the function looks at each heightfield for the mark of `envs.collider` and hands
those without it to the stock function.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, cfunc, njit, types  # pyright: ignore[reportPrivateImportUsage]
from numba.extending import intrinsic

from envs.collider.ceiling import BLOCK, is_clear
from envs.collider.geometry import MOST_CONTACTS, RECORD
from envs.collider.heightfield import collide
from envs.collider.layout import words

MARK = 20220119.0
"""First user value of a heightfield geom that is ours; the second is 1 + the number of the numeric with its risers, the
third the thickness in m of its treads that overhang."""
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
WORDS = 1 << 20
"""Bound on the length of arrays seen through pointers, whose true length numba need not know."""


def _pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), codegen


pointer: Any = intrinsic(_pointer)


@njit(error_model="numpy")
def array(struct: Any, word: int, dtype: Any) -> Any:
    """The array that a struct points to in its 8-byte word number `word`."""
    return carray(pointer(carray(struct, (WORDS,), np.intp)[word]), (WORDS,), dtype)


@njit(error_model="numpy")
def matrix(struct: Any, word: int, skip: int, shape: tuple[int, int], dtype: Any) -> Any:
    """The matrix that begins `skip` bytes into the array that a struct points to in its 8-byte word number `word`."""
    return carray(pointer(carray(struct, (WORDS,), np.intp)[word] + skip), shape, dtype)


def build(stock: Any) -> Any:
    """The collider, compiled for the installed MuJoCo, which hands what is not ours to the function `stock`."""
    user_count, geom_user, geom_size, geom_field, *others = words("mjModel", MODEL_FIELDS)
    field_size, field_rows, field_columns, field_first, field_data, numeric_first, numeric_data = others
    geom_position, geom_frame = words("mjData", ("geom_xpos", "geom_xmat"))

    def sphere_on_heightfield(m: Any, d: Any, con: Any, g1: int, g2: int, margin: float) -> int:
        users = carray(m, (WORDS,), np.intp)[user_count]
        user = array(m, geom_user, np.float64)[users * g1 : users * g1 + users]
        frame = array(d, geom_frame, np.float64)[9 * g1 : 9 * g1 + 9]
        upright = frame[0] == 1.0 and frame[4] == 1.0 and frame[8] == 1.0
        if users < 1 or user[0] != MARK or not upright:
            return stock(m, d, con, g1, g2, margin)
        field = array(m, geom_field, np.int32)[g1]
        rows, columns = array(m, field_rows, np.int32)[field], array(m, field_columns, np.int32)[field]
        size = array(m, field_size, np.float64)[4 * field : 4 * field + 3]
        position = array(d, geom_position, np.float64)
        origin = (position[3 * g1] - size[0], position[3 * g1 + 1] - size[1], position[3 * g1 + 2])
        centre = (position[3 * g2], position[3 * g2 + 1], position[3 * g2 + 2])
        radius = array(m, geom_size, np.float64)[3 * g2]
        spacing = (2.0 * size[0] / (columns - 1), 2.0 * size[1] / (rows - 1), size[2])
        risers, bounds = matrix(m, numeric_data, 0, (0, 0), np.uint8), matrix(m, numeric_data, 0, (0, 0), np.float32)
        numeric = int(user[1]) if users > 1 else 0
        if numeric > 0:
            first = 8 * array(m, numeric_first, np.int32)[numeric - 1]
            risers = matrix(m, numeric_data, first, (rows, columns), np.uint8)
            blocks = ((rows + BLOCK - 1) // BLOCK, (columns + BLOCK - 1) // BLOCK)
            bounds = matrix(m, numeric_data, first + (rows * columns + 7) // 8 * 8, blocks, np.float32)
        if is_clear(bounds, spacing, origin, centre, radius + margin):
            return 0
        floor, plate = matrix(m, numeric_data, 0, (0, 0), np.float32), user[2] if users > 2 else 0.0
        if numeric > 0 and plate > 0.0:
            behind = (bounds.size + 1) // 2 * 8 + (rows * columns + 7) // 8 * 8
            first = 8 * array(m, numeric_first, np.int32)[numeric - 1]
            floor = matrix(m, numeric_data, first + behind, (rows, columns), np.float32)
        heights = matrix(m, field_data, 4 * array(m, field_first, np.int32)[field], (rows, columns), np.float32)
        contacts = carray(con, (MOST_CONTACTS, RECORD), np.float64)
        return collide(heights, risers, floor, plate, spacing, origin, centre, radius, margin, contacts)

    return cfunc(types.int32(types.voidptr, types.voidptr, types.voidptr, types.int32, types.int32, types.float64))(
        sphere_on_heightfield
    )
