"""The drives as a C function that MuJoCo calls in its physics step, for the activation of user actuators.

MuJoCo has one such function for the process. Ours looks at each actuator for the mark of `envs.drives` and hands those
without it to the function that was there before.
"""

from __future__ import annotations

import ctypes
import math
from typing import Any, NamedTuple

import numpy as np
from numba import carray, types  # pyright: ignore[reportPrivateImportUsage]

from envs.collider.layout import struct_type, words
from envs.collider.memory import WORDS, array, link, named, pointer
from envs.drives.cell import LANES, Extent, advance, stack
from envs.drives.marks import (
    LAG,
    LAST,
    MARK,
    MARKED,
    NUMERIC,
    PARAMETERS,
    POSITION_GAIN,
    SIZES,
    VELOCITY_GAIN,
    size_code,
)
from envs.drives.network import INPUTS, LARGEST, PERIOD
from envs.library import library
from envs.terrains.compiled import c_function, compiled

SIGNATURE = types.float64(types.voidptr, types.voidptr, types.int32)
READ_CONTROL = types.intp(types.voidptr, types.voidptr, types.int32, types.float64, types.voidptr, types.int32)
"""Of mjfAct and of mj_readCtrl."""
BEFORE, READS_CONTROL = "anymal_act_dyn_before", "mj_readCtrl"
"""Names of the function whose place ours takes, and of MuJoCo's for a target that comes late."""
elsewhere, read_control = named(BEFORE, SIGNATURE), named(READS_CONTROL, READ_CONTROL)
ACTIVATION = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
"""mjfAct: model, data, actuator; the rate of its activation."""
PROBE = """<mujoco><worldbody><body><joint name="j"/><geom size="0.1"/></body></worldbody><custom><numeric name="n"
size="3"/></custom><actuator><general joint="j" dyntype="integrator"/></actuator></mujoco>"""
"""A model with something in every array that the drives read."""
HOLD = 0
"""How mj_readCtrl reads between two times: the older value (zero-order hold)."""
ROUNDING = 1e-6
"""Of a period: how far a time may be off and still be its beginning."""
MOST_MEMORY = 4 * LARGEST
"""Numbers per joint of two of the largest layers."""
INPUT_ROOM, MEMORY_ROOM, TORQUE_ROOM = stack(4 * INPUTS * LANES), stack(4 * MOST_MEMORY * LANES), stack(4 * LANES)
TARGET_ROOM, VALUE_ROOM = stack(8 * LANES), stack(8)

_installed: dict[tuple[int, int], Any] = {}
"""What MuJoCo calls, kept alive, by the number of layers and cells."""


def install(sizes: tuple[int, int]) -> None:
    """Let MuJoCo drive actuators with networks of these many layers and cells, from now on, in this process."""
    if sizes in _installed:
        return
    address = ctypes.c_void_p.in_dll(library(), "mjcb_act_dyn")
    before = ctypes.cast(address.value, ACTIVATION) if address.value else ACTIVATION(lambda *_: 0.0)
    ours = build(sizes, before)
    address.value = ours.address
    _installed[sizes] = ours, before


class Words(NamedTuple):
    """Which 8-byte words of mjModel and mjData hold what the drives read."""

    parameters: int
    delay: int
    first_activation: int
    numeric_first: int
    numeric_data: int
    time_step: int
    activation: int
    rate: int
    control: int
    length: int
    velocity: int
    time: int


def find_words() -> Words:
    """Those of the installed MuJoCo; a ValueError if it has them elsewhere than it says."""
    time_step = (struct_type("mjModel").opt.offset + struct_type("mjOption").timestep.offset) // 8
    model = words(
        "mjModel", ("actuator_dynprm", "actuator_delay", "actuator_actadr", "numeric_adr", "numeric_data"), PROBE
    )
    data = words("mjData", ("act", "act_dot", "ctrl", "actuator_length", "actuator_velocity", "time"), PROBE)
    return Words._make((*model, time_step, *data))


