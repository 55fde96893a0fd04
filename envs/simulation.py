"""The physics of n robots on one terrain: an engine behind the few calls that an environment needs.

Everything here is in the world frame and in MuJoCo's conventions; `RobotState` is what comes out. Same bits at any
thread count of MuJoCo's own engine.
"""

from __future__ import annotations

from typing import Protocol

import mujoco
import numpy as np
import torch
from mujoco.batch import SimulationError
from torch import Tensor

from anymal_policy.layout import JOINTS, LEGS, POLICY_DT
from envs import robot
from envs.drives import PD, DriveConfig, equip, torque_gains
from envs.drives.marks import LAG, POSITION_GAIN, VELOCITY_GAIN
from envs.engines import EngineName, make_engine
from envs.library import stop_timers
from envs.randomization import Drives
from envs.reading import Columns, Readings, mark_failed, robot_state, update
from envs.solver import OURS, SolverConfig, set_solver, solid_geoms, time_constant
from envs.state import RobotState

BAD_STATE = np.array([getattr(mujoco.mjtWarning, f"mjWARN_BAD{bad}").value for bad in ("QPOS", "QVEL", "QACC", "CTRL")])
"""MuJoCo's warnings that mean a simulation is beyond repair."""
GAINS = np.array([POSITION_GAIN, VELOCITY_GAIN])
"""Columns of an actuator's dynprm of the factors on what a drive feels."""

PARAMETERS = {
    "friction": "geom_friction",
    "mass": "body_mass",
    "inertia": "body_inertia",
    "gain": "actuator_gainprm",
    "force_range": "actuator_forcerange",
    "dynamics": "actuator_dynprm",
    "delay": "actuator_delay",
    "contact": "geom_solref",
}
"""What differs between the robots: attribute of the simulation -> field of MuJoCo's model."""
SLIDING = 0
"""Column of geom_friction of the sliding coefficient."""


class Ground(Protocol):
    """What the simulation needs of a terrain."""

    def add_to_spec(self, spec: mujoco.MjSpec) -> None:
        """Add the terrain's geom to the world."""
        ...

    def write_to_model(self, model: mujoco.MjModel) -> None:
        """Fill the compiled model with the terrain's heights."""
        ...


def build_model(
    ground: Ground,
    visual: bool = False,
    drive: DriveConfig = PD,
    remembered: int = 0,
    shapes: robot.Shapes = robot.SHAPES,
) -> mujoco.MjModel:
    """The robot in the world on `ground`, compiled; `visual` adds the looks, which change no motion but cost time.

    Each drive's targets of the last physics steps are `remembered`, so many, for drives that get them late.
    """
    stop_timers()
    spec = robot.robot_spec(visual, shapes)
    equip(spec, drive)
    for actuator in spec.actuators:
        actuator.nsample = remembered
    ground.add_to_spec(spec)
    model = spec.compile()
    ground.write_to_model(model)
    return model


