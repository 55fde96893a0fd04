"""The LSTM cell of the drives in machine code: all joints of a robot side by side, in the lanes of a vector."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types  # pyright: ignore[reportPrivateImportUsage]
from numba.core import cgutils
from numba.extending import intrinsic

from anymal_policy.layout import JOINTS
from envs.drives.network import GATES, INPUTS, LARGEST
from envs.terrains.compiled import compiled

LANES = len(JOINTS)
"""Joints of a robot."""
NUMERATOR = 0.9999999740278765, 0.13439625991075527, 3.5658515650985635e-3, 2.1800933654341036e-5, 1.5100127635411414e-8
DENOMINATOR = 1.0, 0.467729479407495, 2.614248672271393e-2, 3.401941038961196e-4, 8.469332989057497e-7
"""Coefficients in x^2 of a rational function that, times x, is tanh(x) for |x| < 8 within 2.2e-7 (minimax fit)."""
P0, P1, P2, P3, P4 = (np.float32(c) for c in NUMERATOR)
Q0, Q1, Q2, Q3, Q4 = (np.float32(c) for c in DENOMINATOR)
LINE = 64
"""Bytes of a cache line, at which room on the stack begins."""
FAR, HALF = np.float32(8.0), np.float32(0.5)


@compiled
def tanh(x: Any) -> Any:
    """tanh within 1e-6, float32, without a branch or a call, so that a loop over it becomes vector instructions."""
    x = x if x < FAR else FAR
    x = x if x > -FAR else -FAR
    s = x * x
    return x * (P0 + s * (P1 + s * (P2 + s * (P3 + s * P4)))) / (Q0 + s * (Q1 + s * (Q2 + s * (Q3 + s * Q4))))


def stack(size: int) -> Any:
    """Room for `size` bytes on the stack of the function that calls it: memory without a lock."""

    def _room(typing_context: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            room = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(8), size))
            room.align = LINE
            return builder.bitcast(room, ir.IntType(8).as_pointer())

        return types.voidptr(), codegen

    room: Any = intrinsic(_room)
    return room


GATES_ROOM, INPUTS_ROOM = stack(4 * GATES * LARGEST * LANES), stack(4 * 2 * LARGEST * LANES)
"""Room for the gates of a layer, and for what they see."""
Extent = tuple[float, ...]
"""A tuple whose length is a number that the machine code shall know: loops up to it become straight vector code."""


@compiled
def advance_layer(weights: Any, x: Any, memory: Any, inputs: Extent, hidden: Extent) -> None:
    """Update one LSTM layer by one period.

    `weights` are its part of `DriveNetwork.packed`, `x` (inputs, LANES), `memory` (2, hidden, LANES) its outputs and
    cells, which it overwrites, all flat float32.
    """
    width, rows = 1 + len(inputs) + len(hidden), len(hidden) * LANES
    gates = carray(GATES_ROOM(), (GATES * LARGEST * LANES,), np.float32)
    seen = carray(INPUTS_ROOM(), (2 * LARGEST * LANES,), np.float32)
    for i in range(len(inputs) * LANES):
        seen[i] = x[i]
    for i in range(rows):
        seen[len(inputs) * LANES + i] = memory[i]
    for row in range(GATES * len(hidden)):
        for lane in range(LANES):
            total = weights[row * width]
            for k in range(len(inputs) + len(hidden)):
                total += weights[row * width + 1 + k] * seen[k * LANES + lane]
            gates[row * LANES + lane] = total
    for i in range(GATES * rows):
        gates[i] = tanh(gates[i])
    for i in range(rows):
        enter, keep, show = HALF + HALF * gates[i], HALF + HALF * gates[rows + i], HALF + HALF * gates[2 * rows + i]
        kept = keep * memory[rows + i] + enter * gates[3 * rows + i]
        memory[rows + i] = kept
        memory[i] = show * tanh(kept)


@compiled
def advance(weights: Any, x: Any, memory: Any, torque: Any, layers: int, hidden: Extent) -> None:
    """Update a whole network by one period.

    `weights` are `DriveNetwork.packed`, `x` (2, LANES) position error in rad and velocity in rad/s, `memory` (layers,
    2, hidden, LANES), which it overwrites, `torque` (LANES,) N m, all flat float32.
    """
    cells = len(hidden)
    advance_layer(weights, x, memory, (0.0, 0.0), hidden)
    at = GATES * cells * (1 + INPUTS + cells)
    for layer in range(1, layers):
        below, here = memory[2 * cells * LANES * (layer - 1) :], memory[2 * cells * LANES * layer :]
        advance_layer(weights[at:], below, here, hidden, hidden)
        at += GATES * cells * (1 + 2 * cells)
    top = memory[2 * cells * LANES * (layers - 1) :]
    for lane in range(LANES):
        total = weights[at + cells]
        for k in range(cells):
            total += weights[at + k] * top[k * LANES + lane]
        torque[lane] = total
