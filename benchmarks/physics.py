"""Physics alone: trotting robots on stairs and on rough ground against a plane, with our collider and with MuJoCo's,
with the real robot's drives against ideal PD, and with the links' shapes against spheres.

`python -m benchmarks.physics [--json FILE]` prints control steps of 20 ms per second. In every round all sides start
from the same poses over their ground and follow the same joint targets.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import mujoco
import numpy as np
import torch
from mujoco.batch import Batch
from numpy.typing import NDArray

from anymal_policy.gait import NOMINAL_FOOT_B, GaitConfig, advance, joint_targets, start_phase
from anymal_policy.layout import DEFAULT_JOINT_POSITION, JOINTS
from benchmarks.report import medians, ratio, report, run, take_turns
from envs.drives import PD, DriveConfig
from envs.robot import SHAPES, STANDING_HEIGHT, Shapes
from envs.simulation import build_model
from envs.terrains import Surface, build_map, make_tile

TERRAINS = {
    "stairs": make_tile("stairs_standard", size=(8.0, 8.0), height=0.15, depth=0.30),
    "rough": make_tile("rough", difficulty=0.5, size=(8.0, 8.0)),
}
"""What the bars are set on: stairs of 15 x 30 cm, and rough ground of +-5 cm."""

OTHER_SHAPES: Shapes = next(shapes for shapes in get_args(Shapes) if shapes != SHAPES)
"""Those that robots do not have by default."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    num_envs: int = 256
    """Robots side by side."""
    threads: int = 2
    """Threads of the physics."""
    rounds: int = 8
    """Rounds in which all sides take turns."""
    steps: int = 25
    """Control steps of each side in a round that are timed."""
    settle: int = 15
    """Control steps before them, in which the robots land."""
    json: Path | None = None
    """File to write the result to."""


class Plane:
    """Flat ground, as a plane."""

    def add_to_spec(self, spec: mujoco.MjSpec) -> None:
        """Add a plane through the world's origin."""
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 1], contype=0, conaffinity=1)

    def write_to_model(self, model: mujoco.MjModel) -> None:
        """Nothing: a plane has no heights."""

    def height(self, xy: NDArray[np.float64]) -> NDArray[np.float32]:
        """Height 0 at world points (m, 2)."""
        return np.zeros(len(xy), np.float32)


def poses(ground: Plane | Surface, xy: NDArray[np.float64], yaw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Positions (n, 19) of robots at (n, 2) with headings (n,), level and with the highest foot on the ground."""
    c, s = np.cos(yaw)[:, None], np.sin(yaw)[:, None]
    foot = NOMINAL_FOOT_B.numpy()
    feet = np.stack((c * foot[:, 0] - s * foot[:, 1], s * foot[:, 0] + c * foot[:, 1]), -1) + xy[:, None]  # (n, 4, 2)
    under = np.stack([ground.height(feet[:, leg]) for leg in range(4)], -1)
    qpos = np.zeros((len(xy), 19))
    qpos[:, :2], qpos[:, 2], qpos[:, 7:] = xy, under.max(-1) + STANDING_HEIGHT, DEFAULT_JOINT_POSITION
    qpos[:, 3], qpos[:, 6] = np.cos(yaw / 2), np.sin(yaw / 2)
    return qpos


def trot(count: int, steps: int) -> list[NDArray[np.float64]]:
    """Joint targets (count, 12) of each step of robots that trot on the spot, in random common phases."""
    cfg = GaitConfig()
    phase = start_phase(count, torch.Generator().manual_seed(0))
    targets = []
    for _ in range(steps):
        targets.append(joint_targets(phase, torch.zeros(count, 12), cfg).double().numpy())
        phase = advance(phase, torch.zeros(count, 4), torch.zeros(count, dtype=torch.bool), cfg)
    return targets


class Side:
    """Robots on one ground, which start over in every round."""

    def __init__(
        self, ground: Plane | Surface, arguments: Arguments, drive: DriveConfig = PD, shapes: Shapes = SHAPES
    ) -> None:
        """Robots at random places of the middle of the ground, the same for every side."""
        rng = np.random.default_rng(0)
        count, self.settle = arguments.num_envs, arguments.settle
        model = build_model(ground, drive=drive, shapes=shapes)
        self.batch = Batch(model, count, arguments.threads)
        self.qpos, self.control = self.batch.bind("qpos"), self.batch.bind("ctrl")
        self.actuators = [model.actuator(joint).id for joint in JOINTS]
        self.start = poses(ground, rng.uniform(-2.5, 2.5, (count, 2)), rng.uniform(-np.pi, np.pi, count))
        self.targets = trot(count, arguments.settle + arguments.steps)

    def run(self) -> float:
        """Control steps per s, of all robots, of one round."""
        self.batch.reset(stage=mujoco.mjtStage.mjSTAGE_NONE)
        self.qpos[:] = self.start
        begin = 0.0
        for step, targets in enumerate(self.targets):
            if step == self.settle:
                begin = time.perf_counter()
            self.control[:, self.actuators] = targets
            self.batch.step(nstep=4)
        return len(self.start) * (len(self.targets) - self.settle) / (time.perf_counter() - begin)


def main(arguments: Arguments) -> None:
    """Measure and report."""
    sides = {"plane": Side(Plane(), arguments)}
    for name, tile in TERRAINS.items():
        for collider in ("exact", "stock"):
            sides[f"{name}, {collider}"] = Side(Surface(build_map([tile]), collider), arguments)
        sides[f"{name}, anydrive"] = Side(Surface(build_map([tile])), arguments, DriveConfig())
        sides[f"{name}, {OTHER_SHAPES}"] = Side(Surface(build_map([tile])), arguments, shapes=OTHER_SHAPES)
    rates = take_turns({name: side.run for name, side in sides.items()}, arguments.rounds)
    ratios = {f"{name} to plane": ratio(rates, f"{name}, exact", "plane") for name in TERRAINS}
    ratios |= {f"{name} to stock": ratio(rates, f"{name}, exact", f"{name}, stock") for name in TERRAINS}
    ratios |= {f"{name}, anydrive to pd": ratio(rates, f"{name}, anydrive", f"{name}, exact") for name in TERRAINS}
    for name in TERRAINS:
        side = {SHAPES: f"{name}, exact", OTHER_SHAPES: f"{name}, {OTHER_SHAPES}"}
        ratios[f"{name}, links to spheres"] = ratio(rates, side["links"], side["spheres"])
    report("physics", ratios, medians(rates), arguments.json)


if __name__ == "__main__":
    sys.exit(run("physics", Arguments, main, __doc__))
