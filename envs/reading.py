"""From MuJoCo's numbers to the robots' state, robot by robot in machine code: some 50 small tensor operations less."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anymal_policy.gait import leg_chain
from envs.state import RobotState
from envs.terrains.compiled import compiled, inlined

Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]


class Readings(NamedTuple):
    """What MuJoCo says of n robots, float64."""

    qpos: NDArray[np.float64]
    """(n, 19) position, quaternion, joints."""
    qvel: NDArray[np.float64]
    """(n, 18) linear velocity in the world, angular velocity in the base, joints."""
    torque: NDArray[np.float64]
    """(n, 12) N m, by actuator."""
    sensors: NDArray[np.float64]
    """(n, sensors) contact sensors."""


class Columns(NamedTuple):
    """Places in `Readings.sensors`, by leg."""

    foot_force: NDArray[np.int64]
    """(4,) the number of contacts; the force in the world, N, follows."""
    foot_normal: NDArray[np.int64]
    """(4,) first of three."""
    thigh_contact: NDArray[np.int64]
    """(4,) number of contacts."""
    shank_contact: NDArray[np.int64]
    """(4,) number of contacts."""
    base_contact: int
    """Number of contacts."""
    torque: NDArray[np.int64]
    """(12,) places in `Readings.torque`, by joint."""


class Arrays(NamedTuple):
    """`RobotState`, in numpy."""

    base_position_w: NDArray[np.float32]
    base_quaternion: NDArray[np.float32]
    heading: NDArray[np.float32]
    linear_velocity_b: NDArray[np.float32]
    linear_velocity_yaw: NDArray[np.float32]
    angular_velocity_b: NDArray[np.float32]
    gravity_b: NDArray[np.float32]
    joint_position: NDArray[np.float32]
    joint_velocity: NDArray[np.float32]
    joint_torque: NDArray[np.float32]
    foot_position_w: NDArray[np.float32]
    foot_velocity_w: NDArray[np.float32]
    foot_contact: NDArray[np.float32]
    foot_force_w: NDArray[np.float32]
    foot_normal_w: NDArray[np.float32]
    thigh_contact: NDArray[np.float32]
    shank_contact: NDArray[np.float32]
    base_contact: NDArray[np.float32]


SHAPES: tuple[tuple[int, ...], ...] = (
    (3,), (4,), (), (3,), (3,), (3,), (3,), (12,), (12,), (12,),
    (4, 3), (4, 3), (4,), (4, 3), (4, 3), (4,), (4,), (),
)  # fmt: skip
"""Of one robot, in the order of `Arrays`."""
CHAIN = leg_chain().numpy()


@compiled
def _turned(quaternion: Quaternion, sign: float, x: float, y: float, z: float) -> Vector:
    """A vector turned by the unit quaternion, or, with `sign` -1, by its inverse."""
    w, a, b, c = quaternion
    tx, ty, tz = 2.0 * (b * z - c * y), 2.0 * (c * x - a * z), 2.0 * (a * y - b * x)
    w *= sign
    return x + w * tx + b * tz - c * ty, y + w * ty + c * tx - a * tz, z + w * tz + a * ty - b * tx


@compiled
def _turn(angle: float) -> complex:
    """exp(i angle), faster than cmath's."""
    return complex(math.cos(angle), math.sin(angle))


@compiled
def _three(values: NDArray, first: int) -> Vector:
    """Three values in a row."""
    return values[first], values[first + 1], values[first + 2]


@compiled
def _foot(joints: Vector, rates: Vector, chain: NDArray, leg: int) -> tuple[Vector, Vector]:
    """Foot centre in m and its velocity in m/s relative to the base, in the base frame, of one leg's three joints.

    `chain` (4, 4, 3) m is `gait.leg_chain`. A turn by q about y multiplies z + ix by exp(iq), one about x does so with
    y + iz.
    """
    thigh = complex(chain[leg, 2, 2], chain[leg, 2, 0]) * _turn(joints[1])
    shank = complex(chain[leg, 3, 2], chain[leg, 3, 0]) * _turn(joints[1] + joints[2])
    swing = complex(chain[leg, 1, 2], chain[leg, 1, 0]) + thigh + shank
    swing_rate = 1j * (rates[1] * thigh + (rates[1] + rates[2]) * shank)
    turn = _turn(joints[0])
    sideways = complex(chain[leg, 1, 1] + chain[leg, 2, 1] + chain[leg, 3, 1], swing.real) * turn
    sideways_rate = 1j * (swing_rate.real * turn + rates[0] * sideways)
    position = (chain[leg, 0, 0] + swing.imag, chain[leg, 0, 1] + sideways.real, chain[leg, 0, 2] + sideways.imag)
    return position, (swing_rate.imag, sideways_rate.real, sideways_rate.imag)


@inlined
def _fill_base(qpos: NDArray, qvel: NDArray, quaternion: Quaternion, out: Arrays, i: int) -> None:
    velocity, down = _turned(quaternion, -1.0, qvel[0], qvel[1], qvel[2]), _turned(quaternion, -1.0, 0.0, 0.0, -1.0)
    w, x, y, z = quaternion
    heading = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
    level = _turn(-heading) * complex(qvel[0], qvel[1])
    velocity_yaw = level.real, level.imag, qvel[2]
    out.heading[i] = heading
    for axis in range(3):
        out.base_position_w[i, axis], out.angular_velocity_b[i, axis] = qpos[axis], qvel[3 + axis]
        out.linear_velocity_b[i, axis], out.gravity_b[i, axis] = velocity[axis], down[axis]
        out.linear_velocity_yaw[i, axis] = velocity_yaw[axis]
    for k in range(4):
        out.base_quaternion[i, k] = quaternion[k]


