"""How a terrain looks in MuJoCo's pictures: the mesh of the ground, its walls darker than what one walks on."""

from __future__ import annotations

import mujoco
import numpy as np
from einops import rearrange
from numpy.typing import NDArray

from envs.terrains.mesh import Triangles, ground_mesh
from envs.terrains.surface import Surface

WALL = (0.30, 0.32, 0.37, 1.0)
"""Colour of risers and of the undersides of treads: bluish and darker than any tread, lit or not."""
BANDS, DARKEST = 8, 0.66
"""Shades by height of what one walks on, and the brightness of the lowest, so that up and down differ at a look."""
FULL_RANGE = 0.3
"""m of height that take all shades; flatter ground takes fewer."""


class Scenery:
    """A surface as it looks, to be built into a model that is drawn and not simulated."""

    def __init__(self, surface: Surface) -> None:
        """All of it that is seen."""
        self.mesh = ground_mesh(surface)

    def add_to_spec(self, spec: mujoco.MjSpec) -> None:
        """Add the ground to the world."""
        spec.add_material(name="wall", rgba=WALL, specular=0.0, shininess=0.0)
        if len(self.mesh.walls):
            add_mesh(spec, "walls", self.mesh.walls, "wall")
        band = bands(self.mesh.tops)
        for shade in np.unique(band).tolist():
            add_mesh(spec, f"tops_{shade}", self.mesh.tops[band == shade], add_shade(spec, shade))

    def write_to_model(self, model: mujoco.MjModel) -> None:
        """Nothing: a mesh is compiled with its heights."""


def bands(tops: Triangles) -> NDArray[np.int64]:
    """Band of height (k,) of each triangle, 0 for the lowest."""
    height = tops[..., 2].mean(1)
    low, high = float(height.min()), float(height.max())
    share = (height - low) / max(high - low, FULL_RANGE)
    return np.minimum((share * BANDS).astype(int), BANDS - 1)


def add_shade(spec: mujoco.MjSpec, band: int) -> str:
    """Add the material of a band of height, and return its name."""
    brightness = DARKEST + (1.0 - DARKEST) * band / (BANDS - 1)
    material = spec.add_material(
        name=f"ground_{band}", rgba=(*(brightness,) * 3, 1.0), specular=0.0, shininess=0.0, texrepeat=(1.0, 1.0)
    )
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = "ground"
    return material.name


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
