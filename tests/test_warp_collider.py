"""The collider of the engine warp against the compiled functions that it repeats, on Warp's CPU device.

Its own kernel is compiled in seconds. Functions are also run by Python, line by line: points and directions are Warp's
in single precision then, too, numbers alone are Python's.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import mujoco
import numpy as np
import pytest
import warp_worlds as ww
from warp_worlds import mujoco_warp as mjw
from warp_worlds import warp as wp

from envs.collider import capsule as compiled_capsule
from envs.collider import heightfield as compiled_sphere
from envs.collider.geometry import MOST_CONTACTS
from envs.engines.warp_collider import candidates, capsule, edges, ground, make_collider, sphere
from envs.engines.warp_engine import CONTACTS, known
from envs.simulation import Simulation
from envs.terrains import RESOLUTION
from envs.terrains.grid import PLATE

GROUND = ww.surface().map
assert GROUND.floor is not None
HEIGHTS, FLOOR = (np.round(values * 2**16).astype(np.float32) / 2**16 for values in (GROUND.heights, GROUND.floor))
"""m, in steps that float32 has at any height of the ground."""
FOOT, SHANK, BASE = 0.03, (0.0175, 0.124), (0.09, 0.4345)
"""m, radius of a foot; radius and half length of a shank, and of the base."""
RAISED = 5.25
"""m, about as high as a tile of stairs gets."""


class Table:
    """An array as Warp's code uses it: single precision inside, Python's numbers outside."""

    def __init__(self, values: Any) -> None:
        self.values = np.array(values)
        self.shape = self.values.shape

    def __getitem__(self, at: tuple[int, int]) -> float:
        return self.values[at].item()

    def __setitem__(self, at: tuple[int, int], value: float) -> None:
        self.values[at] = value


@pytest.fixture
def interpreted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions of Warp are Python's own, so that they call each other with tables; it has `where` in kernels alone."""
    for module in (candidates, capsule, edges, ground, sphere):
        for name, value in list(vars(module).items()):
            if isinstance(value, wp.Function) and not value.is_builtin():
                monkeypatch.setattr(module, name, value.func)
    monkeypatch.setattr(wp, "where", lambda condition, yes, no: yes if condition else no)


def room() -> Table:
    return Table(np.zeros((MOST_CONTACTS, 7), np.float32))


def ground_near(x: float, y: float, raised: float = 0.0) -> tuple[Any, np.ndarray]:
    """The ground, raised by so many m, and the point (3,) m near (x, y) that lengths are relative to."""
    heights, floor = (values + np.float32(raised) for values in (HEIGHTS, FLOOR))
    first_x, first_y = (
        int(np.floor((at - first) / RESOLUTION)) for at, first in zip((x, y), GROUND.origin_w, strict=True)
    )
    g = SimpleNamespace(
        heights=Table(heights),
        risers=Table(GROUND.risers),
        floor=Table(floor),
        plate=PLATE,
        spacing=wp.vec3(RESOLUTION, RESOLUTION, 1.0),
        first_x=first_x,
        first_y=first_y,
        base=float(heights[first_y, first_x]),
    )
    return g, np.array([*(np.array([first_x, first_y]) * RESOLUTION + GROUND.origin_w), g.base])


def height(x: float, y: float) -> float:
    """m, of the sample beside a point."""
    iy, ix = (int((at - first) / RESOLUTION) for at, first in zip((y, x), GROUND.origin_w[::-1], strict=True))
    return float(HEIGHTS[iy, ix])


def places(count: int, seed: int) -> np.ndarray:
    """Points (count, 3) m in the ground and just above it."""
    rng = np.random.default_rng(seed)
    xy = rng.uniform(-4.0, 4.0, (count, 2))
    above = rng.uniform(-0.02, 0.03, count)
    return np.array([(x, y, height(x, y) + up) for (x, y), up in zip(xy, above, strict=True)])


def compare(found: Table, count: int, origin: np.ndarray, expected: np.ndarray, n: int) -> None:
    """Contacts (distance, point, normal), deepest first, are those of the compiled functions within float32."""
    assert count == n
    ours = found.values[:count].astype(float)
    ours[:, 1:4] += origin
    np.testing.assert_allclose(ours[:, :4], expected[:n, :4], atol=2e-6)
    np.testing.assert_allclose(ours[:, 4:], expected[:n, 4:7], atol=1e-4)


def arrays() -> tuple[Any, ...]:
    """The ground as the compiled functions take them."""
    return HEIGHTS, GROUND.risers, FLOOR, PLATE, (RESOLUTION, RESOLUTION, 1.0), (*GROUND.origin_w, 0.0)