@inlined
def _fill_foot(
    qpos: NDArray, qvel: NDArray, quaternion: Quaternion, chain: NDArray, out: Arrays, i: int, leg: int
) -> None:
    turn = _three(qvel, 3)
    at, rate = _foot(_three(qpos, 7 + 3 * leg), _three(qvel, 6 + 3 * leg), chain, leg)
    moved = (
        rate[0] + turn[1] * at[2] - turn[2] * at[1],
        rate[1] + turn[2] * at[0] - turn[0] * at[2],
        rate[2] + turn[0] * at[1] - turn[1] * at[0],
    )
    place, velocity = _turned(quaternion, 1.0, *at), _turned(quaternion, 1.0, *moved)
    for axis in range(3):
        out.foot_position_w[i, leg, axis] = qpos[axis] + place[axis]
        out.foot_velocity_w[i, leg, axis] = qvel[axis] + velocity[axis]


@compiled
def _fill(readings: Readings, columns: Columns, chain: NDArray, env_ids: NDArray, failed: NDArray, out: Arrays) -> None:
    """Write the state of these robots."""
    qpos, qvel = np.zeros(readings.qpos.shape[1]), np.zeros(readings.qvel.shape[1])
    torque, sensors = np.zeros(readings.torque.shape[1]), np.zeros(readings.sensors.shape[1])
    for i in env_ids:
        valid = not failed[i]
        for to, given in ((qpos, readings.qpos), (qvel, readings.qvel)):
            for k in range(len(to)):
                to[k] = given[i, k] if valid else 0.0
        for to, given in ((torque, readings.torque), (sensors, readings.sensors)):
            for k in range(len(to)):
                to[k] = given[i, k] if valid else 0.0
        quaternion = qpos[3], qpos[4], qpos[5], qpos[6]
        _fill_base(qpos, qvel, quaternion, out, i)
        for joint in range(12):
            out.joint_position[i, joint], out.joint_velocity[i, joint] = qpos[7 + joint], qvel[6 + joint]
            out.joint_torque[i, joint] = torque[columns.torque[joint]]
        for leg in range(4):
            _fill_foot(qpos, qvel, quaternion, chain, out, i, leg)
            force, normal = columns.foot_force[leg], columns.foot_normal[leg]
            for axis in range(3):
                out.foot_force_w[i, leg, axis] = sensors[force + 1 + axis]
                out.foot_normal_w[i, leg, axis] = sensors[normal + axis]
            out.foot_contact[i, leg] = sensors[force] > 0
            out.thigh_contact[i, leg] = sensors[columns.thigh_contact[leg]] > 0
            out.shank_contact[i, leg] = sensors[columns.shank_contact[leg]] > 0
        out.base_contact[i] = sensors[columns.base_contact] > 0


@compiled
def mark_failed(readings: Readings, before: NDArray, warnings: NDArray, kinds: NDArray, failed: NDArray) -> None:
    """Mark robots (n,) whose state is not finite, or of whom MuJoCo's warnings (n, kinds, 2) of `kinds` have grown."""
    for i in range(len(failed)):
        for kind in kinds:
            failed[i] |= warnings[i, kind, 1] > before[i, kind, 1]
        for given in (readings.qpos, readings.qvel):
            for k in range(given.shape[1]):
                failed[i] |= not math.isfinite(given[i, k])


@compiled
def _fill_offsets(quaternion: NDArray, joints: NDArray, chain: NDArray, out: NDArray) -> None:
    still = 0.0, 0.0, 0.0
    for i in range(len(joints)):
        turn = quaternion[i, 0], quaternion[i, 1], quaternion[i, 2], quaternion[i, 3]
        for leg in range(4):
            at, _ = _foot(_three(joints[i], 3 * leg), still, chain, leg)
            out[i, leg, 0], out[i, leg, 1], out[i, leg, 2] = _turned(turn, 1.0, *at)


def foot_offsets(quaternion: Tensor, joint_position: Tensor) -> Tensor:
    """Foot centres relative to the base origin, in the world's axes, (m, 4, 3) m, float64.

    `quaternion` (m, 4) turns base vectors into world vectors, joint positions (m, 12) are in rad.
    """
    out = np.empty((len(joint_position), 4, 3))
    _fill_offsets(quaternion.double().numpy(), joint_position.double().numpy(), CHAIN, out)
    return torch.from_numpy(out)


def robot_state(readings: Readings, columns: Columns, failed: NDArray[np.bool_]) -> RobotState:
    """State of all robots, in new tensors; of `failed` robots (n,) all is read as zero."""
    n = len(failed)
    state = RobotState(*(torch.empty((n, *shape)) for shape in SHAPES))
    update(state, readings, columns, np.arange(n), failed)
    return state


def update(
    state: RobotState, readings: Readings, columns: Columns, env_ids: NDArray[np.int64], failed: NDArray[np.bool_]
) -> None:
    """Overwrite these robots of a state in the same way."""
    arrays = Arrays(*(getattr(state, name).numpy() for name in Arrays._fields))
    _fill(readings, columns, CHAIN, env_ids, failed, arrays)
