"""The robots behind a page: their commands, their ground, their maps and bodies, and who controls them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from policy_files import write_policy, write_student

from agents.archive import CheckpointError
from agents.policies import StudentPolicy
from envs import own
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.drives import PD
from envs.height_noise import LEVELS
from envs.own import OwnTerms
from envs.randomization import NONE
from envs.terrains import FAMILIES, load_heightmap, make_tile, parameters
from envs.terrains.tile import put_between_walls
from evaluation.acting import NotFiniteError
from evaluation.agents import TrainedAgent, load_agent
from evaluation.belief import RECONSTRUCTED, SEEN, TRUE
from evaluation.noise import SENSED
from viewer.driving import ARRIVED, Wish
from viewer.page import Page
from viewer.policies import Follower, find_policies
from viewer.session import Session
from viewer.web import Visit, wish_of, world_of
from viewer.wishes import Wishes
from viewer.world import World, body_of, choices, equip

STAIRS = World("stairs_up", {"height": 0.1, "depth": 0.4})


@pytest.fixture
def student(tmp_path: Path) -> TrainedAgent:
    write_student(tmp_path / "student.pt", EnvConfig())
    agent = load_agent(tmp_path / "student.pt")
    assert isinstance(agent, TrainedAgent)
    return agent


def zeros(count: int = 1, world: World = STAIRS, **wish: float) -> Session:
    return Session([load_agent("zero") for _ in range(count)], world, Wish(**wish), {})  # pyright: ignore[reportArgumentType]


def advance(session: Session, steps: int) -> None:
    for _ in range(steps):
        session.step()


def test_the_wish_reaches_the_robot_a_step_later_and_the_heading_is_held() -> None:
    session = zeros(forward=0.5)
    session.step()
    assert session.focused.env.state.command[0, :2].tolist() == pytest.approx([0.5, 0.0])
    assert bool(session.focused.env.commands.holds_heading[0])
    session.wish.set("turn", -0.8)
    session.step()
    assert session.focused.env.state.command[0].tolist() == pytest.approx([0.5, 0.0, -0.8])
    session.wish.stop()
    session.step()
    assert session.focused.env.state.command[0].tolist() == [0.0, 0.0, 0.0]


def test_a_goal_is_kept_by_a_robot_that_falls_and_given_up_by_one_that_is_there() -> None:
    session = zeros()
    env, start = session.focused.env, session.focused.env.state.base_position_w[0, :2].tolist()
    goal = (start[0] + 1.0, start[1])
    session.wish.go_to(goal)
    advance(session, 2)
    env.simulation.qpos[0, 2:7] = 3.0, 0.0, 1.0, 0.0, 0.0
    session.step()
    assert session.focused.walk.falls == 1
    assert session.wish.goal_w == goal
    session.step()
    assert session.focused.env.state.command[0, 0] > 0.3
    session.wish.go_to((start[0] + 0.5 * ARRIVED, start[1]))
    session.step()
    assert session.wish.goal_w is None


def test_robots_stand_side_by_side_on_the_same_ground() -> None:
    session = zeros(3)
    starts = torch.cat([walker.env.state.base_position_w for walker in session.walkers])
    assert starts[:, 0].tolist() == pytest.approx([float(starts[0, 0])] * 3, abs=0.01)
    assert (starts[:-1, 1] - starts[1:, 1]).min() > 1.0
    maps = [walker.env.surface.map.heights for walker in session.walkers]
    assert all(np.array_equal(maps[0], other) for other in maps)


def test_another_ground_takes_the_robots_to_its_start_and_a_wrong_one_changes_nothing() -> None:
    session = zeros(forward=0.5)
    advance(session, 20)
    with pytest.raises(ValueError, match="height"):
        session.rebuild("stairs_up", {"height": 9.0, "depth": 0.3}, 0)
    with pytest.raises(ValueError, match="moon"):
        session.rebuild("moon", {}, 0)
    assert session.world == STAIRS
    session.rebuild("rough", parameters("rough", 0.5), 3)
    assert session.ground.family == session.focused.env.placement.map.tiles[0].family == "rough"
    assert session.ground.seed == 3
    session.step()
    assert session.focused.env.state.command[0, 0] == pytest.approx(0.5)


def test_a_heightmap_is_chosen_by_the_name_under_which_it_was_given(tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.zeros((100, 100)))
    tile = load_heightmap(tmp_path / "mine.npy")
    session = Session([load_agent("zero")], World("mine.npy"), Wish(), {"mine.npy": tile})
    assert session.ground is tile
    session.rebuild("flat", {}, 0)
    session.rebuild("mine.npy", {}, 0)
    assert session.ground is tile
    with pytest.raises(ValueError, match="no terrain"):
        session.rebuild(str(tmp_path / "mine.npy"), {}, 0)


def test_a_lane_between_walls_keeps_them_and_can_be_returned_to() -> None:
    walled, agents = put_between_walls(make_tile("stairs_up", 0.2), 1.5, 2.0), [load_agent("zero")]
    asked = Visit(
        agents=agents, ground=walled, terrain="stairs_up", noise="nominal", command=(0.0, 0.0, 0.0), seed=0,
        host="127.0.0.1", port=0, seconds=1.0,
    )  # fmt: skip
    world, given = world_of(asked)
    session = Session(agents, world, Wish(), given)
    assert session.ground is walled
    session.rebuild("stairs_up", parameters("stairs_up"), 0)
    assert session.ground.heights.max() < walled.heights.max()
    session.rebuild(world.terrain, {}, 0)
    assert session.ground is walled


@pytest.mark.parametrize("name", [name for name in LEVELS if name != "nominal"])
def test_every_map_can_be_put_before_a_student_that_walks(student: TrainedAgent, name: str) -> None:
    session = Session([student], STAIRS, Wish(forward=0.3), {})
    advance(session, 3)
    before = session.focused.env.simulation.qpos.copy()
    session.change(noise=name)
    assert session.focused.env.cfg.height_noise == LEVELS[name]
    np.testing.assert_array_equal(session.focused.env.simulation.qpos, before)
    hidden = student.policy.hidden if isinstance(student.policy, StudentPolicy) else None
    assert hidden is not None and bool(hidden.any())
    advance(session, 3)


def test_a_page_takes_the_sensors_of_a_map_and_draws_it(student: TrainedAgent) -> None:
    depth = replace(SENSED, covered=("front",))
    session = Session([student], replace(STAIRS, noise="mapped"), Wish(), {}, depth)
    assert session.focused.env.cfg.depth == depth
    session.change(noise="nominal")
    assert session.focused.env.cfg.depth == EnvConfig().depth
    session.change(noise="mapped")
    assert session.focused.env.cfg.depth == depth


def test_covering_the_sensors_hides_the_stairs_from_the_student_alone(student: TrainedAgent) -> None:
    session = Session([student], replace(STAIRS, noise="none"), Wish(), {})
    session.step()
    error = [float((session.focused.heights()[SEEN] - session.focused.heights()[TRUE]).abs().mean())]
    session.change(noise="covered")
    session.step()
    error.append(float((session.focused.heights()[SEEN] - session.focused.heights()[TRUE]).abs().mean()))
    assert error[0] < 0.01 < 0.1 < error[1]
    with pytest.raises(ValueError, match="no map"):
        session.change(noise="fog")
    assert session.world.noise == "covered"


def test_friction_and_payload_change_the_body_but_not_where_it_is() -> None:
    session = zeros()
    advance(session, 5)
    env = session.focused.env
    before, mass = env.simulation.qpos.copy(), env.simulation.mass.sum()
    session.change(friction=0.3, payload=8.0)
    assert env.simulation.mass.sum() - mass == pytest.approx(8.0)
    assert env.simulation.friction[0, env.simulation.feet, 0] == pytest.approx([0.3] * 4)
    np.testing.assert_array_equal(env.simulation.qpos, before)
    session.change(payload=1e9)
    assert env.simulation.mass.sum() - mass == pytest.approx(20.0)
    session.restart()
    assert session.focused.env.simulation.mass.sum() - mass == pytest.approx(20.0)


def test_a_body_that_is_the_same_walks_to_the_same_bits() -> None:
    plain, equipped = zeros(forward=0.4), zeros(forward=0.4)
    for _ in range(10):
        equip(equipped.focused.env, replace(equipped.world, friction=NONE.friction[0], payload=0.0))
        plain.step()
        equipped.step()
    np.testing.assert_array_equal(equipped.focused.env.simulation.qpos, plain.focused.env.simulation.qpos)


@pytest.mark.usefixtures("marks")
def test_the_feet_and_the_load_of_an_own_event_stay_until_the_user_changes_them(tmp_path: Path) -> None:
    @own.event("reset")
    def one_foot_on_ice(env: AnymalEnv, robots: torch.Tensor) -> None:
        env.state.friction[robots, 1] = 0.2
        env.simulation.set_friction(robots, env.state.friction[robots])
        env.simulation.set_mass(robots, torch.full((len(robots),), 4.0), torch.full((len(robots), 12), 1.5))

    task = EnvConfig(own=OwnTerms(events=("one_foot_on_ice",)))
    session = Session([load_agent("zero", task)], STAIRS, Wish(), {})

    def feet() -> list[float]:
        env = session.focused.env
        assert env.simulation.friction[0, env.simulation.feet, 0] == pytest.approx(env.state.friction[0].numpy())
        return env.state.friction[0].tolist()

    usual = NONE.friction[0]
    assert feet() == pytest.approx([usual, 0.2, usual, usual])
    assert body_of(session.focused.env) == pytest.approx(((3 * usual + 0.2) / 4, 4.0), abs=0.005)
    session.focused.env.simulation.qpos[0, 2:7] = 3.0, 0.0, 1.0, 0.0, 0.0
    session.step()
    assert session.focused.walk.falls == 1
    assert feet() == pytest.approx([usual, 0.2, usual, usual])
    write_student(tmp_path / "pd.pt", EnvConfig(drive=PD))
    session.swap(0, load_agent(tmp_path / "pd.pt"))
    assert feet() == pytest.approx([usual, 0.2, usual, usual])
    session.change(payload=6.0)
    simulation = session.focused.env.simulation
    assert feet() == pytest.approx([usual, 0.2, usual, usual])
    assert body_of(session.focused.env)[1] == pytest.approx(6.0)
    assert simulation.mass[0, simulation.links] == pytest.approx(1.5 * simulation.model.body_mass[simulation.links])
    session.change(friction=0.4)
    assert feet() == pytest.approx([0.4] * 4)


def test_another_policy_goes_on_where_the_robot_is(student: TrainedAgent) -> None:
    session = zeros(forward=0.3)
    advance(session, 10)
    before = session.focused.env.simulation.qpos.copy()
    session.swap(0, student)
    np.testing.assert_array_equal(session.focused.env.simulation.qpos, before)
    assert session.focused.agent is student
    assert set(session.focused.heights()) == {TRUE, SEEN, RECONSTRUCTED}
    advance(session, 3)
    assert session.focused.walk.steps == 13


def test_a_policy_of_other_drives_takes_over_where_the_robot_is_and_brings_its_own(tmp_path: Path) -> None:
    write_student(tmp_path / "pd.pt", EnvConfig(drive=PD))
    session = zeros(forward=0.3)
    assert session.focused.env.cfg.drive != PD
    advance(session, 10)
    before = session.focused.env.simulation.qpos.copy()
    session.swap(0, load_agent(tmp_path / "pd.pt"))
    simulation = session.focused.env.simulation
    np.testing.assert_array_equal(simulation.qpos, before)
    np.testing.assert_array_equal(simulation.gain[0], simulation.model.actuator_gainprm)
    assert not simulation.drives_have_dynamics
    advance(session, 3)
    before = simulation.qpos.copy()
    session.swap(0, load_agent("zero"))
    np.testing.assert_array_equal(session.focused.env.simulation.qpos, before)
    advance(session, 3)


def test_a_policy_that_gives_no_numbers_is_refused_and_the_one_before_walks_on(student: TrainedAgent) -> None:
    assert isinstance(student.policy, StudentPolicy)
    with torch.no_grad():
        for parameter in student.policy.network.parameters():
            parameter.fill_(torch.nan)
    session = zeros(forward=0.3)
    advance(session, 3)
    before = session.focused.agent, session.focused.env
    with pytest.raises(NotFiniteError, match="not finite"):
        session.swap(0, student, "student.pt")
    assert (session.focused.agent, session.focused.env) == before
    assert session.focused.chosen == "zero"
    advance(session, 2)


def test_a_push_adds_its_speed_along_its_direction_from_the_heading() -> None:
    session = zeros()
    velocity = session.focused.env.simulation.qvel
    before = velocity[0, :2].copy()
    session.push(0.6, np.pi / 2)
    assert velocity[0, :2] - before == pytest.approx([0.0, 0.6], abs=1e-3)


def test_every_parameter_of_every_family_is_offered_within_its_limits() -> None:
    for family in FAMILIES:
        for name, (parameter, low, high) in choices(family, parameters(family)).items():
            assert parameter.name == name
            assert low < high
            assert low <= parameters(family)[name] <= high
            for value in (low, high) if not parameter.choices else parameter.choices:
                assert parameter.check(family, value) == value


def test_what_a_parameter_is_now_is_offered_too_as_far_as_its_limits() -> None:
    for family, kind in FAMILIES.items():
        for at in (0, 1):
            values = {parameter.name: parameter.limits[at] for parameter in kind.parameters}
            for name, (_, low, high) in choices(family, values).items():
                assert low <= values[name] <= high


def test_a_page_refuses_a_command_that_it_would_not_walk() -> None:
    assert wish_of((1.6, -1.0, 2.0)) == Wish(1.6, -1.0, 2.0)
    for command in ((3.0, 0.0, 0.0), (0.0, -1.5, 0.0), (0.0, 0.0, 2.5)):
        with pytest.raises(ValueError, match="--command reaches to 1.6 1 2"):
            wish_of(command)


def test_policies_are_those_given_the_pretrained_the_runs_and_the_controls(project: Path) -> None:
    write_policy(project / "pretrained" / "teacher.pt", EnvConfig())
    write_student(project / "runs" / "mine" / "student" / "policy.pt", EnvConfig())
    (project / "runs" / "empty").mkdir()
    found = find_policies(("elsewhere/policy.pt",))
    assert list(found) == ["elsewhere/policy.pt", "pretrained/teacher.pt", "runs/mine", "zero", "random"]
    assert load_agent(found["runs/mine"]).env.noisy_groups


def test_the_pretrained_policy_can_be_chosen_again_from_another_folder(
    project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_student(project / "pretrained" / "student.pt", EnvConfig())
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    name = load_agent().name
    assert load_agent(find_policies((name,))[name]).env.noisy_groups


def test_a_training_is_followed_when_it_writes_a_policy(project: Path) -> None:
    run = project / "runs" / "mine"
    write_policy(run / "policy.pt", EnvConfig())
    follower = Follower(run, 0)
    assert follower.look() is None
    write_student(run / "policy.pt", EnvConfig())
    os.utime(run / "policy.pt", (2e9, 2e9))
    newer = follower.look()
    assert newer is not None and newer.env.noisy_groups
    assert follower.look() is None


def test_a_training_that_writes_what_cannot_be_loaded_ends_no_page() -> None:
    def diverged() -> None:
        raise CheckpointError("its training had diverged")

    told: list[str] = []
    page: Any = object.__new__(Page)
    page.follower, page.wishes = SimpleNamespace(look=diverged), Wishes(told.append)
    page.follow()
    assert page.wishes.grant() and told == ["its training had diverged"]
