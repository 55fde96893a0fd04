"""ANYmal C as a MuJoCo specification, and the figures of it that the environment needs.

A drive of the specification is MuJoCo's `dcmotor` with its own PD controller; `envs.drives` has others. Its torque is
85 (target - q) - 1.5 qd, held to the peak torque and to the torque-speed line from STALL_TORQUE to VELOCITY_LIMIT in
every physics step. Braking may use the full peak torque, and a joint faster than VELOCITY_LIMIT is braked. Scaling a
drive's `actuator_gainprm` and `actuator_forcerange` by one factor scales its gains and its whole envelope.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import mujoco
import torch

from anymal_policy.gait import leg_fk
from anymal_policy.layout import DEFAULT_JOINT_POSITION

MODEL_PATH = Path(__file__).parent / "assets" / "anymal_c.xml"

FOOT_RADIUS = 0.03
"""m, of the sphere that is a foot's only contact (URDF)."""
TORQUE_LIMIT = 80.0
"""N m, peak torque of every joint (URDF)."""
STALL_TORQUE = 120.0
"""N m, where the torque-speed line meets zero speed."""
VELOCITY_LIMIT = 7.5
"""rad/s, where the torque-speed line meets zero torque (URDF)."""
STANDING_HEIGHT = FOOT_RADIUS - float(leg_fk(torch.from_numpy(DEFAULT_JOINT_POSITION))[..., 2].min())
"""m, base origin above flat ground in the default pose with unloaded joints."""

Shapes = Literal["links", "spheres"]
"""What a robot touches the ground with besides its feet: the links' own outlines, or a few spheres in their place."""
SHAPES: Shapes = "links"
"""The collision shapes by default."""


def robot_spec(visual: bool = True, shapes: Shapes = SHAPES) -> mujoco.MjSpec:
    """The robot alone, with its sensors, drives and lights; the simulation adds the ground.

    Without `visual` the compiled model has no geoms for looks, textures or materials: it moves the same, bit for bit,
    and faster, but there is nothing to render.
    """
    spec = mujoco.MjSpec.from_file(str(MODEL_PATH))
    spec.compiler.discardvisual = not visual
    for geom in [geom for geom in spec.geoms if geom.classname.name in get_args(Shapes)]:
        if geom.classname.name != shapes:
            spec.delete(geom)
    return spec
