"""The batch as n separate simulations: same bits one by one, at any thread count, after resets, failures, restarts."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import mujoco
import numpy as np
import pytest
import torch
from torch import Tensor
from worlds import DEFAULT, hold, pose, put, simulation

from anymal_policy.gait import leg_fk
from envs.simulation import Simulation
from envs.state import RobotState

WORLD = 4


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


class Random:
    """Reproducible robots, targets and kicks."""

    def __init__(self, seed: int = 0) -> None:
        self.generator = torch.Generator().manual_seed(seed)

    def symmetric(self, *shape: int) -> Tensor:
        return 2 * torch.rand(*shape, generator=self.generator) - 1

    def robots(self, sim: Simulation, rows: Tensor) -> None:
        """New bodies, motors, feet, wrenches and states for these rows."""
        m = len(rows)
        sim.set_friction(rows, 0.6 + 0.3 * self.symmetric(m, 4))
        sim.set_mass(rows, 5 * self.symmetric(m), 1 + 0.1 * self.symmetric(m, 12))
        sim.set_strength(rows, 1 + 0.2 * self.symmetric(m, 12))
        sim.reset(rows, pose(0.58, count=m), self.symmetric(m, 18))
        sim.set_wrench(rows, 40 * self.symmetric(m, 3), 8 * self.symmetric(m, 3))
        sim.settle(rows)

    def targets(self, n: int) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Step, joint targets and horizontal kicks, without end."""
        k = 0
        while True:
            yield k, DEFAULT + 0.3 * self.symmetric(n, 12), self.symmetric(n, 2) * (k % 10 == 5)
            k += 1


def run(sim: Simulation, steps: int, seed: int = 1) -> np.ndarray:
    """Shake all robots; returns everything that can be read, by step."""
    n, seen = sim.batch.nsim, []
    for k, target, kick in Random(seed).targets(n):
        if k == steps:
            break
        sim.add_velocity(kick)
        sim.step(target)
        seen.append(np.concatenate([sim.batch.state, sim.readings.sensors, sim.readings.torque], axis=-1))
    return np.stack(seen)


def randomized(threads: int = 1, seed: int = 0) -> Simulation:
    sim = simulation(WORLD, threads)
    Random(seed).robots(sim, torch.arange(WORLD))
    return sim


def test_a_batch_of_different_robots_has_the_bits_of_serial_simulations() -> None:
    sim = randomized(threads=2)
    models = [sim.batch.get_model(i) for i in range(WORLD)]
    singles = [mujoco.MjData(model) for model in models]
    for i, single in enumerate(singles):
        mujoco.mj_setState(models[i], single, sim.batch.state[i], mujoco.mjtState.mjSTATE_INTEGRATION)
    for k, target, kick in Random(1).targets(WORLD):
        sim.add_velocity(kick)
        sim.step(target)
        for i, (model, single) in enumerate(zip(models, singles, strict=True)):
            single.qvel[:2] += kick[i].numpy()
            single.ctrl[:] = target[i].numpy()
            for _ in range(sim.decimation):
                mujoco.mj_step(model, single)
            np.testing.assert_array_equal(sim.qpos[i], single.qpos)
            np.testing.assert_array_equal(sim.qvel[i], single.qvel)
        if k == 20:
            break
    assert len({model.body_mass.sum() for model in models}) == WORLD


def test_one_and_two_threads_give_the_same_bits() -> None:
    np.testing.assert_array_equal(run(randomized(threads=1), 60), run(randomized(threads=2), 60))


def test_resetting_some_robots_leaves_the_bits_of_all_others() -> None:
    undisturbed, disturbed = randomized(), randomized()
    run(undisturbed, 20)
    run(disturbed, 20)
    Random(7).robots(disturbed, torch.tensor([0, 2]))
    others = [1, 3]
    np.testing.assert_array_equal(disturbed.readings.sensors[others], undisturbed.readings.sensors[others])
    np.testing.assert_array_equal(run(disturbed, 20, seed=2)[:, others], run(undisturbed, 20, seed=2)[:, others])


def test_a_reset_row_remembers_nothing() -> None:
    used, fresh = randomized(seed=3), simulation(WORLD)
    run(used, 30)
    for sim in (used, fresh):
        Random(4).robots(sim, torch.arange(WORLD))
    np.testing.assert_array_equal(run(used, 20), run(fresh, 20))


def test_rows_get_and_give_their_own_states() -> None:
    sim = simulation(3)
    qpos = pose(count=2)
    qpos[:, 0] = torch.tensor([0.1, 0.2])
    rows = torch.tensor([0, 2])
    sim.reset(rows, qpos, torch.zeros(2, 18))
    sim.settle(rows)
    state = sim.read()
    assert state.base_position_w[:, 0].tolist() == pytest.approx([0.1, 0.0, 0.2])
    sim.reset(rows, qpos.flip(0), torch.zeros(2, 18))
    sim.update(state, torch.tensor([2]))
    assert state.base_position_w[:, 0].tolist() == pytest.approx([0.1, 0.0, 0.1])