@compiled
def drive(m: Any, d: Any, actuator: int, target: Any, at: Words, layers: int, hidden: Extent) -> None:
    """Write the rates of memory and torque of all joints of a robot, the first of which is `actuator`.

    `target` (LANES,) rad are the joint targets that have reached the drives.
    """
    dt, t = carray(m, (WORDS,), np.float64)[at.time_step], carray(d, (WORDS,), np.float64)[at.time]
    updates = math.ceil((t + dt) / PERIOD - ROUNDING) - math.ceil(t / PERIOD - ROUNDING)
    first = 8 * array(m, at.first_activation, 4 * actuator, np.int32)[0]
    rates, state = array(d, at.rate, first, np.float64), array(d, at.activation, first, np.float64)
    kept = 2 * layers * len(hidden)
    if updates < 1:
        for i in range((kept + 1) * LANES):
            rates[i] = 0.0
        return
    own = array(m, at.parameters, 8 * PARAMETERS * actuator, np.float64)
    numbers = 8 * array(m, at.numeric_first, 4 * int(own[NUMERIC]), np.int32)[0]
    weights = array(m, at.numeric_data, numbers, np.float32)
    position, velocity = array(d, at.length, 8 * actuator, np.float64), array(d, at.velocity, 8 * actuator, np.float64)
    x, torque = carray(INPUT_ROOM(), (INPUTS * LANES,), np.float32), carray(TORQUE_ROOM(), (LANES,), np.float32)
    memory = carray(MEMORY_ROOM(), (MOST_MEMORY * LANES,), np.float32)
    for lane in range(LANES):
        x[lane] = own[lane * PARAMETERS + POSITION_GAIN] * (target[lane] - position[lane])
        x[LANES + lane] = own[lane * PARAMETERS + VELOCITY_GAIN] * velocity[lane]
        for k in range(kept):
            memory[k * LANES + lane] = state[lane * (kept + 1) + k]
        rates[lane * (kept + 1) + kept] = 0.0
    for _ in range(updates):
        advance(weights, x, memory, torque, layers, hidden)
        for lane in range(LANES):
            rates[lane * (kept + 1) + kept] += torque[lane] / updates
    for lane in range(LANES):
        place = lane * (kept + 1)
        for k in range(kept):
            rates[place + k] = (memory[k * LANES + lane] - state[place + k]) / dt
        lag = own[lane * PARAMETERS + LAG]
        follows = 1.0 - math.exp(-updates * PERIOD / lag) if lag > 0.0 else 1.0
        rates[place + kept] = follows * (rates[place + kept] - state[place + kept]) / dt


def build(sizes: tuple[int, int], before: Any) -> Any:
    """The function for networks of these sizes, compiled for the installed MuJoCo; others it hands to `before`."""
    at, code, layers, hidden = find_words(), size_code(sizes), sizes[0], (0.0,) * sizes[1]
    parameters, delay, control, time = at.parameters, at.delay, at.control, at.time
    link(BEFORE, before)
    link(READS_CONTROL, library().mj_readCtrl)

    def activation_rate(m: Any, d: Any, actuator: int) -> float:
        own = array(m, parameters, 8 * PARAMETERS * actuator, np.float64)
        if own[MARKED] != MARK or own[SIZES] != code:
            return elsewhere(m, d, actuator)
        if own[LAST] != actuator:
            return 0.0
        first, room = actuator - LANES + 1, VALUE_ROOM()
        target, value = carray(TARGET_ROOM(), (LANES,), np.float64), carray(room, (1,), np.float64)
        now = carray(d, (WORDS,), np.float64)[time]
        for lane in range(LANES):
            target[lane] = array(d, control, 8 * (first + lane), np.float64)[0]
            if array(m, delay, 8 * (first + lane), np.float64)[0] > 0.0:
                found = read_control(m, d, first + lane, now, room, HOLD)
                target[lane] = carray(pointer(found), (1,), np.float64)[0] if found else value[0]
        drive(m, d, first, target, at, layers, hidden)
        return 0.0

    return c_function(activation_rate, SIGNATURE)
