"""What a page shows in three dimensions: robots, ground, dots at the height samples, and where they are sent to."""

from __future__ import annotations

import mujoco
import numpy as np
import trimesh
import viser
from einops import rearrange, repeat
from mjviser import ViserMujocoScene
from numpy.typing import NDArray

from envs.robot import robot_spec
from envs.terrains import Surface, build_map
from envs.terrains.grid import RESOLUTION
from envs.terrains.mesh import SQUARE, Mesh, Triangles, ground_mesh
from evaluation.belief import COLOURS, EVERY, MAP_COLOUR, known, map_points, sample_points
from viewer.session import Session

WORLD = "/world"
"""Node that everything but the robots hangs from; it moves so that the robot in focus stays in the middle."""
FOLLOWING, JUMP = 0.25, 1.0
"""s, time constant with which the view follows the robot, and m in one step from which it jumps after it."""
EYE, FIELD = (-2.1, -2.0, 1.1), 42.0
"""m from the robot from where a page first looks at it, and its field of view in degrees."""
MAP = "map"
"""What the map is called that a robot makes by itself."""
DOT = 0.016
"""m, a dot."""
SUN = np.array([0.35, -0.45, 0.82])
"""Direction to the light that shades the ground."""
TOP, WALL, DEEP = np.array([196, 192, 178]), np.array([92, 98, 116]), 0.62
"""Colours of level ground and of risers, and the share of brightness that the lowest ground keeps."""
CHECKER = 0.93
"""Brightness of every other square metre."""
TRIES = np.arange(0.0, 60.0, 0.02)
"""m along a line of sight at which it may meet the ground."""