@pytest.mark.usefixtures("interpreted")
def test_spheres_touch_as_compiled_ones_do() -> None:
    touching = 0
    for at in places(60, seed=0):
        g, origin = ground_near(*at[:2])
        found, expected = room(), np.zeros((MOST_CONTACTS, 10))
        count = sphere.collide_sphere(g, wp.vec3(*(at - origin)), FOOT, 0.0, found)
        n = compiled_sphere.collide(*arrays(), tuple(at), FOOT, 0.0, expected)
        compare(found, count, origin, expected, n)
        touching += n > 0
    assert touching > 40


def axis(middle: np.ndarray, direction: np.ndarray, radius: float, half: float) -> Any:
    return SimpleNamespace(
        middle=wp.vec3(*middle), direction=wp.vec3(*direction), half=half, radius=radius, reach=radius
    )


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(("shape", "count"), [(SHANK, 30), (BASE, 4)])
def test_capsules_touch_as_compiled_ones_do(shape: tuple[float, float], count: int) -> None:
    """Nearly all do: these all, others lie beside an upright edge, where rounding decides on which side of a riser."""
    rng, touching = np.random.default_rng(1), 0
    for at in places(count, seed=2):
        direction = rng.normal(size=3) * (1.0, 1.0, 0.3)
        direction /= np.linalg.norm(direction)
        g, origin = ground_near(*at[:2])
        found, expected = room(), np.zeros((MOST_CONTACTS, 10))
        touched = capsule.collide_capsule(g, axis(at - origin, direction, *shape), found, room())
        n = compiled_capsule.collide_capsule(*arrays(), tuple(at), tuple(direction), *shape[::-1], 0.0, expected)
        compare(found, touched, origin, expected, n)
        touching += n > 0
    assert touching > count / 2


@pytest.mark.usefixtures("interpreted")
def test_how_high_the_ground_is_changes_no_bit_of_a_contact() -> None:
    """World heights of some m would cost directions three digits: everything is relative to the ground near a shape."""
    (at,) = places(1, seed=5)
    found = []
    for raised in (0.0, RAISED):
        g, origin = ground_near(*at[:2], raised)
        c = np.float32(at - ground_near(*at[:2])[1])
        contacts = room()
        capsule.collide_capsule(g, axis(c, np.array([0.8, 0.6, 0.0]), *SHANK), contacts, room())
        assert origin[2] == pytest.approx(raised, abs=1.0)
        found.append(contacts.values)
    assert found[0].any()
    np.testing.assert_array_equal(found[1], found[0])


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("away", [0.02, 1e-3, 1e-4])
def test_walls_of_triangles_hold_spheres_beside_them(away: float) -> None:
    """Rounding turns some normals down, by less than 1e-3."""
    rng = np.random.default_rng(0)
    bottom, beyond, top = wp.vec3(0.025, -0.05, 0.1), wp.vec3(0.025, -0.025, 0.1), wp.vec3(0.025, -0.05, 0.3)
    down = []
    for u, v in rng.uniform(0.05, 0.45, (40, 2)):
        out, c = room(), wp.vec3(0.025 - away, -0.05 + 0.025 * u, 0.1 + 0.2 * v)
        assert candidates.offer_triangle(out, 0, False, 0.03, c, bottom, top, beyond) == 1
        down.append(out[0, 6])
    assert min(down) > -1e-3


def geom_poses(sim: Any) -> tuple[np.ndarray, np.ndarray]:
    """Positions (n, geoms, 3) m and axes (n, geoms, 3, 3) of all robots' shapes, in single precision."""
    position, axes = [], []
    for env_id in range(sim.batch.nsim):
        model, data = sim.batch.get_model(env_id), sim.batch.get_data(env_id)
        mujoco.mj_kinematics(model, data)
        position.append(np.float32(data.geom_xpos))
        axes.append(np.float32(data.geom_xmat).reshape(-1, 3, 3))
    return np.array(position), np.array(axes)


def test_thousands_of_robots_touch_all_kinds_of_ground_as_with_c() -> None:
    """Of 27,900 contacts of 3000 robots 38 were on one side alone, in 19 robots: beside upright edges, and where the
    centre of a shape lies within 1e-5 m of the ground. With the thresholds of float64 219 were."""
    robots = 2000
    sim = Simulation(ww.surface(), robots, 1, 4)
    ww.anywhere(sim, ww.surface(), seed=0)
    expected, plain = ww.contacts(sim), known(sim.model)
    plain.geom_conaffinity[:] = 0  # as in WarpEngine, where the ground has no pairs of its own
    m, d = mjw.put_model(plain), mjw.make_data(plain, nworld=robots, nconmax=CONTACTS)
    for array, values in zip((d.geom_xpos, d.geom_xmat), geom_poses(sim), strict=True):
        array.assign(values)
    make_collider(sim.model, robots, wp.get_device("cpu"))(m, d)
    found = ww.contacts_on_device(d)
    count = sum(map(len, expected))
    assert count > 8 * robots
    assert sum(ww.alone(a, b) + ww.alone(b, a) for a, b in zip(expected, found, strict=True)) < 0.003 * count