class Simulation:
    """n robots stepped together; randomisation, forces and resets by env_ids."""

    def __init__(
        self,
        ground: Ground,
        num_envs: int,
        threads: int,
        decimation: int,
        policy_dt: float = POLICY_DT,
        drive: DriveConfig = PD,
        solver: SolverConfig = OURS,
        shapes: robot.Shapes = robot.SHAPES,
        longest_delay: float = 0.0,
        engine: EngineName = "mujoco",
    ) -> None:
        """Robots at the origin; a policy step of `policy_dt` s is `decimation` equal physics steps.

        `set_delay` may let drives get their targets up to `longest_delay` s late.
        """
        timestep = policy_dt / decimation
        late = round(longest_delay / timestep)
        remembered = late + 1 if late else 0
        self.model = build_model(ground, drive=drive, remembered=remembered, shapes=shapes)
        self.model.opt.timestep = timestep
        set_solver(self.model, solver)
        self.decimation = decimation
        self.batch = make_engine(engine, self.model, num_envs, threads, PARAMETERS.values())
        self.qpos, self.qvel = self.batch.bind("qpos"), self.batch.bind("qvel")
        self.control, self.wrench = self.batch.bind("ctrl"), self.batch.bind("xfrc_applied")
        (
            self.friction, self.mass, self.inertia, self.gain,
            self.force_range, self.dynamics, self.delay, self.contact,
        ) = map(self.batch.expand, PARAMETERS.values())  # fmt: skip
        self.drives_have_dynamics, self.gains = drive.model != "pd", torque_gains(drive)
        self.solid = solid_geoms(self.model)
        self.base = self.model.body("base").id
        self.feet = np.array([self.model.geom(f"{leg}_foot").id for leg in LEGS])
        self.links = np.array(
            [self.model.body(f"{leg}_{part}").id for leg in LEGS for part in ("HIP", "THIGH", "SHANK")]
        )
        self.actuators = np.array([self.model.actuator(joint).id for joint in JOINTS], np.int64)
        self.readings = Readings(self.qpos, self.qvel, self.batch.bind("actuator_force"), self.batch.bind("sensordata"))
        self.columns = Columns(
            *map(self._columns, ("foot_force", "foot_normal", "thigh_contact", "shank_contact")),
            base_contact=int(self.model.sensor("base_contact").adr[0]),
            torque=self.actuators,
        )
        history = self.batch.bind("history").reshape(num_envs, self.model.nu, -1)
        self.past_control = history[:, :, history.shape[-1] - remembered :]
        self.failed = torch.zeros(num_envs, dtype=torch.bool)
        self.batch.forward()

    def _columns(self, quantity: str) -> np.ndarray:
        """First column of sensordata of a per-leg sensor, (4,)."""
        return np.array([self.model.sensor(f"{leg}_{quantity}").adr[0] for leg in LEGS], np.int64)

    def step(self, joint_target: Tensor) -> None:
        """Track joint targets (n, 12) rad for one policy step; marks in `failed` robots that MuJoCo gives up on."""
        self.control[:, self.actuators] = joint_target.numpy()
        warned = np.array(self.batch.warning)
        self.failed.zero_()
        try:
            self.batch.step(nstep=self.decimation)
        except SimulationError as error:
            self.failed[torch.from_numpy(np.asarray(error.ids, dtype=np.int64))] = True
        mark_failed(self.readings, warned, self.batch.warning, BAD_STATE, self.failed.numpy())

    def read(self) -> RobotState:
        """State of all robots, in new tensors; failed robots have position, joints and sensors zero."""
        return robot_state(self.readings, self.columns, self.failed.numpy())

    def update(self, state: RobotState, env_ids: Tensor) -> None:
        """Read these robots into a state of all robots."""
        update(state, self.readings, self.columns, env_ids.numpy(), self.failed.numpy())

    def reset(self, env_ids: Tensor, qpos: Tensor, qvel: Tensor) -> None:
        """Put these robots into a state (m, 19) and (m, 18), without memory of what was before."""
        ids = env_ids.numpy()
        self.batch.reset(ids, stage=mujoco.mjtStage.mjSTAGE_NONE)
        self.qpos[ids], self.qvel[ids] = qpos.numpy(), qvel.numpy()
        self.control[np.ix_(ids, self.actuators)] = qpos[:, 7:].numpy()
        self.past_control[ids] = self.control[ids, :, None]
        self.batch.warning[ids] = 0
        self.failed[env_ids] = False

    def settle(self, env_ids: Tensor) -> None:
        """Forward pass without a step (mj_forward): all that derives from these robots' state, sensors included."""
        self.batch.forward(env_ids.numpy())

    def set_friction(self, env_ids: Tensor, friction: Tensor) -> None:
        """Sliding friction of each foot, (m, 4)."""
        self.friction[env_ids.numpy()[:, None], self.feet, SLIDING] = friction.numpy()
        self.batch.changed(env_ids.numpy())

    def set_mass(self, env_ids: Tensor, base: Tensor, links: Tensor) -> None:
        """Mass added to the base (m,) kg, and factors on hips, thighs and shanks (m, 12); inertias scale along."""
        ids = env_ids.numpy()
        factor = np.ones((len(ids), self.model.nbody))
        factor[:, self.base] += base.numpy() / self.model.body_mass[self.base]
        factor[:, self.links] = links.numpy()
        self.mass[ids] = self.model.body_mass * factor
        self.inertia[ids] = self.model.body_inertia * factor[..., None]
        self.batch.set_const(ids)

    def set_strength(self, env_ids: Tensor, strength: Tensor) -> None:
        """Factor on the torque of each joint's drive, (m, 12)."""
        ids, factor = env_ids.numpy(), strength.numpy()[..., None]
        gains = self.model.actuator_gainprm[np.ix_(self.actuators, self.gains)]
        self.gain[np.ix_(ids, self.actuators, self.gains)] = gains * factor
        self.force_range[np.ix_(ids, self.actuators)] = self.model.actuator_forcerange[self.actuators] * factor
        self.batch.changed(ids)

    def set_drives(self, env_ids: Tensor, strength: Tensor, drives: Drives) -> None:
        """Drives of these robots that differ from the model, and the factor on their torque, (m, 12)."""
        ids = env_ids.numpy()
        self.set_strength(env_ids, strength * drives.strength)
        self.force_range[np.ix_(ids, self.actuators)] *= drives.limit.numpy()[..., None]
        feels = torch.stack([drives.position_gain, drives.velocity_gain], dim=-1).numpy()
        own = self.model.actuator_dynprm[self.actuators]
        self.dynamics[np.ix_(ids, self.actuators, GAINS)] = own[:, GAINS] * feels
        self.dynamics[ids[:, None], self.actuators, LAG] = own[:, LAG] + drives.lag.numpy()
        self.batch.changed(ids)

    def set_delay(self, env_ids: Tensor, delay: Tensor) -> None:
        """Time (m,) s by which drives get their targets late, rounded to physics steps.

        MuJoCo takes a target that is as old as the delay or older: half a step less leaves no tie to rounding.
        """
        steps = (delay.double() / self.model.opt.timestep).round()
        self.delay[env_ids.numpy()] = ((steps - 0.5).clamp(min=0.0) * self.model.opt.timestep)[:, None].numpy()
        self.batch.changed(env_ids.numpy())

    def set_stiffness(self, env_ids: Tensor, factor: Tensor) -> None:
        """Factor on the stiffness of each robot's contacts, (m,)."""
        self.contact[env_ids.numpy()[:, None], self.solid, 0] = time_constant(self.model, factor.numpy())
        self.batch.changed(env_ids.numpy())

    def set_wrench(self, env_ids: Tensor, force_w: Tensor, torque_w: Tensor) -> None:
        """Force and torque on the base's centre of mass from now on, N and N m, (m, 3) each."""
        self.wrench[env_ids.numpy(), self.base] = torch.cat([force_w, torque_w], dim=-1).numpy()
        self.batch.changed(env_ids.numpy())

    def add_velocity(self, velocity_w: Tensor) -> None:
        """Kick every base horizontally by (n, 2) m/s."""
        self.qvel[:, :2] += velocity_w.numpy()

    def state_dict(self) -> dict[str, Tensor]:
        """The physics of all robots, exact."""
        arrays = {"state": self.batch.state, "warning": self.batch.warning}
        arrays |= {name: getattr(self, name) for name in PARAMETERS}
        return {name: torch.from_numpy(np.array(array)) for name, array in arrays.items()}

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Restore `state_dict`."""
        for name in PARAMETERS.keys() & state.keys():
            getattr(self, name)[:] = state[name].numpy()
        self.batch.set_const()
        self.batch.state[:] = state["state"].numpy()
        self.batch.forward()
        self.batch.warning[:] = state["warning"].numpy()
