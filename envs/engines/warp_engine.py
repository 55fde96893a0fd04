"""MuJoCo Warp as an engine: all robots' physics on one device, one captured graph a policy step where it can.

State that the environment reads and writes every step (positions, velocities, targets) lives on the host and goes to
the device and back with each step; the memory of drives and solver stays there until somebody asks for it.
"""

# pyright: reportMissingImports=false

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Collection
from typing import Any

import mujoco
import mujoco_warp as mjw
import numpy as np
import warp as wp
from numpy.typing import NDArray

from envs.engines.mirror import Mirror, count
from envs.engines.warp_collider import make_collider
from envs.engines.warp_drives import make_drives
from system.console import say

EVERY_STEP = "qpos", "qvel", "ctrl"
"""State that goes to the device before every call."""
MEMORY = "act", "qacc_warmstart", "history", "time", "ticks"
"""State that stays on the device; ticks are physics steps since the reset, which float32 counts exactly."""
FORCES = "xfrc_applied"
"""State that goes there when it has changed."""
DERIVED = "body_subtreemass", "body_invweight0", "dof_invweight0", "actuator_acc0"
"""Model values that follow from masses and inertias."""
READ = "actuator_force", "sensordata"
"""What comes back besides the state."""
CONTACTS, ROWS = 32, 224
"""Room for contacts per robot, on average over all, and for the rows of constraints of each: 4 a contact, and 24 joint
limits; a robot that lies on stairs has 20."""
LARGEST = 1e10
"""Positions and velocities beyond it are a failure, as in MuJoCo (mjMAXVAL)."""
LOST = int(
    mjw.OverflowType.NEFC | mjw.OverflowType.NJMAX_NNZ | mjw.OverflowType.BROADPHASE | mjw.OverflowType.NARROWPHASE
    | mjw.OverflowType.CCD | mjw.OverflowType.HFIELD | mjw.OverflowType.CONTACT_MATCH
)  # fmt: skip
"""What MuJoCo Warp says of a robot some of whose contacts or constraints found no room."""
WILD, SQUEEZED = mujoco.mjtWarning.mjWARN_BADQPOS.value, mujoco.mjtWarning.mjWARN_BADQACC.value
"""Warnings that robots get whose states are no numbers, and whose accelerations lack some contacts."""


def known(model: mujoco.MjModel) -> mujoco.MjModel:
    """A copy of a model that MuJoCo Warp takes.

    Flags that it does not know go: there is nothing there for them to stop. User actuators, whose activations it leaves
    alone, become integrators: the drives' kernel replaces their rates.
    """
    plain = copy.copy(model)
    plain.opt.disableflags &= int(np.bitwise_or.reduce(list(mjw.DisableBit)))
    user = plain.actuator_dyntype == mujoco.mjtDyn.mjDYN_USER
    plain.actuator_dyntype[user] = mujoco.mjtDyn.mjDYN_INTEGRATOR
    return plain


def best_device() -> Any:
    """A GPU, another one for each process that torch.distributed.run starts on this machine, else the CPU."""
    wp.config.quiet = True
    wp.init()
    gpus = wp.get_cuda_devices()
    if gpus:
        return gpus[int(os.environ.get("LOCAL_RANK", 0)) % len(gpus)]
    say(
        "Note: Warp finds no GPU, so --env.engine warp computes on the CPU, where it is for tests alone: "
        "--env.engine mujoco is many times faster."
    )
    return wp.get_device("cpu")


