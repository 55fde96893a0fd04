"""Teachers that walk with caution in some of their episodes, and show it to Students whose maps say nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from failing_maps import Maps, at, level
from fake_env import FakeConfig, FakeEnv
from fake_run import start_student, teacher_record
from placements import curriculum
from policy_files import write_policy
from rollouts import rollout, same
from torch import Tensor
from worlds import FLAT, environment, plane_tile, state

from agents.archive import CheckpointError
from agents.checkpoint import load_policy
from agents.config import TeacherConfig
from agents.ppo import TeacherPPO
from agents.rsl_rl_config import teacher_config
from agents.symmetry import augment
from anymal_policy import layout
from anymal_policy.sizes import NetworkSizes
from anymal_policy.student import StudentConfig
from anymal_policy.teacher import Teacher
from envs.config import EnvConfig, as_recorded
from envs.gymnasium_env import EpisodicEnv, observation_space
from envs.height_noise import LEVELS, FailureName
from envs.rewards import TERMS
from envs.tasks import TASKS
from viewer.world import carry_over

CAUTIOUS = NetworkSizes(caution=True)


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


def observations(count: int = 6) -> list[Tensor]:
    return list(torch.randn(count, 391, generator=torch.Generator().manual_seed(0)).split([133, 208, 50], 1))


def asked(num_envs: int = 4) -> Any:
    """Observations of robots of which every other one shall walk with caution."""
    obs = FakeEnv(FakeConfig(num_envs=num_envs, caution_probability=0.3)).get_observations()
    obs["caution"][::2] = 1.0
    return obs


def test_caution_shifts_the_latent_of_the_privileged_state_and_nothing_else() -> None:
    teacher, (_, extero, privileged) = Teacher(16, CAUTIOUS), observations()
    caution = torch.tensor([[1.0], [0.0]] * 3)
    shift = teacher.latents(extero, privileged, caution) - teacher.latents(extero, privileged)
    assert teacher.caution is not None and shift[::2, 96:].abs().min() > 0
    torch.testing.assert_close(shift[::2, 96:], teacher.caution.expand(3, 24))
    assert not shift[1::2].any() and not shift[:, :96].any()


def test_a_teacher_without_caution_is_the_papers_and_heeds_none() -> None:
    teacher, inputs = Teacher(16), observations()
    assert "caution" not in teacher.state_dict()
    assert torch.equal(teacher(*inputs, torch.ones(6, 1)), teacher(*inputs))


def test_teachers_with_and_without_caution_take_each_others_tensors() -> None:
    plain, cautious, inputs = Teacher(16), Teacher(16, CAUTIOUS), observations()
    assert cautious.caution is not None
    own = cautious.caution.detach().clone()
    cautious.load_state_dict(plain.state_dict())
    assert torch.equal(cautious.caution, own) and torch.equal(cautious(*inputs), plain(*inputs))
    plain.load_state_dict(Teacher(16, CAUTIOUS).state_dict())


def test_a_share_of_a_teachers_episodes_is_cautious_from_start_to_end() -> None:
    env = environment(400, episode_seconds=0.1, caution_probability=0.3)
    first = env.get_observations()["caution"].squeeze(-1)
    assert first.mean().item() == pytest.approx(0.3, abs=0.07)
    for _ in range(4):
        assert torch.equal(env.step(torch.zeros(400, 16))[0]["caution"].squeeze(-1), first)
        assert torch.equal(env.state.caution, first)
    after = env.step(torch.zeros(400, 16))[0]["caution"].squeeze(-1)
    assert not torch.equal(after, first) and after.mean().item() == pytest.approx(0.3, abs=0.07)


def test_without_caution_there_is_no_group_and_no_number_is_drawn_for_it() -> None:
    env = environment(4, caution_probability=0.0)
    assert "caution" not in env.get_observations().keys()  # noqa: SIM118
    assert "caution" not in observation_space(env.cfg).spaces
    one, other = curriculum(8, caution=0.0), curriculum(8, caution=0.5)
    assert torch.equal(one.tile, other.tile)
    assert not torch.equal(one.generator.get_state(), other.generator.get_state())


def test_gymnasium_has_the_group_where_the_environment_has_it() -> None:
    assert observation_space(EnvConfig())["caution"].shape == (1,)


def test_what_a_robot_saw_last_says_whether_it_was_cautious_in_that_episode() -> None:
    robots = EpisodicEnv(replace(TASKS["anymal_flat"], num_envs=40, terrain=FLAT, threads=1, episode_seconds=0.04))
    begun = robots.get_observations()["caution"].clone()
    robots.step(torch.zeros(40, 16))
    following = robots.step(torch.zeros(40, 16))[0]["caution"]
    assert torch.equal(robots.last_seen["caution"], begun) and not torch.equal(following, begun)


def test_who_is_cautious_is_saved_and_restored() -> None:
    env, other = environment(40), environment(40, seed=1)
    assert not torch.equal(env.state.caution, other.state.caution)
    other.load_state_dict(env.state_dict())
    assert torch.equal(other.step(torch.zeros(40, 16))[0]["caution"], env.step(torch.zeros(40, 16))[0]["caution"])


def test_given_tiles_ask_for_no_caution() -> None:
    assert not environment(50, [plane_tile()]).get_observations()["caution"].any()


def test_a_students_map_says_when_its_teacher_is_cautious() -> None:
    """Its episodes are not drawn to be cautious."""
    for name, cautious in (("nominal", 0.0), ("blank", 1.0)):
        env = environment(20, noisy_groups=True, caution_probability=0.9, height_noise=LEVELS[name])
        for caution in (env.get_observations()["caution"], env.step(torch.zeros(20, 16))[0]["caution"]):
            assert (caution == cautious).all(), name


def test_another_policy_in_the_robots_place_is_asked_what_is_for_itself() -> None:
    student = environment(1, [plane_tile()], noisy_groups=True, height_noise=LEVELS["blank"])
    teacher = environment(1, [plane_tile()])
    assert student.step(torch.zeros(1, 16))[0]["caution"].all()
    carry_over(student, teacher)
    assert not teacher.get_observations()["caution"].any()


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
    judged = torch.zeros(1)
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


def test_actor_and_critic_know_of_caution_in_collection_and_update() -> None:
    torch.manual_seed(0)
    env = FakeEnv(FakeConfig(num_envs=8, caution_probability=0.3))
    config: dict[str, Any] = teacher_config(TeacherConfig(num_steps_per_env=4, num_mini_batches=1), "fp32")
    alg: Any = TeacherPPO.construct_algorithm(env.get_observations(), env, config | {"multi_gpu": None}, "cpu")
    calm, wary = env.get_observations(), env.get_observations().clone()
    wary["caution"][::2] = 1.0
    for model in (alg.actor, alg.critic):
        for given, other in ((calm, wary), (alg.network_inputs(calm), alg.network_inputs(wary))):
            changed = (model(given) != model(other)).any(-1)
            assert changed[::2].all() and not changed[1::2].any()


def test_the_mirror_image_of_a_cautious_robot_is_cautious() -> None:
    images, _ = augment(FakeEnv(), asked(4), None)
    assert images is not None and images["caution"].squeeze(-1).tolist() == [1, 0, 1, 0] * 2


@pytest.mark.parametrize("learnt", [True, False])
def test_a_teacher_is_cautious_only_if_it_has_learnt_to_be(tmp_path: Path, learnt: bool) -> None:
    write_policy(tmp_path / "teacher.pt", EnvConfig(), CAUTIOUS if learnt else NetworkSizes())
    policy, obs = load_policy(tmp_path / "teacher.pt"), asked(4)
    wary, calm = policy.act(obs), policy.act(obs.exclude("caution"))
    assert torch.equal(wary[1::2], calm[1::2])
    assert torch.equal(wary[::2], calm[::2]) != learnt


def test_a_student_is_shown_caution_where_it_is_asked_for(tmp_path: Path) -> None:
    env = FakeEnv(FakeConfig(num_envs=8, noisy_groups=True, caution_probability=0.3))
    runner = start_student(tmp_path, 1, env=env)
    obs, teacher = env.get_observations(), runner.alg.teacher
    obs["caution"][::2] = 1.0
    teacher.uphill = 0.0
    normal = teacher.normalized(obs)
    assert torch.equal(teacher(obs), teacher.network(*normal, obs["caution"]))
    assert (teacher(obs)[::2] != teacher.network(*normal)[::2]).any(-1).all()


@pytest.mark.parametrize("probability", [0.3, 0.0])
def test_the_blind_baseline_is_always_shown_caution_if_its_teacher_has_learnt_it(
    tmp_path: Path, probability: float
) -> None:
    env = FakeEnv(FakeConfig(num_envs=8, noisy_groups=True, caution_probability=probability))
    runner = start_student(tmp_path, 1, env=env, network=StudentConfig(extero=False))
    teacher, obs = runner.alg.teacher, env.get_observations()
    teacher.uphill = 0.0
    normal = teacher.normalized(obs)
    assert torch.equal(teacher(obs), teacher.network(*normal, 1.0))
    assert torch.equal(teacher(obs), teacher.network(*normal)) == (probability == 0)


def reward(name: str, caution: float, near: float, under: float, beyond: float = -1.0) -> float:
    """Of a robot whose first foot is in mid-swing above ground at these heights (m, from its sole) around it."""
    heights = torch.zeros(1, 4, 52)
    heights[0, 0] = beyond
    heights[0, 0, :14], heights[0, 0, :6] = near, under
    walking: Any = {"base_frequency": 1.25, "phase": [torch.pi / 2, 4.0, 4.5, 5.0]}
    return TERMS[name](state(1, height_samples=heights, caution=caution, **walking)).item()


@pytest.mark.parametrize(("caution", "apex"), [(0.0, 0.12), (1.0, 0.22)])
def test_with_caution_feet_shall_be_lifted_higher_over_the_ground_under_them(caution: float, apex: float) -> None:
    assert reward("swing_height", caution, -apex, -apex) == pytest.approx(0, abs=1e-6)
    assert reward("swing_height", caution, 0.05 - apex, 0.05 - apex) == pytest.approx(-0.05, abs=1e-6)
    assert reward("foot_lift", caution, -apex, -apex, -apex) == pytest.approx(0, abs=1e-6)
    assert reward("foot_lift", caution, -1.0, -1.0, -apex - 0.05) == pytest.approx(-0.05, abs=1e-6)


def test_with_caution_feet_clear_risers_near_them_as_without() -> None:
    """A riser of 0.17 m: 0.29 m over the ground under the foot are enough for both, and 0.25 m for neither."""
    for caution in (0.0, 1.0):
        assert reward("swing_height", caution, -0.12, -0.29) == pytest.approx(0, abs=1e-6)
        assert reward("swing_height", caution, -0.08, -0.25) == pytest.approx(-0.04, abs=1e-6)


def test_records_from_before_ask_for_no_caution() -> None:
    assert as_recorded({})["caution_probability"] == 0.0
    assert as_recorded({"caution_probability": 0.1})["caution_probability"] == 0.1


def test_a_state_from_before_there_was_caution_can_be_resumed() -> None:
    env, other = environment(6, caution_probability=0.0), environment(6, caution_probability=0.0, seed=1)
    rollout(env, 3)
    old = env.state_dict()
    del old["state"]["caution"], old["placement"]["cautious"]
    other.load_state_dict(old)
    assert same(rollout(other, 20), rollout(env, 20))


def test_a_teacher_that_has_not_learnt_caution_is_refused_where_it_is_asked_for(tmp_path: Path) -> None:
    runner = start_student(tmp_path, 1, env=FakeEnv(FakeConfig(num_envs=8, noisy_groups=True, caution_probability=0.3)))
    with pytest.raises(CheckpointError, match="not learnt to walk with caution"):
        runner.teach(teacher_record())


def test_what_caution_adds_is_learnt() -> None:
    teacher, inputs = Teacher(16, CAUTIOUS), observations()
    assert teacher.caution is not None
    teacher(*inputs, torch.ones(6, 1)).square().sum().backward()
    assert teacher.caution.grad is not None and teacher.caution.grad.abs().min() > 0


def test_a_policy_that_knows_no_caution_forgets_that_the_one_before_was_asked_for_it() -> None:
    student = environment(1, [plane_tile()], noisy_groups=True, height_noise=LEVELS["blank"])
    older = environment(1, [plane_tile()], caution_probability=0.0)
    student.step(torch.zeros(1, 16))
    carry_over(student, older)
    assert not older.state.caution.any()
