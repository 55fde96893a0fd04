"""Specification of the drives that a policy expects, in numbers, for the contract of an exported policy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from envs.drives import drive_network, torque_gains
from envs.drives.cell import LANES, advance
from envs.drives.config import DriveConfig
from envs.drives.network import PERIOD, DriveNetwork
from envs.robot import STALL_TORQUE, TORQUE_LIMIT, VELOCITY_LIMIT, robot_spec

SMALL_ERROR, SMALL_VELOCITY = 0.1, 1.0
"""rad and rad/s at which a network's gains are told."""
FACTORS = ("strength", "position_gain", "velocity_gain", "lag")
"""Settings of the drives beside model and network."""
LONG = 200
"""Updates, 1 s, after which a network has settled."""


def describe(cfg: DriveConfig) -> dict[str, Any]:
    """Law, gains in N m/rad and N m s/rad, and limits in N m and rad/s of these drives."""
    network = drive_network(cfg)
    own = _pd(cfg) if network is None else _network(cfg, network)
    said = {"model": cfg.model, **own, "torque_limit_n_m": cfg.strength * TORQUE_LIMIT}
    said["factors"] = {name: getattr(cfg, name) for name in FACTORS}
    return said if cfg.model != "network" or network is None else {**said, "network_sha256": network.digest}


def _pd(cfg: DriveConfig) -> dict[str, Any]:
    """Of ideal PD drives."""
    kp, kd = cfg.strength * robot_spec(visual=False).compile().actuator_gainprm[0, torque_gains(cfg)]
    return {
        "law": "torque = kp (joint_target - joint_position) - kd joint_velocity",
        "kp_n_m_per_rad": float(kp),
        "kd_n_m_s_per_rad": float(kd),
        "stall_torque_n_m": cfg.strength * STALL_TORQUE,
        "velocity_limit_rad_per_s": VELOCITY_LIMIT,
    }


def _network(cfg: DriveConfig, network: DriveNetwork) -> dict[str, Any]:
    """Of drives with dynamics: how they answer small errors and velocities in the end, and how fast."""
    error, velocity = cfg.position_gain * SMALL_ERROR, cfg.velocity_gain * SMALL_VELOCITY
    answer = torques(network, error, 0.0) - torques(network, 0.0, 0.0)[-1]
    steady = cfg.strength * answer
    damping = cfg.strength * (torques(network, 0.0, -velocity)[-1] - torques(network, 0.0, velocity)[-1])
    reached = int(np.argmax(lagging(answer, cfg.lag) >= (1 - np.exp(-1.0)) * answer[-1])) + 1
    return {
        "law": "a drive with dynamics of its own, in position mode; its torque follows joint_target - joint_position "
        "and joint_velocity with a delay, with about these gains for small errors",
        "kp_n_m_per_rad": float(steady[-1] / SMALL_ERROR),
        "kd_n_m_s_per_rad": float(damping / (2 * SMALL_VELOCITY)),
        "rise_time_s": reached * PERIOD,
        "update_hz": 1 / PERIOD,
    }


def lagging(torque: np.ndarray, lag: float) -> np.ndarray:
    """A torque by update behind a first-order lag of `lag` s, in the end held until it has got through."""
    if lag == 0.0:
        return torque
    held = np.pad(torque, (0, math.ceil(10 * lag / PERIOD)), mode="edge")
    follows, behind, given = 1.0 - math.exp(-PERIOD / lag), 0.0, []
    for each in held:
        behind += follows * (each - behind)
        given.append(behind)
    return np.array(given)


def torques(network: DriveNetwork, error: float, velocity: float) -> np.ndarray:
    """Torque in N m after each update of a network that has rested, at a held error (rad) and velocity (rad/s)."""
    weights, torque = network.packed(), np.zeros(LANES, np.float32)
    memory = np.zeros(network.memory_size * LANES, np.float32)
    layers, hidden = network.sizes
    given = []
    for x in LONG * [(0.0, 0.0)] + LONG * [(error, velocity)]:
        advance(weights, np.repeat(np.array(x, np.float32), LANES), memory, torque, layers, (0.0,) * hidden)
        given.append(float(torque[0]))
    return np.array(given[LONG:])
