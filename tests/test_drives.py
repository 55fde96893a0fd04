"""The drives in the physics step: the torque of torch's network, once every 5 ms, robot by robot."""

from __future__ import annotations

import ctypes
import sys
from dataclasses import replace
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from drive_worlds import ActuatorNetwork, hanging, inputs, numbers, scripted
from einops import rearrange
from torch import Tensor
from torch.testing import assert_close
from worlds import DEFAULT, environment, plane_tile, pose, put, simulation

from envs.config import as_recorded
from envs.drives import ANYDRIVE, PD, DriveConfig, native
from envs.drives.description import describe
from envs.drives.network import PERIOD, load
from envs.library import library
from envs.randomization import Drives
from envs.robot import TORQUE_LIMIT
from envs.simulation import Simulation
from envs.terrains import Surface, build_map
from evaluation.exported import drive_of

TOLERANCE = 1e-3
"""N m."""


def targets(count: int, steps: int, seed: int = 0) -> Tensor:
    """Joint targets (steps, count, 12) that walk about the default pose."""
    generator = torch.Generator().manual_seed(seed)
    walk = 0.15 * torch.randn(steps, count, 12, generator=generator).cumsum(0)
    return DEFAULT + walk.remainder(2.0) - 1.0


def torques(sim: Simulation) -> Tensor:
    """(n, 12) N m of the last physics step."""
    return sim.read().joint_torque


@torch.no_grad()
def follow(sim: Simulation, network: ActuatorNetwork, state: tuple[Tensor, Tensor], target: Tensor) -> tuple:
    """Torques (n, 12) that torch gives for the next physics step, and its new memory; takes that step."""
    sim.control[:, sim.actuators] = target.numpy()
    torque, state = network(rearrange(inputs(sim), "n joint x -> (n joint) 1 x"), state)
    sim.batch.step(nstep=1)
    return rearrange(torque, "(n joint) -> n joint", joint=12), state


