"""The drives of `envs.drives` as a Warp kernel: the same numbers, one thread a joint, in single precision.

MuJoCo Warp computes forces before it asks for the rates of activations, so that `actearly` would come a step late:
the kernel writes the force, too.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import mujoco
import numpy as np
import warp as wp
from mujoco_warp._src.history import read_ctrl_delayed
from mujoco_warp._src.types import vec10

from envs.drives.marks import LAG, MARK, MARKED, NUMERIC, POSITION_GAIN, SIZES, VELOCITY_GAIN
from envs.drives.native import ROUNDING
from envs.drives.network import GATES, INPUTS, PERIOD

AT_POSITION, AT_VELOCITY, AT_LAG = (wp.constant(place) for place in (POSITION_GAIN, VELOCITY_GAIN, LAG))
SECONDS, TOLERANCE = wp.constant(wp.float64(PERIOD)), wp.constant(wp.float64(ROUNDING))


def drive_sizes(model: mujoco.MjModel) -> tuple[int, int] | None:
    """Layers and cells of the network that drives this model's joints; None if it has no such drives."""
    own = model.actuator_dynprm[0]
    return divmod(int(own[SIZES]), 1000) if own[MARKED] == MARK else None


def make_drives(model: mujoco.MjModel, ticks: Any, device: Any) -> Callable[[Any, Any], None] | None:
    """What MuJoCo Warp calls for the rates of user actuators; `ticks` (n,) are physics steps since the reset.

    None if no network drives the joints of this model.
    """
    sizes = drive_sizes(model)
    if sizes is None:
        return None
    numeric = int(model.actuator_dynprm[0, NUMERIC])
    first, size = model.numeric_adr[numeric], model.numeric_size[numeric]
    packed = np.ascontiguousarray(model.numeric_data[first : first + size]).view(np.float32)
    weights, step = wp.array(packed, dtype=float, device=device), float(model.opt.timestep)
    kernel = drive_kernel(*sizes)
    target = wp.zeros((len(ticks), model.nu), dtype=float, device=device)

    def act_dyn(m: Any, d: Any) -> None:
        arrived = d.ctrl
        if m.nhistory > 0:
            read_ctrl_delayed(m, d, target)
            arrived = target
        wp.launch(
            kernel,
            dim=(d.nworld, m.nactuator),
            inputs=[
                *(weights, ticks, wp.float64(step), arrived, d.actuator_length, d.actuator_velocity, d.act),
                *(m.actuator_actadr, m.actuator_dynprm, m.actuator_gainprm, m.actuator_forcerange),
            ],
            outputs=[d.act_dot, d.actuator_force],
            device=device,
        )

    return act_dyn


@cache
def drive_kernel(layers: int, cells: int) -> Any:
    """The kernel for networks of this many layers of so many cells."""
    kept = 2 * layers * cells
    Memory, Seen = wp.types.vector(length=kept, dtype=float), wp.types.vector(length=cells, dtype=float)

    @wp.kernel(module="unique", enable_backward=False, module_options={"max_unroll": 1})
    def drive(
        weights: wp.array[float],
        ticks: wp.array[float],
        step: wp.float64,
        target: wp.array2d[float],
        position: wp.array2d[float],
        velocity: wp.array2d[float],
        activation: wp.array2d[float],
        first_activation: wp.array[int],
        parameters: wp.array2d[vec10],
        gains: wp.array2d[vec10],
        limits: wp.array2d[wp.vec2],
        rate: wp.array2d[float],
        force: wp.array2d[float],
    ):
        robot, joint = wp.tid()
        own = parameters[robot % parameters.shape[0], joint]
        first = first_activation[joint]
        before = wp.float64(ticks[robot]) * step
        updates = int(wp.ceil((before + step) / SECONDS - TOLERANCE)) - int(wp.ceil(before / SECONDS - TOLERANCE))
        error = own[AT_POSITION] * (target[robot, joint] - position[robot, joint])
        speed = own[AT_VELOCITY] * velocity[robot, joint]
        memory = Memory()
        for k in range(kept):
            memory[k] = activation[robot, first + k]
        torque = float(0.0)
        for _ in range(updates):
            at = int(0)
            below = Seen()
            for layer in range(layers):
                inputs = wp.where(layer == 0, wp.static(INPUTS), cells)
                width = 1 + inputs + cells
                outputs = Seen()
                for cell in range(cells):
                    gate = wp.vec4()
                    for kind in range(wp.static(GATES)):
                        row = at + (kind * cells + cell) * width
                        total = weights[row]
                        if layer == 0:
                            total += weights[row + 1] * error + weights[row + 2] * speed
                        else:
                            for k in range(cells):
                                total += weights[row + 1 + k] * below[k]
                        for k in range(cells):
                            total += weights[row + 1 + inputs + k] * memory[2 * cells * layer + k]
                        gate[kind] = wp.tanh(total)
                    here = 2 * cells * layer + cells + cell
                    cell_value = (0.5 + 0.5 * gate[1]) * memory[here] + (0.5 + 0.5 * gate[0]) * gate[3]
                    memory[here] = cell_value
                    outputs[cell] = (0.5 + 0.5 * gate[2]) * wp.tanh(cell_value)
                for cell in range(cells):
                    memory[2 * cells * layer + cell] = outputs[cell]
                below = outputs
                at += wp.static(GATES) * cells * width
            total_torque = weights[at + cells]
            for k in range(cells):
                total_torque += weights[at + k] * below[k]
            torque += total_torque / float(updates)
        dt = float(step)
        last = activation[robot, first + kept]
        follows = float(0.0)
        if updates > 0:
            follows = 1.0
            if own[AT_LAG] > 0.0:
                follows = 1.0 - wp.exp(-float(updates) * float(SECONDS) / own[AT_LAG])
        for k in range(kept):
            rate[robot, first + k] = (memory[k] - activation[robot, first + k]) / dt
        felt = last + follows * (torque - last)
        rate[robot, first + kept] = (felt - last) / dt
        limit = limits[robot % limits.shape[0], joint]
        force[robot, joint] = wp.clamp(gains[robot % gains.shape[0], joint][0] * felt, limit[0], limit[1])

    return drive
