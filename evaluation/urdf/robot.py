"""A robot as its URDF file has it, kinematics, inertias and shapes, with the drives and soles of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from anymal_policy.gait import leg_chain
from anymal_policy.kinematics import foot_positions
from anymal_policy.layout import JOINTS, LEGS
from envs.drives import PD, DriveConfig, equip
from envs.robot import FOOT_RADIUS, robot_spec

FOOT_TOLERANCE = 0.01
"""m by which a foot may be away from where the gait has it."""
LEAST_MOMENT = 1e-9
"""kg m^2, smallest principal moment of inertia that a link may have."""
TOUCH = ("condim", "friction", "solimp", "solref", "priority", "contype", "conaffinity")
"""What our robot's shapes have that says how they touch the ground, and nothing else."""
DRIVE = (
    "type", "trntype", "gear", "dyntype", "dynprm", "gaintype", "gainprm", "biastype", "biasprm", "ctrlspec",
    "ctrllimited", "ctrlrange", "forcelimited", "forcerange", "actlimited", "actrange", "actdim", "actearly",
    "armature", "damping", "velrange", "userdata",
)  # fmt: skip
"""What makes an actuator a drive."""


class Parts(NamedTuple):
    """Where the robot's parts are in a compiled model, in the order of the layout."""

    base: int
    """Body."""
    position: NDArray[np.int64]
    """(12,) joints in qpos."""
    velocity: NDArray[np.int64]
    """(12,) joints in qvel."""
    drives: NDArray[np.int64]
    """(12,) actuators."""
    links: NDArray[np.int64]
    """(12,) bodies that the joints move."""
    feet: NDArray[np.int64]
    """(4,) geoms."""


def load_robot(path: Path, drive: DriveConfig = PD) -> mujoco.MjSpec:
    """The robot of a URDF file on a free joint, touching the ground alone; a ValueError if it is no ANYmal C."""
    try:
        spec = mujoco.MjSpec.from_file(str(path))
        keep_only_stated_masses(spec)
        make_inertias_possible(spec)
        base = spec.worldbody.first_body()
        if base is not None and not base.joints:
            base.add_freejoint()
        model = spec.compile()
    except (ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path} is no robot that MuJoCo can read ({reason}): name a URDF file.") from error
    require_joints(path, model)
    fit_ours(spec)
    equip(spec, drive)
    find_parts(spec.compile(), path)
    return spec


def keep_only_stated_masses(spec: mujoco.MjSpec) -> None:
    """Let shapes weigh nothing; MuJoCo would give a link without inertia the mass of shapes full of water."""
    for geom in spec.geoms:
        geom.mass = 0


def make_inertias_possible(spec: mujoco.MjSpec) -> None:
    """Raise the smallest principal moment of links that no body can have; MuJoCo refuses them."""
    for body in spec.bodies:
        if body.mass > 0 and body.explicitinertial:
            xx, yy, zz, xy, xz, yz = body.fullinertia
            moments, axes = np.linalg.eigh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
            low, middle, high = np.maximum(moments, LEAST_MOMENT)
            if moments[0] <= 0 or low + middle < high:
                middle = max(middle, high / 2)
                inertia = axes * (high - middle + LEAST_MOMENT, middle, high) @ axes.T
                body.fullinertia = [*inertia.diagonal(), inertia[0, 1], inertia[0, 2], inertia[1, 2]]


def require_joints(path: Path, model: mujoco.MjModel) -> None:
    """Raise a ValueError unless the robot moves freely and by the joints of the layout alone."""
    names = {model.joint(number).name for number in range(model.njnt)} - {""}
    lacking, more = sorted(set(JOINTS) - names), sorted(names - set(JOINTS))
    if lacking or more or model.nq != 7 + len(JOINTS):
        words = f"lacks {', '.join(lacking)}" if lacking else f"moves by more than that: {', '.join(more) or 'unnamed'}"
        raise ValueError(f"{path} is no ANYmal, whose joints are LF_HAA to RH_KFE: it {words}.")


def fit_ours(spec: mujoco.MjSpec) -> None:
    """Give a robot the physics options, soles and pd drives of ours."""
    ours = robot_spec(visual=False)
    spec.option = ours.option
    sole = ours.geom(f"{LEGS[0]}_foot")
    for geom in spec.geoms:
        copy(sole, geom, TOUCH)
    for name in JOINTS:
        spec.joint(name).armature = ours.joint(name).armature
        copy(ours.actuator(name), spec.add_actuator(name=name, target=name), DRIVE)


def copy(source: Any, target: Any, names: tuple[str, ...]) -> None:
    """Give `target` these attributes of `source`."""
    for name in names:
        setattr(target, name, getattr(source, name))


def find_parts(model: mujoco.MjModel, path: Path) -> Parts:
    """The parts of a robot by their names; a ValueError if it has no soles where the gait expects them."""
    joints = [model.joint(name) for name in JOINTS]
    links = np.array([joint.bodyid[0] for joint in joints])
    data = mujoco.MjData(model)
    data.qpos[:7] = 0, 0, 0, 1, 0, 0, 0
    data.qpos[7:] = 0
    mujoco.mj_kinematics(model, data)
    spheres = np.flatnonzero((model.geom_type == mujoco.mjtGeom.mjGEOM_SPHERE) & (model.geom_size[:, 0] == FOOT_RADIUS))
    expected, feet = foot_positions(np.zeros(12), leg_chain().numpy()), []
    for leg, place in zip(LEGS, expected, strict=True):
        near = spheres[np.linalg.norm(data.geom_xpos[spheres] - place, axis=-1) < FOOT_TOLERANCE]
        if len(near) != 1:
            raise ValueError(f"{path} has no sphere of {FOOT_RADIUS:g} m where the gait expects the {leg} foot.")
        feet.append(near[0])
    return Parts(
        base=int(model.body_rootid[links[0]]),
        position=np.array([joint.qposadr[0] for joint in joints]),
        velocity=np.array([joint.dofadr[0] for joint in joints]),
        drives=np.array([model.actuator(name).id for name in JOINTS]),
        links=links,
        feet=np.array(feet),
    )
