"""What moves n robots: MuJoCo on the cores, or MuJoCo Warp on a GPU, behind the calls of MuJoCo's batch."""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, Protocol

import mujoco
import numpy as np
from mujoco.batch import Batch
from numpy.typing import NDArray

EngineName = Literal["mujoco", "warp"]
"""mujoco is MuJoCo's batch on the CPU's cores; warp is MuJoCo Warp, for a GPU."""
PACKAGES = {"mujoco-warp": "4.0.0", "warp-lang": "1.19.0"}
"""What the engine warp needs, in the versions whose insides it knows; those of requirements-gpu.txt."""


class Engine(Protocol):
    """n simulations of one model; the calls and their meaning are those of `mujoco.batch.Batch`.

    Arrays of `bind` and `expand` have a row for each simulation. What is written to the state is the simulation's at
    its next call, what is written to model values is so after `changed`.
    """

    @property
    def nsim(self) -> int:
        """Number of simulations."""
        ...

    @property
    def state(self) -> NDArray[np.float64]:
        """All that the next step depends on besides model values, (n, size)."""
        ...

    @property
    def warning(self) -> NDArray[Any]:
        """What MuJoCo has warned of: (n, kinds, 2) of last info and number of warnings."""
        ...

    def bind(self, name: str) -> NDArray[np.float64]:
        """A field of mjData."""
        ...

    def expand(self, name: str) -> NDArray[np.float64]:
        """A field of mjModel, which may now differ between simulations."""
        ...

    def changed(self, ids: NDArray[np.int64]) -> None:
        """Take note that model values or external forces of these simulations have been written."""
        ...

    def set_const(self, ids: NDArray[np.int64] | None = None) -> None:
        """Compute the model values that follow from masses and inertias."""
        ...

    def reset(self, ids: NDArray[np.int64], *, stage: mujoco.mjtStage) -> None:
        """Put these simulations into the model's first state."""
        ...

    def forward(self, ids: NDArray[np.int64] | None = None) -> None:
        """Forward pass without a step (mj_forward): what follows from the state of these simulations."""
        ...

    def step(self, *, nstep: int) -> None:
        """Advance all simulations by so many physics steps."""
        ...


class Cores(Batch):
    """MuJoCo's batch: it reads everything anew at each call."""

    def changed(self, ids: NDArray[np.int64]) -> None:
        """Nothing is to be done."""


def make_engine(
    name: EngineName, model: mujoco.MjModel, num_envs: int, threads: int, varied: Collection[str]
) -> Engine:
    """n simulations of a model on this engine, which may differ in the `varied` fields of mjModel.

    A ValueError if its packages are missing or others, or if it does not find room or a driver that works.
    """
    if name == "mujoco":
        return Cores(model, num_envs, threads)
    require_packages()
    from envs.engines.warp_engine import WarpEngine

    try:
        engine = WarpEngine(model, num_envs, varied)
        engine.forward()
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise ValueError(
            f"--env.engine warp cannot be built for {num_envs} robots ({reason}): take fewer with --num-envs, "
            "or choose --env.engine mujoco."
        ) from error
    return engine


def require_packages() -> None:
    """A ValueError if a package of the engine warp is not there, or not in the version that the engine is made for."""
    for package, needed in PACKAGES.items():
        try:
            found = version(package)
        except PackageNotFoundError:
            found = "none"
        if found.partition("+")[0] != needed:
            raise ValueError(
                f"--env.engine warp needs {package} {needed} and finds {found}: install the extra gpu with "
                "`pip install -r requirements-gpu.txt`, or choose --env.engine mujoco."
            )
