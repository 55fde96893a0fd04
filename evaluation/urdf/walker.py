"""One robot in plain MuJoCo: what drives it, and its state as the environment would have it."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from typing import NamedTuple

import mujoco
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anymal_policy.kinematics import rotation_matrix
from envs import terminations
from envs.reading import SHAPES
from envs.state import RobotState, State
from evaluation.urdf.robot import Parts

SLIDING = 0
"""Column of geom_friction of the sliding coefficient."""


class Body(NamedTuple):
    """How one robot differs from the model."""

    friction: NDArray[np.floating]
    """(4,) of the feet."""
    base_mass: float
    """kg, added to the base."""
    links: NDArray[np.floating]
    """(12,) factors on the masses of hips, thighs and shanks."""
    drives: Mapping[str, NDArray[np.float64]]
    """Parameters of the drives (12, ...), by their field in MuJoCo's model."""


class Walker:
    """A robot of its own body, and its state of one row, which every step overwrites."""

    def __init__(self, model: mujoco.MjModel, parts: Parts, body: Body) -> None:
        """At the origin; `model` stays as it is."""
        self.model, self.parts = copy.copy(model), parts
        self.model.geom_friction[parts.feet, SLIDING] = body.friction
        for field, values in body.drives.items():
            getattr(self.model, field)[parts.drives] = values
        factor = np.ones(model.nbody)
        factor[parts.base] += body.base_mass / model.body_mass[parts.base]
        factor[parts.links] = body.links
        self.model.body_mass *= factor
        self.model.body_inertia *= factor[:, None]
        self.data = mujoco.MjData(self.model)
        mujoco.mj_setConst(self.model, self.data)
        self.state = State.blank(RobotState(*(torch.zeros((1, *shape)) for shape in SHAPES)), 1.0)

    @property
    def mass(self) -> Tensor:
        """kg, (1,)."""
        return torch.tensor([self.model.body_mass.sum()]).float()

    def start(self, qpos: NDArray, qvel: NDArray) -> None:
        """Put the robot into a state of the environment's physics, (19,) and (18,)."""
        data, parts = self.data, self.parts
        data.qpos[:7], data.qvel[:6] = qpos[:7], qvel[:6]
        data.qpos[parts.position], data.qvel[parts.velocity] = qpos[7:], qvel[6:]
        data.ctrl[parts.drives] = qpos[7:]
        mujoco.mj_forward(self.model, data)
        self._read()

    def push(self, velocity_w: NDArray) -> None:
        """Kick the base horizontally by (2,) m/s."""
        self.data.qvel[:2] += velocity_w

    def step(self, joint_target: NDArray, decimation: int) -> None:
        """Track joint targets (12,) rad for a policy step of `decimation` physics steps."""
        self.data.ctrl[self.parts.drives] = joint_target
        mujoco.mj_step(self.model, self.data, nstep=decimation)
        self._read()

    @property
    def fell(self) -> Tensor:
        """Whether the episode is over by a fall, (1,) bool."""
        failed = not np.isfinite(self.data.qpos).all()
        return torch.stack([term(self.state) for term in terminations.TERMS.values()]).any(0) | failed

    def _read(self) -> None:
        """Bring the state up to date, all of it that judges and sensors look at; contacts are of the last substep."""
        s, parts, data = self.state, self.parts, self.data
        mujoco.mj_kinematics(self.model, data)
        rotation = rotation_matrix(data.qpos[3:7])
        heading = math.atan2(rotation[1, 0], rotation[0, 0])
        ahead = np.array([[math.cos(heading), math.sin(heading)], [-math.sin(heading), math.cos(heading)]])
        touches = np.zeros(self.model.ngeom, bool)
        touches[data.contact.geom.ravel()] = True
        quantities = {
            "base_position_w": data.qpos[:3],
            "base_quaternion": data.qpos[3:7],
            "heading": heading,
            "linear_velocity_b": data.qvel[:3] @ rotation,
            "linear_velocity_yaw": [*ahead @ data.qvel[:2], data.qvel[2]],
            "angular_velocity_b": data.qvel[3:6],
            "gravity_b": -rotation[2],
            "joint_position": data.qpos[parts.position],
            "joint_velocity": data.qvel[parts.velocity],
            "joint_torque": data.actuator_force[parts.drives],
            "foot_position_w": data.geom_xpos[parts.feet],
            "foot_contact": touches[parts.feet],
            "base_contact": touches[self.model.geom_bodyid == parts.base].any(),
        }
        for name, value in quantities.items():
            getattr(s, name).numpy()[0] = value