@pytest.mark.parametrize("file", [scripted, numbers])
def test_a_networks_torques_are_torchs_over_a_thousand_steps_with_resets(file, tmp_path: Path) -> None:
    network, count = ActuatorNetwork(), 2
    sim = hanging(DriveConfig("network", str(file(network, tmp_path))), count)
    state, largest = network.empty(12 * count), 0.0
    for step, target in enumerate(targets(count, 1000)):
        if step % 150 == 149:
            rows = torch.tensor([step // 150 % 2])
            sim.reset(rows, pose(500.0), torch.zeros(1, 18))
            for memory in state:
                memory[:, 12 * rows : 12 * rows + 12] = 0.0
            target = torch.from_numpy(sim.control[:, sim.actuators]).float()
        expected, state = follow(sim, network, state, target)
        assert_close(torques(sim), expected.clamp(-TORQUE_LIMIT, TORQUE_LIMIT), atol=TOLERANCE, rtol=0)
        largest = max(largest, expected.abs().max().item())
    assert largest > 20


def test_networks_of_one_layer_and_of_other_sizes_are_driven_too(tmp_path: Path) -> None:
    for layers, hidden in ((1, 5), (3, 4)):
        network = ActuatorNetwork(hidden, layers)
        sim, state = hanging(DriveConfig("network", str(numbers(network, tmp_path)))), network.empty(12)
        for target in targets(1, 20):
            expected, state = follow(sim, network, state, target)
            assert_close(torques(sim), expected, atol=TOLERANCE, rtol=0)


def test_two_networks_in_one_process_drive_each_its_own_robots(tmp_path: Path) -> None:
    networks, sims = [ActuatorNetwork(seed=1), ActuatorNetwork(5, 1, seed=2)], []
    for number, network in enumerate(networks):
        (tmp_path / str(number)).mkdir()
        sims.append(hanging(DriveConfig("network", str(numbers(network, tmp_path / str(number))))))
    states = [network.empty(12) for network in networks]
    for target in targets(1, 10):
        for number, (network, sim) in enumerate(zip(networks, sims, strict=True)):
            expected, states[number] = follow(sim, network, states[number], target)
            assert_close(torques(sim), expected, atol=TOLERANCE, rtol=0)


def test_looking_does_not_advance_the_drives() -> None:
    sim, looked = hanging(DriveConfig()), hanging(DriveConfig())
    for target in targets(1, 10):
        looked.settle(torch.tensor([0]))
        looked.settle(torch.tensor([0]))
        for each in (sim, looked):
            each.step(target)
        assert torch.equal(torques(sim), torques(looked))


def test_drives_advance_every_5_ms_whatever_the_physics_step_is() -> None:
    """With the joints held still the torques depend on the time alone."""
    given = {}
    for decimation in (2, 4, 8):
        sim = hanging(DriveConfig(), decimation=decimation)
        sim.control[:, sim.actuators] = DEFAULT.numpy() + 0.2
        seen = []
        for _ in range(3 * decimation):
            sim.qpos[:, 7:], sim.qvel[:] = DEFAULT.numpy(), 0.0
            sim.batch.step(nstep=1)
            seen.append(torques(sim)[0, 0].item())
        given[decimation] = np.array(seen)
    assert len(set(given[4])) == 12
    assert np.array_equal(given[8][::2], given[8][1::2])
    np.testing.assert_allclose(given[8][::2], given[4], atol=1e-5)
    np.testing.assert_allclose(given[2], given[4].reshape(-1, 2).mean(-1), atol=1e-5)


def test_a_reset_empties_the_memory_of_its_row_alone() -> None:
    sim, fresh = hanging(DriveConfig(), 2), hanging(DriveConfig(), 2)
    for target in targets(2, 10):
        sim.step(target)
    before = sim.batch.bind("act").copy()
    sim.reset(torch.tensor([1]), pose(500.0), torch.zeros(1, 18))
    assert np.array_equal(sim.batch.bind("act")[0], before[0])
    assert not sim.batch.bind("act")[1].any()
    target = targets(2, 1, seed=1)[0]
    for each in (sim, fresh):
        each.step(target)
    assert torch.equal(torques(sim)[1], torques(fresh)[1])


def test_the_same_bits_at_any_number_of_threads() -> None:
    sims = [hanging(DriveConfig(), 7, threads) for threads in (1, 3)]
    for target in targets(7, 20):
        for sim in sims:
            sim.step(target)
    assert np.array_equal(sims[0].batch.state, sims[1].batch.state)


def test_resume_of_drives_is_bit_exact() -> None:
    sim, other = hanging(DriveConfig(), 2), hanging(DriveConfig(), 2)
    ranges = (0.5, 1.0), (0.9, 1.0), (0.8, 1.2), (0.8, 1.2), (0.0, 0.01)
    drives = Drives(*(torch.linspace(low, high, 24).reshape(2, 12) for low, high in ranges))
    sim.set_drives(torch.arange(2), torch.ones(2, 12), drives)
    walk = targets(2, 20)
    for target in walk[:10]:
        sim.step(target)
    other.load_state_dict(sim.state_dict())
    for target in walk[10:]:
        for each in (sim, other):
            each.step(target)
    assert np.array_equal(sim.batch.state, other.batch.state)


def test_each_robot_feels_its_own_gains_strength_and_limit(tmp_path: Path) -> None:
    network = ActuatorNetwork()
    sim = hanging(DriveConfig("network", str(numbers(network, tmp_path))), 2)
    ones = torch.ones(2, 12)
    sim.set_drives(
        torch.arange(2),
        torch.tensor([[1.0], [0.9]]) * ones,
        Drives(
            strength=torch.tensor([[1.0], [0.5]]) * ones,
            limit=torch.tensor([[0.1], [1.0]]) * ones,
            position_gain=torch.tensor([[0.8], [1.2]]) * ones,
            velocity_gain=torch.tensor([[1.3], [0.7]]) * ones,
            lag=0 * ones,
        ),
    )
    state, gains = network.empty(24), torch.tensor([[[0.8, 1.3]], [[1.2, 0.7]]])
    for target in targets(2, 30):
        sim.control[:, sim.actuators] = target.numpy()
        with torch.no_grad():
            torque, state = network(rearrange(inputs(sim) * gains, "n joint x -> (n joint) 1 x"), state)
        sim.batch.step(nstep=1)
        expected = rearrange(torque, "(n joint) -> n joint", joint=12)
        assert_close(torques(sim)[0], expected[0].clamp(-8, 8), atol=TOLERANCE, rtol=0)
        assert_close(torques(sim)[1], 0.45 * expected[1].clamp(-TORQUE_LIMIT, TORQUE_LIMIT), atol=TOLERANCE, rtol=0)


def test_a_lag_follows_the_drive_as_a_first_order_filter_does() -> None:
    sim, lagging = hanging(DriveConfig()), hanging(DriveConfig(lag=0.012))
    expected = torch.zeros(12)
    for target in targets(1, 20):
        lagging.qpos[:], lagging.qvel[:] = sim.qpos, sim.qvel
        for each in (sim, lagging):
            each.control[:, each.actuators] = target.numpy()
            each.batch.step(nstep=1)
        expected += (1 - np.exp(-PERIOD / 0.012)) * (torques(sim)[0] - expected)
        assert_close(torques(lagging)[0], expected, atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("late", [0, 1, 4, 6])
def test_drives_get_their_targets_as_late_as_ideal_ones(late: int) -> None:
    """A delay of so many physics steps, robot by robot; the drive sees what it would have seen then."""
    sim = Simulation(Surface(build_map([plane_tile()])), 2, 1, 4, drive=DriveConfig(), longest_delay=0.03)
    prompt = hanging(DriveConfig())
    rows = put(sim, pose(500.0, count=2))
    sim.set_delay(rows, torch.tensor([late * PERIOD, 0.0]))
    walk = targets(1, 30)
    shown = torch.cat([DEFAULT.expand(late, 1, 12), walk])
    for number, target in enumerate(walk):
        prompt.qpos[:], prompt.qvel[:] = sim.qpos[:1], sim.qvel[:1]
        sim.control[:, sim.actuators], prompt.control[:, prompt.actuators] = target.numpy(), shown[number].numpy()
        for each in (sim, prompt):
            each.batch.step(nstep=1)
        assert_close(torques(sim)[:1], torques(prompt), atol=1e-6, rtol=0)
    assert late == 0 or not torch.equal(torques(sim)[0], torques(sim)[1])


@pytest.mark.parametrize("cfg", [PD, DriveConfig()])
def test_drives_of_half_the_strength_give_half_the_torque_and_limit(cfg: DriveConfig) -> None:
    strong, weak = hanging(cfg), hanging(replace(cfg, strength=0.5))
    for error in (0.1, -3.0):
        for sim in (strong, weak):
            sim.reset(torch.tensor([0]), pose(500.0), torch.zeros(1, 18))
            sim.control[:] = sim.qpos[:, 7:] + error
            sim.settle(torch.tensor([0]))
        assert torques(strong).abs().min() > 1
        assert_close(torques(weak), 0.5 * torques(strong), atol=1e-4, rtol=0)


def test_robots_of_any_drives_are_the_same_otherwise() -> None:
    real, ideal = environment(5, seed=3), environment(5, seed=3, drive=PD)
    for name in ("mass", "friction", "qpos", "qvel"):
        assert np.array_equal(getattr(real.simulation, name), getattr(ideal.simulation, name))
    assert not np.array_equal(real.simulation.dynamics, environment(5, seed=4).simulation.dynamics)


def test_user_actuators_of_other_models_are_left_alone() -> None:
    hanging(DriveConfig())
    model = mujoco.MjModel.from_xml_string(
        '<mujoco><worldbody><body><joint name="j"/><geom size="0.1"/></body></worldbody><actuator>'
        '<general joint="j" dyntype="user" actdim="3" dynprm="1 2 3"/></actuator></mujoco>'
    )
    data = mujoco.MjData(model)
    data.act[:], data.ctrl[:] = 0.5, 1.0
    mujoco.mj_step(model, data)
    assert (data.act == 0.5).all()


def test_the_link_feels_no_rotor_behind_the_spring() -> None:
    assert not hanging(DriveConfig()).model.dof_armature[6:].any()
    assert (simulation().model.dof_armature[6:] == 0.06).all()


def test_policies_whose_record_names_no_drives_keep_pd() -> None:
    assert as_recorded({"gait": {}})["drive"]["model"] == "pd"
    assert as_recorded({"drive": {"model": "anydrive"}})["drive"] == {"model": "anydrive"}


def test_records_of_old_names_mean_the_same_settings() -> None:
    old = {"height_noise": {"shares": (1, 0, 0), "failures": {"share": 0.3}}, "commands": {"turn_share": 0.2}}
    counts = {"update_samples": 1, "flat_samples": 2, "episode_samples": 3}
    new = as_recorded({**old, "own": {"rewards": {"share": 1.0}}, "curriculum": counts})
    assert new["height_noise"] == {"condition_probabilities": (1, 0, 0), "failures": {"probability": 0.3}}
    assert new["commands"] == {"turn_probability": 0.2} and new["own"] == {"rewards": {"share": 1.0}}
    assert new["curriculum"] == {"update_steps": 1, "flat_steps": 2, "iteration_steps": 3}


PUBLISHED = {
    0.2: (9.6, 15.5, 18.0, 18.5, 17.8, 17.0),
    0.8: (28.8, 49.2, 60.2, 65.8, 69.7, 69.0),
    1.5: (34.9, 57.2, 68.5, 74.4, 79.5, 82.1),
}
"""rad -> N m of the published ANYdrive network 5, 10, 15, 20, 30 and 60 ms after a step from an empty memory."""
HELD = {-6: 54.6, -3: 40.0, -1: 30.7, 0: 25.9, 1: 20.6, 3: 7.7, 6: -11.3}
"""rad/s -> N m that it gives in the long run at an error of 0.3 rad."""


def answer(error: float, velocity: float, updates: int) -> list[float]:
    """Torques of anydrive, without the limit, from an empty memory on."""
    drive = load(ANYDRIVE)
    network = ActuatorNetwork(drive.sizes[1], 1)
    with np.load(ANYDRIVE) as file:
        network.load_state_dict(
            {
                name: torch.from_numpy(file[name.replace(".", "_")]).reshape(tensor.shape)
                for name, tensor in network.state_dict().items()
            }
        )
    state, given = network.empty(1), []
    for _ in range(updates):
        with torch.no_grad():
            torque, state = network(torch.tensor([[[error, velocity]]]), state)
        given.append(torque.item())
    return given


@pytest.mark.parametrize("error", PUBLISHED)
def test_anydrive_answers_a_step_as_the_published_network_does(error: float) -> None:
    given = answer(error, 0.0, 12)
    for update, expected in zip((0, 1, 2, 3, 5, 11), PUBLISHED[error], strict=True):
        assert given[update] == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("velocity", HELD)
def test_anydrive_damps_as_the_published_network_does(velocity: int) -> None:
    assert answer(0.3, velocity, 200)[-1] == pytest.approx(HELD[velocity], abs=3.0)


@pytest.mark.parametrize("missing", ["mj_readCtrl", "envs.drives.native", "mjModel"])
def test_another_mujoco_is_one_sentence_that_names_pd(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Without(ctypes.CDLL):
        def __getattr__(self, name: str) -> object:
            if name == missing:
                raise AttributeError(f"undefined symbol: {name}")
            return super().__getattr__(name)

    monkeypatch.setattr(native, "_installed", {})
    if missing == "mj_readCtrl":
        monkeypatch.setattr(native, "library", lambda: Without(library()._name))
    elif missing == "mjModel":
        monkeypatch.setattr(native, "struct_type", {}.__getitem__)
    else:
        monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ValueError, match=r"choose `--env.drive.model pd`\.$"):
        hanging(DriveConfig())


def test_what_a_contract_says_of_drives_has_their_factors_in_it() -> None:
    plain = describe(DriveConfig())
    said = describe(DriveConfig(strength=0.5, position_gain=1.2, velocity_gain=0.8, lag=0.03))
    assert said["kp_n_m_per_rad"] == pytest.approx(0.6 * plain["kp_n_m_per_rad"], rel=0.05)
    assert said["kd_n_m_s_per_rad"] == pytest.approx(0.4 * plain["kd_n_m_s_per_rad"], rel=0.05)
    assert plain["rise_time_s"] + 0.01 < said["rise_time_s"] < plain["rise_time_s"] + 0.06
    assert drive_of("x", said) == DriveConfig(strength=0.5, position_gain=1.2, velocity_gain=0.8, lag=0.03)
    del plain["factors"]
    assert drive_of("x", plain) == DriveConfig()
