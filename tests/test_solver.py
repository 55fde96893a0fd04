"""Contacts as they were tuned, MuJoCo's own, and softer and stiffer ones of each robot."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor
from worlds import environment, hold, plane_tile, pose, put

from envs.config import EnvConfig
from envs.randomization import NONE
from envs.robot import FOOT_RADIUS, STANDING_HEIGHT, robot_spec
from envs.simulation import Simulation
from envs.solver import OURS, SolverConfig
from envs.terrains import Surface, build_map


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def current(sim: Simulation, row: int) -> mujoco.MjData:
    """A robot's simulation, with everything recomputed from its state."""
    data = sim.batch.get_data(row)
    mujoco.mj_forward(sim.batch.get_model(row), data)
    return data


def standing(solver: SolverConfig, stiffness: tuple[float, ...] = (1.0,), decimation: int = 4) -> Tensor:
    """How deep the soles of robots that have stood for a while are in level ground, mean over the feet, (n,) m."""
    surface = Surface(build_map([plane_tile()]))
    sim = Simulation(surface, len(stiffness), 1, decimation, solver=solver)
    rows = put(sim, pose(count=len(stiffness)))
    sim.set_stiffness(rows, torch.tensor(stiffness))
    return FOOT_RADIUS - hold(sim, 2.0).foot_position_w[..., 2].mean(-1)


def test_each_robots_contacts_are_as_stiff_as_asked_and_damped_in_proportion() -> None:
    factors = (1.0, 0.25, 4.0)
    sim = Simulation(Surface(build_map([plane_tile()])), 3, 1, 4)
    rows = put(sim, pose(STANDING_HEIGHT - 0.001, count=3))
    sim.set_stiffness(rows, torch.tensor(factors))
    sim.settle(rows)
    spring = np.stack([current(sim, row).efc_KBIP[0, :2] for row in range(3)])
    assert spring[:, 0] / spring[0, 0] == pytest.approx(np.array(factors))
    assert spring[:, 1] / spring[0, 1] == pytest.approx(np.sqrt(factors))


def test_soles_sink_into_softer_ground() -> None:
    depth = standing(OURS, (0.05, 0.2, 1.0, 4.0))
    assert (depth[:-1] > 2 * depth[1:]).all() and depth[3] > 0


def test_mujocos_contacts_give_way_more_than_ours() -> None:
    ours, default = standing(OURS), standing(SolverConfig(contacts="default"))
    assert default.item() > 2 * ours.item() > 0


def test_the_model_is_solved_as_asked_and_by_default_as_the_robot_says() -> None:
    surface = Surface(build_map([plane_tile()]))
    model = Simulation(surface, 1, 1, 4, solver=SolverConfig("elliptic", "default", 3.0)).model
    assert (model.opt.cone, model.opt.impratio) == (mujoco.mjtCone.mjCONE_ELLIPTIC, 3.0)
    feet = [model.geom(f"{leg}_foot").id for leg in ("LF", "RH")]
    stock = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
    np.testing.assert_array_equal(model.geom_solimp[feet], stock.geom_solimp[[0, 0]])
    ours, asset = Simulation(surface, 1, 1, 4).model, robot_spec(False).compile()
    assert (ours.opt.cone, ours.opt.impratio) == (asset.opt.cone, asset.opt.impratio)
    for name in ("LF_foot", "RH_foot"):
        np.testing.assert_array_equal(ours.geom(name).solimp, asset.geom(name).solimp)


def slip(cone: Literal["pyramidal", "elliptic"], angle: float) -> float:
    """m that a robot is moved in 1 s by 130 N in this direction, of which friction can hold 153 N."""
    sim = Simulation(Surface(build_map([plane_tile()])), 1, 1, 4, solver=SolverConfig(cone))
    rows = put(sim, pose())
    sim.set_friction(rows, torch.full((1, 4), 0.3))
    before = hold(sim, 1.0).base_position_w
    sim.set_wrench(rows, 130 * torch.tensor([[math.cos(angle), math.sin(angle), 0.0]]), torch.zeros(1, 3))
    return (hold(sim, 1.0).base_position_w - before)[0, :2].norm().item()


@pytest.mark.parametrize("angle", [0.0, math.pi / 4])
def test_a_pyramid_holds_less_than_the_cone_around_it(angle: float) -> None:
    assert slip("pyramidal", angle) > 2 * slip("elliptic", angle)


def test_every_episode_has_a_stiffness_of_its_own_and_drawing_it_changes_nothing_else() -> None:
    plain, varied = environment(40), environment(40, solver=SolverConfig(stiffness=(0.5, 2.0)))
    contact = varied.simulation.contact[:, varied.simulation.solid, 0]
    factor = (0.02 / contact[:, 0]) ** 2
    assert (contact == contact[:, :1]).all() and len(set(factor)) == 40
    assert 0.5 <= factor.min() < 0.6 and 1.8 < factor.max() <= 2.0
    assert torch.equal(plain.state.joint_position, varied.state.joint_position)
    assert torch.equal(plain.generator.get_state(), varied.generator.get_state())
    varied.episode_length_buf[:] = varied.max_episode_length
    varied.step(torch.zeros(40, 16))
    assert (varied.simulation.contact[:, varied.simulation.solid[0], 0] != contact[:, 0]).all()


def test_a_resumed_environment_goes_on_with_the_contacts_it_had() -> None:
    env, other = (environment(3, solver=SolverConfig("elliptic", stiffness=(0.5, 2.0)), seed=seed) for seed in (1, 2))
    env.step(torch.zeros(3, 16))
    other.load_state_dict(env.state_dict())
    for _ in range(3):
        expected, given = env.step(torch.ones(3, 16)), other.step(torch.ones(3, 16))
        assert all(torch.equal(expected[0][name], given[0][name]) for name in ("proprio", "privileged"))


def test_contacts_too_stiff_for_the_physics_step_are_refused() -> None:
    EnvConfig(solver=SolverConfig(stiffness=(1.0, 4.0)))
    EnvConfig(decimation=2)
    for decimation, most in ((4, 4.01), (2, 1.01), (8, 16.1)):
        with pytest.raises(ValueError, match="solver.stiffness is at most"):
            EnvConfig(decimation=decimation, solver=SolverConfig(stiffness=(1.0, most)))
    for wrong in ((0.0, 1.0), (2.0, 1.0)):
        with pytest.raises(ValueError, match="solver.stiffness takes two numbers"):
            SolverConfig(stiffness=wrong)
    with pytest.raises(ValueError, match="impratio"):
        SolverConfig(impratio=0.0)


def test_without_randomisation_robots_stand_under_any_solver() -> None:
    for solver in (
        SolverConfig("elliptic"),
        SolverConfig("elliptic", "default", 1.0),
        SolverConfig(stiffness=(0.5, 0.5)),
    ):
        env = environment(2, solver=solver, randomization=NONE)
        for _ in range(25):
            assert not env.step(torch.zeros(2, 16))[2].any()
