"""MuJoCo's structs seen from compiled code: arrays behind the pointers in them, and functions by their names."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import carray, njit, types  # pyright: ignore[reportPrivateImportUsage]
from numba.extending import intrinsic

WORDS = 1 << 20
"""Bound on the length of arrays seen through pointers, whose true length numba need not know."""


def _pointer(typing_context: Any, address: Any) -> Any:
    """An address as a pointer."""

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.intp), codegen


pointer: Any = intrinsic(_pointer)


@njit(error_model="numpy")
def array(struct: Any, word: int, skip: int, dtype: Any) -> Any:
    """What is `skip` bytes into the array that a struct points to in its 8-byte word number `word`, and behind it."""
    return carray(pointer(carray(struct, (WORDS,), np.intp)[word] + skip), (WORDS,), dtype)


@njit(error_model="numpy")
def matrix(struct: Any, word: int, skip: int, shape: tuple[int, int], dtype: Any) -> Any:
    """The matrix that begins `skip` bytes into the array that a struct points to in its 8-byte word number `word`."""
    return carray(pointer(carray(struct, (WORDS,), np.intp)[word] + skip), shape, dtype)


def named(name: str, signature: Any) -> Any:
    """A C function that compiled code calls by its name.

    An address would differ from process to process, and code with one in it could not be kept; `link` says where the
    function is before such code is loaded.
    """
    return types.ExternalFunction(name, signature)


def link(name: str, function: Any) -> None:
    """Let this name mean a C function of ctypes for all code that is loaded from now on."""
    address = ctypes.cast(function, ctypes.c_void_p).value
    assert address is not None
    binding.add_symbol(name, address)
