from __future__ import annotations

import subprocess
import sys

import mujoco
import numpy as np
import pytest
import torch
from collider_scenes import RADIUS, add_ground, contacts_at, sphere_on
from mujoco.batch import Batch
from worlds import environment

from envs.collider.marks import REACH
from envs.commands import CommandConfig
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


@pytest.mark.parametrize("shape", [(21, 21), (24, 26), (23, 40)])
def test_no_sphere_that_touches_is_taken_for_clear(shape):
    rng = np.random.default_rng(9)
    heights = rng.uniform(0.0, 0.3, shape) ** 3
    risers = rng.integers(0, 4, shape).astype(np.uint8)
    bounded, unbounded = sphere_on(heights, risers, radius=0.1), sphere_on(heights, risers, radius=0.1)
    unbounded[0].geom_user[:, REACH] = 0.0
    touching = clear = 0
    for _ in range(3000):
        position = rng.uniform(-0.3, 0.3, 3) + rng.uniform((0.0, 0.0, 0.0), (shape[1] * 0.05, shape[0] * 0.05, 0.0))
        ours, all_of_them = contacts_at(*bounded, position), contacts_at(*unbounded, position)
        np.testing.assert_array_equal(ours[0], all_of_them[0])
        touching, clear = touching + (len(ours[0]) > 0), clear + (len(ours[0]) == 0)
    assert min(touching, clear) > 300


def test_robots_stand_with_the_stock_collider():
    still = CommandConfig(fixed=(0.0, 0.0, 0.0))
    env = environment(2, [make_tile("rough", 0.2)], collider="stock", randomization=NONE, commands=still)
    for _ in range(100):
        assert not env.step(torch.zeros(2, 16))[2].any()
    touching = env.state.foot_contact > 0
    assert touching.sum(-1).min() >= 2 and (env.state.foot_normal_w[..., 2][touching] > 0.8).all()