class WarpEngine:
    """n simulations of a model, used as `envs.engines.Engine` says."""

    def __init__(self, model: mujoco.MjModel, nsim: int, varied: Collection[str]) -> None:
        """All of them in the model's first state; they may differ in the `varied` model values."""
        self.nsim, self.model = nsim, model
        self.device = best_device()
        self.warning = np.zeros((nsim, mujoco.mjtWarning.mjNWARNING.value, 2), np.int64)
        with wp.ScopedDevice(self.device):
            self._build(model, varied)
        self.graphs: dict[Any, Any] = {}
        self.expanded: dict[str, Mirror] = {}
        self.stale = np.ones(nsim, bool)
        self.here = np.ones(nsim, bool)
        self.told = False

    def _build(self, model: mujoco.MjModel, varied: Collection[str]) -> None:
        """Model and data on the device, and the host's side of the state."""
        self.own = plain = known(model)
        self.scratch = mujoco.MjData(plain)
        collide = make_collider(model, self.nsim, self.device)
        if collide is not None:
            plain.geom_conaffinity[model.geom_type == mujoco.mjtGeom.mjGEOM_HFIELD] = 0
        fields = {name: self.nsim for name in (*varied, *DERIVED)}
        self.m = mjw.put_model(plain, fields)
        self.m.opt.warn_overflow = 0  # else each robot prints in each step: `_judge` counts them
        if self.device.is_cuda:
            self.m.opt.graph_conditional = wp.is_conditional_graph_supported()
        self.d = mjw.make_data(plain, nworld=self.nsim, nconmax=CONTACTS, njmax=ROWS)
        self.ticks = wp.zeros(self.nsim, dtype=float)
        self.m.callback.act_dyn = make_drives(model, self.ticks, self.device)
        self.m.callback.contactfilter = collide
        data = mujoco.MjData(model)
        first = {name: np.array(getattr(data, name, 0.0)) for name in (*EVERY_STEP, FORCES, *MEMORY)}
        self.initial = np.concatenate([values.ravel() for values in first.values()])
        self.host = np.tile(self.initial, (self.nsim, 1))
        ends = np.cumsum([values.size for values in first.values()])
        self.fields = {
            name: self.host[:, end - values.size : end].reshape(self.nsim, *values.shape)
            for (name, values), end in zip(first.items(), ends, strict=True)
        }
        self.read = {name: np.zeros((self.nsim, getattr(data, name).size)) for name in READ}
        self.mirrors = {
            name: Mirror(array, self.ticks if name == "ticks" else getattr(self.d, name))
            for name, array in (self.fields | self.read).items()
            if array.size
        }

        self.memory = [name for name in MEMORY if name in self.mirrors]

    @property
    def state(self) -> NDArray[np.float64]:
        """All that the next step depends on, (n, size): here until the next step."""
        there = np.flatnonzero(~self.here)
        if len(there):
            for name in self.memory:
                self.mirrors[name].fetch(there)
        self.here[:] = self.stale[:] = True
        return self.host

    def bind(self, name: str) -> NDArray[np.float64]:
        """A view of a field of the state, or what was last read of a derived one."""
        return self.read[name] if name in self.read else self.fields[name]

    def expand(self, name: str) -> NDArray[np.float64]:
        """Model values of each robot, which go to the device after `changed`."""
        if name not in self.expanded:
            own = np.asarray(getattr(self.model, name), np.float64)
            self.expanded[name] = Mirror(np.tile(own, (self.nsim, *np.ones(own.ndim, int))), getattr(self.m, name))
        return self.expanded[name].host

    def changed(self, ids: NDArray[np.int64]) -> None:
        """Send model values and external forces of these robots before the next call."""
        self.stale[ids] = True

    def set_const(self, ids: NDArray[np.int64] | None = None) -> None:
        """Compute what follows from masses and inertias, as MuJoCo does it, with one model on the host."""
        changed = np.arange(self.nsim) if ids is None else ids
        mass, inertia = self.expand("body_mass"), self.expand("body_inertia")
        own, data = self.own, self.scratch
        derived = [self.expand(name) for name in DERIVED]
        for env_id in changed:
            own.body_mass, own.body_inertia = mass[env_id], inertia[env_id]
            mujoco.mj_setConst(own, data)
            for name, values in zip(DERIVED, derived, strict=True):
                values[env_id] = getattr(own, name)
        self.stale[changed] = True

    def reset(self, ids: NDArray[np.int64], *, stage: mujoco.mjtStage) -> None:
        """Put these robots into the model's first state; `forward` brings up to date what follows from it."""
        self.host[ids] = self.initial
        self.here[ids] = self.stale[ids] = True

    def forward(self, ids: NDArray[np.int64] | None = None) -> None:
        """Compute what follows from all robots' states, and read that of these."""
        selected: Any = slice(None) if ids is None else ids
        if ids is None:
            self.stale[:] = True
        with wp.ScopedDevice(self.device):
            self._send()
            self._run("forward", lambda: mjw.forward(self.m, self.d))
            for name in READ:
                self.mirrors[name].fetch(selected)

    def step(self, *, nstep: int) -> None:
        """Advance all robots by so many physics steps; those whose state is wrong then are counted in `warning`."""
        with wp.ScopedDevice(self.device):
            self._send()
            self.here[:] = False
            self._run(nstep, lambda: self._advance(nstep))
            for name in ("qpos", "qvel", *READ):
                self.mirrors[name].fetch()
        self._judge()

    def _judge(self) -> None:
        """Count robots that ended up as no robots, and those whose contacts found no room.

        Contacts have one room for all: if it overflows, nobody knows whose are lost, and all robots count.
        """
        sane = [abs(self.fields[name]) < LARGEST for name in ("qpos", "qvel")]
        self.warning[~np.concatenate(sane, axis=1).all(1), WILD, 1] += 1
        lost = (self.d.overflow.numpy() & LOST) != 0
        self.warning[lost, SQUEEZED, 1] += 1
        if lost.any() and not self.told:
            self.told = True
            say(
                f"Note: --env.engine warp has room for {CONTACTS} contacts a robot on average and {ROWS} rows of "
                f"constraints of each; {lost.sum()} of {self.nsim} robots needed more, and count as failed simulations."
            )

    def _advance(self, nstep: int) -> None:
        self.d.overflow.zero_()
        for _ in range(nstep):
            mjw.step(self.m, self.d)
            wp.launch(count, dim=self.nsim, outputs=[self.ticks])

    def _send(self) -> None:
        """Bring the device up to date."""
        for name in EVERY_STEP:
            self.mirrors[name].send()
        here, stale = np.flatnonzero(self.here), np.flatnonzero(self.stale)
        for name in self.memory:
            self.mirrors[name].send_some(here)
        self.mirrors[FORCES].send_some(stale)
        for mirror in self.expanded.values():
            mirror.send_some(stale)
        self.stale[:] = False

    def _run(self, name: Any, work: Callable[[], None]) -> None:
        """Do the work, on a GPU as a graph that is captured when it has been done once."""
        if not self.device.is_cuda:
            work()
        elif name in self.graphs:
            if self.graphs[name] is None:
                with wp.ScopedCapture(self.device) as capture:
                    work()
                self.graphs[name] = capture.graph
            wp.capture_launch(self.graphs[name])
        else:
            work()
            self.graphs[name] = None
