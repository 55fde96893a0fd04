"""Teachers that do without heights in some of their episodes, and show it to Students whose maps say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from failing_maps import Maps, at, level
from fake_env import FakeConfig, FakeEnv
from fake_run import start_student
from placements import curriculum
from policy_files import write_policy
from rollouts import rollout, same
from torch import Tensor
from worlds import environment, plane_tile, state

from agents.checkpoint import load_policy
from agents.config import TeacherConfig
from agents.ppo import TeacherPPO
from agents.rsl_rl_config import teacher_config
from agents.symmetry import augment
from anymal_policy import layout
from anymal_policy.student import StudentConfig
from anymal_policy.teacher import Teacher
from envs.config import EnvConfig, as_recorded
from envs.height_noise import LEVELS, FailureName
from envs.rewards import TERMS
from viewer.world import carry_over


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def observations(count: int = 6) -> list[Tensor]:
    return list(torch.randn(count, 391, generator=torch.Generator().manual_seed(0)).split([133, 208, 50], 1))


def test_a_teacher_without_sight_ignores_heights_and_nothing_else() -> None:
    teacher, (proprio, extero, privileged) = Teacher(16), observations()
    sight = torch.tensor([[0.0], [1.0]] * 3)
    acts, other = (teacher(proprio, heights, privileged, sight) for heights in (extero, extero + 1.0))
    assert torch.equal(acts[::2], other[::2])
    assert (acts[1::2] != other[1::2]).any(-1).all()
    assert torch.equal(acts[1::2], teacher(proprio, extero, privileged)[1::2])
    assert (teacher(proprio, extero, privileged + 1.0, sight) != acts).any(-1).all()


def test_a_teacher_without_sight_reads_what_a_closed_gate_leaves_of_the_heights() -> None:
    teacher, (_, extero, privileged) = Teacher(16), observations()
    latents = teacher.latents(extero, privileged, torch.zeros(6, 1))
    assert not latents[:, :96].any() and torch.equal(latents[:, 96:], teacher.privileged_encoder(privileged))


def test_a_fifth_of_a_teachers_episodes_is_blind_from_start_to_end() -> None:
    env = environment(400, episode_seconds=0.1, blind_probability=0.2)
    first = env.get_observations()["sight"].squeeze(-1)
    assert (first == 0).float().mean().item() == pytest.approx(0.2, abs=0.06)
    for _ in range(4):
        assert torch.equal(env.step(torch.zeros(400, 16))[0]["sight"].squeeze(-1), first)
    after = env.step(torch.zeros(400, 16))[0]["sight"].squeeze(-1)
    assert not torch.equal(after, first)
    assert (after == 0).float().mean().item() == pytest.approx(0.2, abs=0.06)


def test_blind_robots_still_have_the_true_heights_among_their_observations() -> None:
    env = environment(20, [plane_tile((0.2, 0.0))], blind_probability=0.5)
    env.placement.blind[:] = True
    obs = env.step(torch.zeros(20, 16))[0]
    assert not obs["sight"].any() and obs["extero"].any(-1).all()


def test_blind_robots_are_on_ground_that_is_no_harder_and_do_not_count() -> None:
    def levels(blind: float) -> Tensor:
        placement = curriculum(4000, initial_fraction=1.0, blind=blind)
        slopes = placement.bank.types[1].grid["slope"]
        tiles = [placement.map.tiles[tile] for tile in placement.tile[1::2].tolist()]
        return torch.tensor([slopes.index(tile.parameters["slope"]) for tile in tiles]).float()

    seeing, blind = levels(0.0), levels(0.999)
    assert blind.min() == 0 and blind.max() <= seeing.max()
    assert blind.mean().item() == pytest.approx(seeing.mean().item() / 2, rel=0.15)

    placement = curriculum(8, blind=0.5)
    placement.blind[:] = torch.arange(8) < 4
    placement.observe(state(8, command=[1.0, 0, 0], linear_velocity_b=[1.0, 0, 0]))
    placement.finish(torch.arange(8), torch.arange(8) % 4 == 0)
    saved = placement.filter.state_dict()
    assert (saved["successes"].sum(), saved["failures"].sum()) == (3, 1)
    assert placement.metrics()["traversability/blind"] == 0.75


def test_a_student_sees_all_but_what_its_map_says_nothing_of() -> None:
    """Its episodes are not drawn to be blind: what it knows is for its maps to say."""
    for name, probability, sees in (("nominal", 0.9, True), ("blank", 0.9, False), ("blank", 0.0, True)):
        env = environment(20, noisy_groups=True, blind_probability=probability, height_noise=LEVELS[name])
        for sight in (env.get_observations()["sight"], env.step(torch.zeros(20, 16))[0]["sight"]):
            assert (sight == sees).all(), (name, probability)


def test_another_policy_in_the_robots_place_sees_what_is_for_itself_to_see() -> None:
    student = environment(1, [plane_tile()], noisy_groups=True, height_noise=LEVELS["blank"])
    teacher = environment(1, [plane_tile()])
    assert not student.step(torch.zeros(1, 16))[0]["sight"].any()
    carry_over(student, teacher)
    assert teacher.get_observations()["sight"].all()


@pytest.mark.parametrize(
    ("name", "worthless"),
    [
        ("blank", True), ("invented", True), ("plane", True), ("elsewhere", True), ("jump", True), ("stuck", True),
        ("holes", False), ("partial", False), ("wall", False), ("corridor", False), ("late", False),
        ("drift", False), ("shadow", False), ("frozen", False),
    ],
)  # fmt: skip
def test_maps_without_anything_true_are_worthless(name: FailureName, worthless: bool) -> None:
    maps = Maps(name)
    assert (maps.failures.worthless() == worthless).all()


def test_a_frozen_map_is_worth_something_up_to_where_its_end_is_near() -> None:
    """Up to where the front feet, 0.4 m ahead of the base, begin to have unknown ground within 0.16 m."""
    maps, near = Maps("frozen"), sum(points for points, radius in layout.RINGS if radius <= 0.16)
    for way in (0.2, 0.6, 1.2, 2.1, 2.6):
        maps.walk(at(x=way))
        unknown = maps.look(at(x=way), level).isnan()[:, :2, :near].flatten(1).any(-1)
        judged = maps.failures.worthless()
        assert (judged == unknown).float().mean() > 0.9, way
    assert judged.all()


def test_a_map_is_as_good_as_before_once_its_failure_is_over() -> None:
    maps = Maps("blank", sudden=1.0, begins=(0.1, 0.1), lasts=(0.1, 0.1))
    worthless = []
    for _ in range(12):
        maps.walk(at())
        worthless.append(bool(maps.failures.worthless().all()))
    assert worthless == [False] * 4 + [True] * 5 + [False] * 3


def test_actor_and_critic_learn_without_heights_where_there_is_no_sight() -> None:
    torch.manual_seed(0)
    env = FakeEnv(FakeConfig(num_envs=8))
    config: dict[str, Any] = teacher_config(TeacherConfig(num_steps_per_env=4, num_mini_batches=1), "fp32")
    alg: Any = TeacherPPO.construct_algorithm(env.get_observations(), env, config | {"multi_gpu": None}, "cpu")
    obs = env.get_observations()
    obs["sight"][::2] = 0.0
    shifted = obs.clone()
    shifted["extero"] += 1.0
    for model in (alg.actor, alg.critic):
        for given, other in ((obs, shifted), (alg.network_inputs(obs), alg.network_inputs(shifted))):
            same_row = (model(given) == model(other)).all(-1)
            assert same_row[::2].all() and not same_row[1::2].any()


def test_the_mirror_image_of_a_blind_robot_is_blind() -> None:
    env = FakeEnv(FakeConfig(num_envs=4))
    obs = env.get_observations()
    obs["sight"][1] = 0.0
    images, _ = augment(env, obs, None)
    assert images is not None and images["sight"].squeeze(-1).tolist() == [1, 0, 1, 1, 1, 0, 1, 1]


@pytest.mark.parametrize("learnt", [True, False])
def test_a_teacher_is_blind_only_if_it_has_learnt_to_be(tmp_path: Path, learnt: bool) -> None:
    write_policy(tmp_path / "teacher.pt", EnvConfig(blind_probability=0.2 if learnt else 0.0))
    policy = load_policy(tmp_path / "teacher.pt")
    obs = FakeEnv(FakeConfig(num_envs=4)).get_observations()
    obs["sight"][:] = 0.0
    before = policy.act(obs)
    obs["extero"] += 1.0
    assert torch.equal(policy.act(obs), before) == learnt


def test_a_student_is_labelled_without_heights_where_there_is_no_sight(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1)
    obs, teacher = runner.env.get_observations(), runner.alg.teacher
    obs["sight"][::2] = 0.0
    normal = teacher.normalized(obs)
    expected = teacher.network(*normal, obs["sight"])
    teacher.uphill = 0.0
    assert torch.equal(teacher(obs), expected)
    assert not torch.equal(expected[::2], teacher.network(*normal)[::2])


@pytest.mark.parametrize(("probability", "blind"), [(0.2, True), (0.0, False)])
def test_the_blind_baseline_is_labelled_without_heights_if_its_teacher_learnt_that(
    tmp_path: Path, probability: float, blind: bool
) -> None:
    env = FakeEnv(FakeConfig(num_envs=8, noisy_groups=True, blind_probability=probability))
    runner = start_student(tmp_path, 1, env=env, network=StudentConfig(extero=False))
    obs = env.get_observations()
    before = runner.alg.teacher(obs)
    obs["extero"] += 1.0
    assert torch.equal(runner.alg.teacher(obs), before) == blind


@pytest.mark.parametrize(("sight", "apex"), [(1.0, 0.12), (0.0, 0.2)])
def test_blind_robots_shall_lift_their_feet_higher(sight: float, apex: float) -> None:
    def value(name: str, height: float) -> float:
        walking: Any = {"base_frequency": 1.25, "phase": [torch.pi / 2, 3.0, 4.0, 5.0]}
        heights = torch.full((1, 4, 52), 0.0)
        heights[0, 0] = -height
        return TERMS[name](state(1, height_samples=heights, sight=sight, **walking)).item()

    assert value("foot_lift", apex - 0.001) == 0
    assert value("foot_lift", apex + 0.05) == pytest.approx(-0.05, abs=1e-6)
    short, enough = value("swing_height", apex - 0.05), value("swing_height", apex)
    assert short - enough == pytest.approx(-0.05, abs=1e-6)


def test_records_from_before_have_sight_throughout() -> None:
    assert as_recorded({})["blind_probability"] == 0.0
    assert as_recorded({"blind_probability": 0.3})["blind_probability"] == 0.3


def test_a_state_from_before_there_was_sight_can_be_resumed() -> None:
    env, other = environment(6, blind_probability=0.0), environment(6, blind_probability=0.0, seed=1)
    rollout(env, 3)
    old = env.state_dict()
    for part, name in (("state", "sight"), ("observations", "sight"), ("placement", "blind")):
        del old[part][name]
    del old["placement"]["blind_crossed"]
    other.load_state_dict(old)
    assert other.get_observations()["sight"].all()
    assert same(rollout(other, 20), rollout(env, 20))