BROKEN = [("qpos", 2, np.nan), ("qpos", 10, np.inf), ("qvel", 7, np.inf), ("qvel", 0, -np.inf), ("qvel", 7, 1e12)]


@pytest.mark.parametrize(("field", "entry", "value"), BROKEN)
def test_a_broken_row_fails_alone_and_reads_as_zero(field: str, entry: int, value: float) -> None:
    undisturbed, broken = randomized(), randomized()
    others = [0, 1, 3]
    getattr(broken, field)[2, entry] = value
    np.testing.assert_array_equal(run(broken, 1)[:, others], run(undisturbed, 1)[:, others])
    assert broken.failed.tolist() == [False, False, True, False]
    state = broken.read()
    at_zero = {"gravity_b": torch.tensor([0.0, 0, -1]), "foot_position_w": leg_fk(torch.zeros(12))}
    for name, quantity in vars(state).items():
        expected = at_zero.get(name, torch.zeros_like(quantity[2]))
        torch.testing.assert_close(quantity[2], expected, atol=1e-6, rtol=0, msg=name)
        assert quantity.isfinite().all(), name
    np.testing.assert_array_equal(run(broken, 3, seed=2)[:, others], run(undisturbed, 3, seed=2)[:, others])


def test_a_state_that_explodes_to_finite_numbers_counts_as_failed() -> None:
    sim = randomized()
    sim.qvel[1, 7] = 1e6
    run(sim, 1)
    assert sim.failed.tolist() == [False, True, False, False]
    assert all(quantity.abs().max() < 1e4 for quantity in vars(sim.read()).values())


def test_a_target_that_is_no_number_fails_its_row_only() -> None:
    sim = randomized()
    targets = DEFAULT.repeat(WORLD, 1)
    targets[3, 5] = torch.nan
    sim.step(targets)
    assert sim.failed.tolist() == [False, False, False, True]


def test_a_failed_row_is_sound_again_after_its_reset() -> None:
    sim, fresh = randomized(), simulation(WORLD)
    sim.qpos[2] = np.nan
    run(sim, 2)
    for world in (sim, fresh):
        Random(5).robots(world, torch.arange(WORLD))
    assert not sim.failed.any()
    assert sim.read().base_position_w[2, 2] > 0.5
    np.testing.assert_array_equal(run(sim, 10), run(fresh, 10))
    assert not sim.failed.any()


@pytest.mark.parametrize("threads", [1, 2])
def test_resume_of_a_simulation_is_bit_exact(threads: int) -> None:
    sim, restored = randomized(), randomized(threads, seed=9)
    run(sim, 25)
    run(restored, 5, seed=8)
    file = io.BytesIO()
    torch.save(sim.state_dict(), file)
    expected = run(sim, 25, seed=2)
    file.seek(0)
    restored.load_state_dict(torch.load(file, weights_only=True))
    np.testing.assert_array_equal(run(restored, 25, seed=2), expected)


def test_a_saved_state_does_not_change_while_the_simulation_goes_on() -> None:
    sim = randomized()
    saved = sim.state_dict()
    before = {name: tensor.clone() for name, tensor in saved.items()}
    run(sim, 3)
    Random(6).robots(sim, torch.arange(WORLD))
    assert all(torch.equal(saved[name], before[name]) for name in saved)


def test_what_has_been_read_does_not_change_while_the_simulation_goes_on() -> None:
    def values(state: RobotState) -> list[Tensor]:
        return [tensor.clone() for tensor in vars(state).values()]

    sim = randomized()
    read = sim.read()
    before = values(read)
    run(sim, 3)
    assert all(torch.equal(a, b) for a, b in zip(values(read), before, strict=True))


def test_a_policy_step_takes_20_ms_however_finely_it_is_divided() -> None:
    coarse = simulation()
    fine = Simulation(_Plane(), 1, 1, decimation=10)
    for sim in (coarse, fine):
        put(sim, pose(3.0))
        hold(sim, 0.2)
        assert sim.batch.bind("time")[0] == pytest.approx(0.2)
    assert fine.model.opt.timestep == pytest.approx(0.002)
    assert coarse.read().base_position_w[0, 2] == pytest.approx(3 - 0.5 * 9.81 * 0.2**2, abs=0.01)


class _Plane:
    """MuJoCo's own plane as the ground."""

    def add_to_spec(self, spec: mujoco.MjSpec) -> None:
        spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[1, 1, 1], contype=0, conaffinity=1)

    def write_to_model(self, model: mujoco.MjModel) -> None:
        assert model.ngeom > 0


def test_mujoco_reads_no_clock() -> None:
    model = simulation(1).model
    data = mujoco.MjData(model)
    mujoco.mj_step(model, data)
    assert data.timer[mujoco.mjtTimer.mjTIMER_STEP.value].duration == 0
