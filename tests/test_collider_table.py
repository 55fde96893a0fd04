from __future__ import annotations

import subprocess
import sys

import mujoco
import numpy as np
import pytest
import torch
from collider_scenes import RADIUS, add_ground, add_sphere, contacts_at, fill, sphere_on
from mujoco.batch import Batch
from worlds import environment

from envs.collider.marks import BOUNDS, REACH
from envs.commands import CommandConfig
from envs.drives import PD
from envs.randomization import NONE
from envs.terrains import make_tile


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(3)
    risers = rng.integers(0, 4, (21, 21)).astype(np.uint8)
    model, _ = sphere_on(rng.uniform(0.0, 0.1, (21, 21)), risers)
    states = []
    for threads in (1, 3):
        batch = Batch(model, 40, threads)
        batch.bind("qpos")[:, :3] = np.random.default_rng(4).uniform((0.2, 0.2, 0.1), (0.8, 0.8, 0.3), (40, 3))
        batch.step(nstep=200)
        states.append(np.array(batch.bind("qpos")))
    np.testing.assert_array_equal(*states)
    assert (np.abs(states[0][:, 2]) < 0.2).all()


def test_other_heightfields_keep_the_stock_collider():
    flat = np.zeros((21, 21))
    sphere_on(flat)
    unmarked, turned = sphere_on(flat, exact=False), sphere_on(flat, quat=[0.0, 0.0, 0.0, 1.0])
    position = (0.51, 0.52, RADIUS - 0.005)
    assert len(contacts_at(*unmarked, position)[0]) > 1
    assert len(contacts_at(*turned, position)[0]) > 1


def test_missing_numba_names_the_stock_collider():
    script = """
import sys
sys.modules["numba"] = None
import mujoco
from envs.collider import use_exact
try:
    use_exact(mujoco.MjSpec().worldbody.add_geom())
except ValueError as error:
    print(error)
"""
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "--env.collider stock" in output
    assert output.count("\n") == 1


def test_exact_and_stock_models_live_in_one_process():
    rng = np.random.default_rng(8)
    heights = rng.uniform(0.0, 0.05, (21, 21))
    position = (0.51, 0.52, 0.05)
    exact, stock = sphere_on(heights), sphere_on(heights, exact=False)
    before = contacts_at(*stock, position)
    assert len(contacts_at(*exact, position)[0]) < len(before[0])
    for now, then in zip(contacts_at(*stock, position), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_risers_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\(21, 20\).*\(21, 21\)"):
        add_ground(mujoco.MjSpec(), np.zeros((21, 21)), np.zeros((21, 20), np.uint8))


def rough(rng, shape):
    return rng.uniform(0.0, 0.3, shape) ** 3, rng.integers(0, 4, shape).astype(np.uint8)


@pytest.mark.parametrize("radius", [0.1, 0.148])
@pytest.mark.parametrize(
    ("shape", "step"), [((21, 21), (0.05, 0.05)), ((24, 26), (0.05, 0.07)), ((23, 40), (0.08, 0.05))]
)
def test_no_sphere_that_touches_is_taken_for_clear(shape, step, radius):
    rng = np.random.default_rng(9)
    heights, risers = rough(rng, shape)
    middle, half = np.array((12.3, -4.5, 0.7)), 0.5 * np.array(((shape[1] - 1) * step[0], (shape[0] - 1) * step[1]))
    place = dict(pos=middle, step=step, radius=radius)
    bounded, unbounded = sphere_on(heights, risers, **place), sphere_on(heights, risers, **place)
    assert bounded[0].geom_user[0, REACH] > radius
    unbounded[0].geom_user[:, REACH] = -1.0
    corner = middle - (*half, 0.0)
    touching = clear = 0
    for i in range(3000):
        position = corner + rng.uniform((-0.3, -0.3, -0.3), (*(2 * half + 0.3), 0.3))
        if i % 3 == 0:  # on the border of a block
            position[:2] = corner[:2] + 4 * np.array(step) * rng.integers(0, 9, 2)
        ours, all_of_them = contacts_at(*bounded, position), contacts_at(*unbounded, position)
        for one, other in zip(ours, all_of_them, strict=True):
            np.testing.assert_array_equal(one, other)
        touching, clear = touching + (len(ours[0]) > 0), clear + (len(ours[0]) == 0)
    assert min(touching, clear) > 300


def test_sphere_above_the_bounds_is_clear_without_a_closer_look():
    heights, risers = rough(np.random.default_rng(9), (21, 21))
    model, data = sphere_on(heights, risers)
    position = (0.51, 0.52, heights[9:12, 9:12].max())
    assert len(contacts_at(model, data, position)[0]) > 0
    model.numeric_data.view(np.float32)[int(model.geom("h").user[BOUNDS]) :] = -np.inf
    assert len(contacts_at(model, data, position)[0]) == 0


def test_heightfields_of_one_model_keep_their_own_bounds():
    rng = np.random.default_rng(10)
    spec, alone = mujoco.MjSpec(), {}
    for i, shape in enumerate([(21, 21), (24, 30), (26, 22)]):
        heights, risers = rough(rng, shape)
        ground = dict(risers=risers if i < 2 else None, exact=i < 2, pos=[2.0 * i, 1.0, 0.3 * i])
        add_ground(spec, heights, name=f"h{i}", **ground)
        alone[f"h{i}"] = heights, sphere_on(heights, **ground)
    add_sphere(spec)
    model = spec.compile()
    data = mujoco.MjData(model)
    for name, (heights, _) in alone.items():
        fill(model, heights, name)
    for name, (_, single) in alone.items():
        found = 0
        for shift in rng.uniform((-0.4, -0.4, -0.02), (0.4, 0.4, 0.1), (300, 3)):
            position = model.geom(name).pos + shift
            together, by_itself = contacts_at(model, data, position, name), contacts_at(*single, position)
            for one, other in zip(together, by_itself, strict=True):
                np.testing.assert_array_equal(one, other)
            found += len(by_itself[0]) > 0
        assert 50 < found < 250


def test_robots_stand_with_the_stock_collider():
    still = CommandConfig(fixed=(0.0, 0.0, 0.0))
    env = environment(2, [make_tile("rough", 0.2)], collider="stock", randomization=NONE, commands=still, drive=PD)
    for _ in range(100):
        assert not env.step(torch.zeros(2, 16))[2].any()
    touching = env.state.foot_contact > 0
    assert touching.sum(-1).min() >= 2 and (env.state.foot_normal_w[..., 2][touching] > 0.8).all()
