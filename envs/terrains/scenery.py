"""How a terrain looks in MuJoCo's pictures: the mesh of the ground, its walls darker than what one walks on."""

from __future__ import annotations

import mujoco
import numpy as np
from einops import rearrange

from envs.terrains.mesh import Triangles, ground_mesh
from envs.terrains.surface import Surface

WALL = (0.30, 0.32, 0.37, 1.0)
"""Colour of risers and of the undersides of treads: bluish and darker than any tread, lit or not."""


class Scenery:
    """A surface as it looks, to be built into a model that is drawn and not simulated."""

    def __init__(self, surface: Surface) -> None:
        """All of it that is seen."""
        self.mesh = ground_mesh(surface)

    def add_to_spec(self, spec: mujoco.MjSpec) -> None:
        """Add the ground to the world."""
        spec.add_material(name="wall", rgba=WALL, specular=0.0, shininess=0.0)
        for name, triangles, material in (("ground", self.mesh.tops, "ground"), ("walls", self.mesh.walls, "wall")):
            if len(triangles):
                add_mesh(spec, name, triangles, material)

    def write_to_model(self, model: mujoco.MjModel) -> None:
        """Nothing: a mesh is compiled with its heights."""


def add_mesh(spec: mujoco.MjSpec, name: str, triangles: Triangles, material: str) -> None:
    """Add triangles to the world that are seen and never touched, with the texture's squares 1 m wide."""
    vertices = rearrange(triangles, "k corner xyz -> (k corner) xyz")
    spec.add_mesh(
        name=name,
        uservert=vertices.ravel(),
        userface=np.arange(len(vertices), dtype=np.int32),
        usertexcoord=vertices[:, :2].astype(np.float32).ravel(),
        userfacetexcoord=np.arange(len(vertices), dtype=np.int32),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_MESH, name=name, meshname=name, contype=0, conaffinity=0, material=material
    )
