"""Where MuJoCo keeps the arrays that the collider reads, from the description of its structs in its bindings."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import mujoco
from mujoco.introspect import ast_nodes, structs

SCALARS: dict[str, Any] = {
    "int": ctypes.c_int,
    "float": ctypes.c_float,
    "mjtNum": ctypes.c_double,
    "mjtBool": ctypes.c_bool,
    "mjtSize": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "uintptr_t": ctypes.c_size_t,
}
"""C types of the plain fields of mjModel and mjData."""
PROBE = """<mujoco><size nuser_geom="3"/><asset><hfield name="h" nrow="4" ncol="5" size="1 1 1 1"/></asset>
<custom><numeric name="n" size="3"/></custom><worldbody><geom type="hfield" hfield="h"/>
<body><freejoint/><geom size="0.1"/></body></worldbody></mujoco>"""
"""A model with something in every array that the collider reads."""


@cache
def struct_type(name: str) -> type[ctypes.Structure]:
    """A MuJoCo struct as ctypes type."""
    return type(name, (ctypes.Structure,), {"_fields_": _fields(structs.STRUCTS[name])})


def _fields(declaration: Any) -> list[tuple[str, Any]]:
    """Names and ctypes types of a struct's fields."""
    return [(field.name, _field_type(field.type)) for field in declaration.fields]


def _field_type(kind: Any) -> Any:
    """The ctypes type of a field."""
    if isinstance(kind, ast_nodes.PointerType):
        return ctypes.c_void_p
    if isinstance(kind, ast_nodes.ArrayType):
        inner = _field_type(kind.inner_type)
        for extent in reversed(kind.extents):
            inner = inner * extent
        return inner
    if isinstance(kind, ast_nodes.AnonymousStructDecl):
        return type("Anonymous", (ctypes.Structure,), {"_fields_": _fields(kind)})
    return SCALARS[kind.name] if kind.name in SCALARS else struct_type(kind.name)


def words(struct: str, names: tuple[str, ...], example: str = PROBE) -> tuple[int, ...]:
    """Which 8-byte words of a struct hold these fields; a `ValueError` if the installed MuJoCo keeps them elsewhere.

    `example` is a model with something in all of these arrays.
    """
    model = mujoco.MjModel.from_xml_string(example)
    probe = model if struct == "mjModel" else mujoco.MjData(model)
    layout = struct_type(struct).from_address(probe._address)
    for name in names:
        told = getattr(probe, name)
        if getattr(layout, name) != (told if isinstance(told, int | float) else told.ctypes.data):
            raise ValueError(f"MuJoCo {mujoco.__version__} does not keep {struct}.{name} where it says")
    return tuple(getattr(struct_type(struct), name).offset // 8 for name in names)