class Stage:
    """The scene of a server."""

    def __init__(self, server: viser.ViserServer, session: Session) -> None:
        """Put all robots and their ground on it."""
        self.server, self.session = server, session
        self.model = robot_spec(visual=True).compile()
        self.data = mujoco.MjData(self.model)
        self.centre_w: NDArray[np.float64] | None = None
        self.followed, self.shown = True, dict.fromkeys((*COLOURS, MAP), False)
        self._look()
        self.robots = ViserMujocoScene(server, self.model, num_envs=len(session.walkers))
        self.robots.camera_tracking_enabled = False
        self.world = server.scene.add_frame(WORLD, show_axes=False)
        self.dots = {kind: self._add_dots(kind, colour) for kind, colour in COLOURS.items()}
        self.map = self._add_dots(MAP, MAP_COLOUR)
        self.goal = server.scene.add_icosphere(f"{WORLD}/goal", radius=0.06, color=(220, 40, 40), visible=False)
        self.names = [self._add_name(index) for index in range(len(session.walkers))]
        self.show_ground()

    def _look(self) -> None:
        """Where a page looks from first."""
        camera = self.server.initial_camera
        camera.position, camera.look_at, camera.fov = EYE, (0.0, 0.0, -0.05), float(np.radians(FIELD))

    def _add_dots(self, kind: str, colour: tuple[int, int, int]) -> viser.PointCloudHandle:
        """Nothing to see yet."""
        return self.server.scene.add_point_cloud(
            f"{WORLD}/{kind}", np.zeros((1, 3)), colour, point_size=DOT, point_shape="circle", precision="float32",
            point_shading="flat", visible=False,
        )  # fmt: skip

    def _add_name(self, index: int) -> viser.LabelHandle:
        """A robot's name over it, where there are several."""
        return self.server.scene.add_label(
            f"{WORLD}/robot_{index}", self.session.walkers[index].chosen, visible=len(self.session.walkers) > 1
        )

    def show_ground(self) -> None:
        """The session's ground, and the view at once on the robot that is in focus."""
        self.surface = Surface(build_map([self.session.ground]))
        mesh = painted(ground_mesh(self.surface))
        self.server.scene.add_mesh_trimesh(f"{WORLD}/ground", mesh, cast_shadow=False)
        self.centre_w = None

    def draw(self) -> None:
        """Everything as it is now."""
        walkers = self.session.walkers
        positions, turns = zip(*(self._bodies(walker.env.simulation.qpos[0]) for walker in walkers), strict=True)
        self._follow(positions[self.session.focus][1])
        with self.server.atomic():
            self.world.position = -self.centre
            self._draw_marks()
            for name, walker, bodies in zip(self.names, walkers, positions, strict=True):
                name.text, name.position = walker.chosen, bodies[1] + (0.0, 0.0, 0.5)
            self.robots.update_from_arrays(np.stack(positions) - self.centre, np.stack(turns))

    def _bodies(self, qpos: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Positions (bodies, 3) m and rotations (bodies, 3, 3) of a robot in this pose."""
        self.data.qpos[:] = qpos
        mujoco.mj_kinematics(self.model, self.data)
        return self.data.xpos.copy(), rearrange(self.data.xmat.copy(), "body (i j) -> body i j", i=3)

    @property
    def centre(self) -> NDArray[np.float64]:
        """m in the world that is in the middle of the page, (3,)."""
        return np.zeros(3) if self.centre_w is None else self.centre_w

    def _follow(self, base_w: NDArray[np.float64]) -> None:
        """Move the middle of the page towards a base."""
        if self.centre_w is None or float(np.linalg.norm(base_w - self.centre_w)) > JUMP and self.followed:
            self.centre_w = base_w.copy()
        elif self.followed:
            self.centre_w = self.centre_w + (base_w - self.centre_w) * min(1.0, 2 * self.session.dt / FOLLOWING)

    def _draw_marks(self) -> None:
        """Dots at the height samples that shall be seen, and the goal."""
        heights = self.session.focused.heights() if any(self.shown[kind] for kind in COLOURS) else {}
        for kind, handle in self.dots.items():
            handle.visible = self.shown[kind] and kind in heights
            if handle.visible:
                points = sample_points(self.session.focused.env.state, heights[kind])
                handle.points = known(points).astype(np.float32)
        goal = self.session.wish.goal_w
        self.goal.visible = goal is not None
        if goal is not None:
            self.goal.position = (*goal, float(self.surface.height([goal])[0]))

    def draw_map(self) -> None:
        """The map that the robot in focus makes by itself, if it shall be seen and there is one."""
        points = map_points(self.session.focused.env, EVERY) if self.shown[MAP] else None
        self.map.visible = points is not None
        if points is not None:
            self.map.points = points.astype(np.float32)

    def ground_at(self, origin: NDArray[np.float64], direction: NDArray[np.float64]) -> tuple[float, float] | None:
        """Where a line of sight in the page's coordinates first meets the ground, m in the world; None if nowhere."""
        line = origin + self.centre + TRIES[:, None] * direction / np.linalg.norm(direction)
        low, high = np.array(self.surface.map.origin_w), -np.array(self.surface.map.origin_w)
        inside = ((line[:, :2] > low) & (line[:, :2] < high)).all(1)
        below = np.flatnonzero(inside & (line[:, 2] <= self.surface.height(line[:, :2])))
        return None if len(below) == 0 else (float(line[below[0], 0]), float(line[below[0], 1]))


def painted(mesh: Mesh) -> trimesh.Trimesh:
    """The ground in shades that tell treads from risers, high from low, and how long a metre is."""
    triangles = np.concatenate((mesh.tops, mesh.walls))
    colours = np.concatenate((top_colours(mesh.tops), np.tile(WALL.astype(float), (len(mesh.walls), 1))))
    colours = np.clip(colours * shade(triangles)[:, None], 0, 255).astype(np.uint8)
    vertices = rearrange(triangles, "k corner xyz -> (k corner) xyz")
    faces = rearrange(np.arange(len(vertices)), "(k corner) -> k corner", corner=3)
    return trimesh.Trimesh(
        vertices, faces, vertex_colors=repeat(colours, "k rgb -> (k corner) rgb", corner=3), process=False
    )


def top_colours(tops: Triangles) -> NDArray[np.float64]:
    """Colours (k, 3) of what one walks on: darker where it is low, and every other square metre."""
    middle = tops.mean(1)
    low, high = middle[:, 2].min(), middle[:, 2].max()
    rise = (middle[:, 2] - low) / max(high - low, 0.3)
    odd = (np.floor(middle[:, :2] / (SQUARE * RESOLUTION)).sum(1) % 2).astype(bool)
    return TOP * (DEEP + (1 - DEEP) * rise)[:, None] * np.where(odd, CHECKER, 1.0)[:, None]


def shade(triangles: Triangles) -> NDArray[np.float64]:
    """Brightness (k,) in the sun, from half of it on the far side to 1 where it is faced."""
    normal = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    length = np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    return 0.55 + 0.45 * np.clip(normal @ (SUN / np.linalg.norm(SUN)) / length, 0.0, 1.0)
