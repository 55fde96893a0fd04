"""A Student climbs stairs on a map of its own, in plain MuJoCo: `python -m examples.run_on_map --contract FILE.json`.

Everything between "the robot" and the end of `main` is what runs on a robot, too; `python export.py` makes the policy.
Drives are those that the contract names. Sensors and odometry are perfect here; `evaluate.py --noise mapped` has their
delay, drift and noise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import mujoco
import numpy as np
import tyro
from numpy.typing import NDArray

from anymal_policy.kinematics import leg_capsules, rotation_matrix
from anymal_policy.layout import DEFAULT_JOINT_POSITION, JOINTS, LEGS
from anymal_policy.runtime import Measurement, Runner
from envs.depth.mounts import CAMERAS, Mount, camera_rays
from envs.drives import DriveConfig, equip
from envs.robot import FOOT_RADIUS, STANDING_HEIGHT, robot_spec
from evaluation.exported import drive_of
from mapping import ElevationMap, MapConfig, outside, placed, point_variance
from system import stopping

TREAD, RISE, STEPS, START = 0.3, 0.15, 12, 1.5
"""m, m, number and m ahead of the robot, of the stairs."""
SUBSTEPS, PICTURE_EVERY = 4, 3
"""Physics steps of 5 ms in a policy step; policy steps between two pictures (16.7 Hz)."""
RAYS = camera_rays(40, 30, np.radians(87.0), np.radians(58.0)).reshape(-1, 3)
"""Directions of a picture's pixels in a camera's frame."""
LONGEST = 3600.0
"""s that it may walk."""
FARTHEST = 3.0
"""m that the cameras see."""
MARGIN = 0.05
"""m around the legs, in which points are taken for the robot's own."""


def world(drive: DriveConfig) -> mujoco.MjModel:
    """The robot with its drives before stairs of boxes."""
    spec = robot_spec(visual=False)
    equip(spec, drive)
    solid = {"contype": 0, "conaffinity": 1}
    spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[30.0, 30.0, 1.0], **solid)
    for step in range(1, STEPS + 1):
        size = [10.0, 5.0, RISE * step / 2]
        middle = [START + TREAD * (step - 1) + size[0], 0.0, size[2]]
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_BOX, size=size, pos=middle, **solid)
    return spec.compile()


def stand(model: mujoco.MjModel, data: mujoco.MjData) -> None:
    """Put the robot on its feet, 5 mm above the ground."""
    data.qpos[:7] = [0.0, 0.0, STANDING_HEIGHT + 0.005, 1.0, 0.0, 0.0, 0.0]
    for joint, angle in zip(JOINTS, DEFAULT_JOINT_POSITION, strict=True):
        data.joint(joint).qpos[0] = angle
        data.actuator(joint).ctrl[0] = angle
    mujoco.mj_forward(model, data)


def measure(data: mujoco.MjData) -> Measurement:
    """What encoders, IMU and state estimator of a robot say; here the truth."""
    rotation = data.body("base").xmat.reshape(3, 3)
    return Measurement(
        joint_position=[data.joint(joint).qpos[0] for joint in JOINTS],
        joint_velocity=[data.joint(joint).qvel[0] for joint in JOINTS],
        base_position_w=data.qpos[:3].copy(),
        base_quaternion=data.qpos[3:7].copy(),
        linear_velocity_b=data.qvel[:3] @ rotation,
        angular_velocity_b=data.qvel[3:6].copy(),
    )


def look(model: mujoco.MjModel, data: mujoco.MjData, camera: Mount) -> tuple[NDArray, NDArray]:
    """Points (k, 3) m that a camera sees, and where it is (3,) m, in the odometry's frame; here by casting rays.

    Legs are seen, too; the base behind the camera is not.
    """
    rotation = data.body("base").xmat.reshape(3, 3)
    eye = data.body("base").xpos + rotation @ camera.position_b
    rays = RAYS @ (rotation @ camera.rotation_b).T
    met, away = np.zeros(len(rays), np.int32), np.zeros(len(rays))
    base = model.body("base").id
    mujoco.mj_multiRay(model, data, eye, rays.ravel(), None, 1, base, met, away, None, len(rays), FARTHEST)
    seen = (met >= 0) & (away < FARTHEST)
    return eye + rays[seen] * away[seen, None], eye


def soles(data: mujoco.MjData) -> NDArray:
    """Soles (4, 3) m; on a robot by its kinematics."""
    return np.array([data.geom(f"{leg}_foot").xpos for leg in LEGS]) - [0.0, 0.0, FOOT_RADIUS]


def main(contract: Path, seconds: float = 8.0, speed: float = 0.5) -> None:
    """Walk up stairs on a map of four depth cameras.

    Args:
        contract: Contract of an exported Student (python export.py).
        seconds: s to walk.
        speed: m/s forward.
    """
    if not 0.0 < seconds <= LONGEST:
        raise ValueError(f"--seconds must be above 0 and at most {LONGEST:g}, not {seconds:g}.")
    runner = Runner(contract)
    model = world(drive_of(str(contract), runner.contract["drive"]))
    data = mujoco.MjData(model)
    stand(model, data)
    # --- the robot ---
    elevation = ElevationMap(MapConfig(fill=0.2))
    for step in range(round(seconds / 0.02)):
        measurement = measure(data)
        # 1. The map follows the robot; its variance grows with the way.
        turn = rotation_matrix(np.asarray(measurement.base_quaternion))
        elevation.move(measurement.base_position_w, float(np.arctan2(turn[1, 0], turn[0, 0])))
        # 2. Pictures come at their own rate, each from where its camera was when it was taken; the legs in it are left
        # out.
        if step % PICTURE_EVERY == 0:
            legs_b = leg_capsules(np.asarray(measurement.joint_position), runner.chain)
            legs = placed(legs_b, measurement.base_position_w, turn)
            for camera in CAMERAS.values():
                points, eye = look(model, data, camera)
                points = points[outside(points, legs, MARGIN)]
                elevation.integrate(points, eye, point_variance(points, eye))
        # 3. Where nothing is known yet, the feet tell how high the ground is that they stand on.
        if step == 0:
            elevation.touch(soles(data), radius=0.4, variance=0.01)
        # 4. The policy asks the map for the heights that it wants; NaN where it knows none is fine.
        target = runner.step(measurement, (speed, 0.0, 0.0), elevation.height)
        # 5. The drives track the targets for 20 ms.
        for joint, angle in zip(JOINTS, target, strict=True):
            data.actuator(joint).ctrl[0] = angle
        mujoco.mj_step(model, data, SUBSTEPS)
    ahead = np.array([[data.qpos[0] + 0.5, 0.0]])
    print(f"Walked {data.qpos[0]:.2f} m, up by {data.qpos[2] - STANDING_HEIGHT:.2f} m; ", end="")
    print(f"0.5 m ahead the map says {float(elevation.height(ahead)[0]):.3f} m.")


@stopping.stoppable
def run(argv: Sequence[str] | None = None) -> int:
    """Walk as the command line says; exit code 2 without a contract, or for what the policy refuses."""
    try:
        tyro.cli(main, args=argv, prog="python -m examples.run_on_map")
    except (ValueError, OSError) as error:
        print(f"run_on_map: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(run())
