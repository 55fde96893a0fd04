"""URDF files of robots like ours, for tests: the same figures, other shapes, legs in another order."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np

from anymal_policy.layout import LEGS
from envs.robot import FOOT_RADIUS, robot_spec

CAMERA = """<link name="camera"><inertial><mass value="0.16"/>
<inertia ixx="0.0006" iyy="0.0009" izz="0.0005" ixy="0.0005" ixz="0.0004" iyz="0"/></inertial></link>
<joint name="to_camera" type="fixed"><parent link="base"/><child link="camera"/></joint>"""
"""A link with an inertia that no body can have."""
LIMIT = '<limit effort="80" lower="-9" upper="9" velocity="7.5"/>'
TAIL = f"""<link name="tail"><inertial><mass value="1"/><inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>
</inertial></link><joint name="wag" type="revolute"><parent link="base"/><child link="tail"/><axis xyz="0 0 1"/>{LIMIT}
</joint>"""
"""A joint that our robot lacks."""


def numbers(values: np.ndarray) -> str:
    return " ".join(repr(float(value)) for value in values)


def inertial(model: mujoco.MjModel, body: int) -> str:
    """What the file says of a body's mass."""
    frame = np.empty(9)
    mujoco.mju_quat2Mat(frame, model.body_iquat[body])
    axes = frame.reshape(3, 3)
    inertia = axes * model.body_inertia[body] @ axes.T
    entries = zip(("ixx", "ixy", "ixz", "iyy", "iyz", "izz"), inertia[np.triu_indices(3)], strict=True)
    moments = " ".join(f'{name}="{float(value)!r}"' for name, value in entries)
    origin = f'<origin xyz="{numbers(model.body_ipos[body])}"/>'
    return f'<inertial>{origin}<mass value="{float(model.body_mass[body])!r}"/><inertia {moments}/></inertial>'


def collision(shape: str) -> str:
    return f"<collision><geometry>{shape}</geometry></collision>"


def leg(model: mujoco.MjModel, name: str, foot_radius: float) -> str:
    """The links and joints of one leg."""
    text, parent = "", "base"
    for joint, part in (("HAA", "HIP"), ("HFE", "THIGH"), ("KFE", "SHANK")):
        link, body = f"{name}_{part}", model.body(f"{name}_{part}").id
        shape = collision('<box size="0.02 0.02 0.02"/>')
        axis = numbers(model.joint(f"{name}_{joint}").axis)
        text += (
            f'<link name="{link}">{inertial(model, body)}{shape}</link><joint name="{name}_{joint}" type="revolute">'
        )
        text += f'<parent link="{parent}"/><child link="{link}"/><origin xyz="{numbers(model.body_pos[body])}"/>'
        text += f'<axis xyz="{axis}"/>{LIMIT}</joint>'
        parent = link
    place = numbers(model.body(f"{name}_FOOT").pos)
    text += f'<link name="{name}_FOOT">{collision(f"""<sphere radius="{foot_radius}"/>""")}</link>'
    text += f'<joint name="{name}_foot" type="fixed"><parent link="{parent}"/><child link="{name}_FOOT"/>'
    return f'{text}<origin xyz="{place}"/></joint>'


def write_urdf(
    path: Path, more: str = "", legs: tuple[str, ...] = LEGS[::-1], foot_radius: float = FOOT_RADIUS
) -> Path:
    """A robot with the masses and joints of ours and a box for a base, whose mass is that of a fixed link."""
    model = robot_spec(visual=False).compile()
    base = f'<link name="base">{collision("""<box size="0.5 0.2 0.2"/>""")}</link>'
    base += f'<link name="inside">{inertial(model, model.body("base").id)}</link>'
    base += '<joint name="to_inside" type="fixed"><parent link="base"/><child link="inside"/></joint>'
    text = "".join(leg(model, name, foot_radius) for name in legs)
    path.write_text(f'<robot name="like_ours">{base}{text}{more}</robot>')
    return path
