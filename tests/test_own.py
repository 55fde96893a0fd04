"""Own tasks and their terms: found in files, counted, recorded, and refused in one sentence."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from policy_files import write_policy
from refusals import refusal
from spectator import SHORT
from tiny_runs import HOP, TEACHER
from torch import Tensor
from worlds import environment, state

import play
import train
from agents.checkpoint import read_policy, read_resume
from agents.symmetry import mirror
from anymal_policy import layout
from envs import own
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.gymnasium_env import observation_space
from envs.own import OwnTerms
from envs.rewards import TERMS, RewardWeights, term_names, weighted_terms
from envs.state import State
from envs.tasks import task_config
from envs.terrains import TRAINING_TYPES, Parameter, make_tile, own_terrain
from envs.terrains.cache import Request, digest
from envs.terrains.grid import Size, Terrain, Values, shape_of, smooth
from evaluation.agents import load_agent

pytestmark = pytest.mark.usefixtures("marks")

MESA = """
import numpy as np
from envs.config import EnvConfig
from envs.terrains import own_terrain
from envs.terrains.grid import shape_of, smooth

@own_terrain()
def mesa(parameters, seed, size):
    return smooth(np.full(shape_of(size), HEIGHT))

MESA = EnvConfig()
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a task file."""
    (tmp_path / "hop.py").write_text(HOP)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(play, "find_viewer", lambda: None)
    return tmp_path


def test_a_task_is_a_configuration_or_a_function_that_gives_one(folder: Path) -> None:
    assert task_config("hop.py:HOP").own.rewards == {"hop": 0.5}
    assert task_config("hop.py:made") is task_config("hop.py:PLAIN")
    assert task_config(f"{folder / 'hop.py'}:PLAIN").fall_penalty == 2.0


def test_a_task_file_may_import_what_lies_beside_it(folder: Path) -> None:
    (folder / "beside_it.py").write_text("PENALTY = 3.0")
    code = "import beside_it\nfrom envs.config import EnvConfig\nSUB = EnvConfig(fall_penalty=beside_it.PENALTY)"
    (folder / "sub.py").write_text(code)
    assert task_config("sub.py:SUB").fall_penalty == 3.0


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("nothing", "There is no task 'nothing'; choose one of anymal_flat"),
        ("gone.py:HOP", "There is no task file gone.py."),
        ("hop.py", "hop.py may hold several tasks: name one of its configurations, hop.py:NAME (HOP, PLAIN)."),
        ("hop.py:JUMP", "hop.py has no 'JUMP'"),
        ("hop.py:FLAT", "hop.py:FLAT is no EnvConfig"),
        ("hop.py:hop", "hop.py:hop cannot be called: TypeError"),
        ("broken.py:X", "broken.py cannot be run: NameError: name 'nonsense' is not defined (line 2)."),
        ("unreadable.py:X", "unreadable.py cannot be run: SyntaxError"),
        ("refused.py:X", "refused.py cannot be run: ValueError: A seed is a number"),
    ],
)
def test_what_is_no_task_is_refused_in_one_sentence(task: str, message: str, folder: Path, capsys: Any) -> None:
    (folder / "broken.py").write_text("\nnonsense\n")
    (folder / "unreadable.py").write_text("def")
    (folder / "refused.py").write_text("from envs.config import EnvConfig\nX = EnvConfig(seed=-1)\n")
    assert message in refusal(capsys, "--task", task)
    assert play.main(["--task", task, "--agent", "zero", *SHORT]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.usefixtures("spectator")
def test_a_run_trains_goes_on_and_plays_with_and_without_its_file(folder: Path, capsys: Any) -> None:
    run = ["--task", "hop.py:HOP", *TEACHER, "--run-dir", "run"]
    assert train.main([*run, "--max-iterations", "1"]) == 0
    with Path("run/curves.csv").open(newline="") as file:
        assert float(next(csv.DictReader(file))["reward/hop"]) == pytest.approx(0.5)
    assert Path("run/task.py").read_text() == HOP
    assert train.main(["--resume", "run", "--max-iterations", "2"]) == 0
    (folder / "hop.py").write_text(HOP + "\n")
    assert train.main(["--resume", "run", "--max-iterations", "2"]) == 0
    assert "hop.py has changed since the run began" in capsys.readouterr().err
    (folder / "hop.py").unlink()
    assert "add --task run/task.py:HOP" in refusal(capsys, "--resume", "run")
    assert train.main(["--resume", "run", "--task", "run/task.py:HOP", "--max-iterations", "3"]) == 0
    assert read_resume("run")["iteration"] == 3 and read_policy("run")["env"]["own"]["rewards"] == {"hop": 0.5}
    assert play.main(["--checkpoint", "run", *SHORT]) == 0


def test_a_run_without_own_terms_goes_on_without_its_file(folder: Path) -> None:
    assert train.main(["--task", "hop.py:PLAIN", *TEACHER, "--run-dir", "run", "--max-iterations", "1"]) == 0
    (folder / "hop.py").unlink()
    assert train.main(["--resume", "run", "--max-iterations", "2"]) == 0
    assert read_resume("run")["env"]["fall_penalty"] == 2.0


def test_flags_change_an_own_task(folder: Path) -> None:
    args = train.parse(["--task", "hop.py:HOP", "--env.fall-penalty", "3", "--env.own.rewards.hop", "0.25"])
    assert args.env.fall_penalty == 3.0 and args.env.own.rewards == {"hop": 0.25}
    assert args.env.terrain.types == ("flat",)


def test_every_weight_has_a_function_in_the_papers_order() -> None:
    assert list(TERMS) == list(RewardWeights.__dataclass_fields__)
    assert all(TERMS[name].__name__ == name for name in TERMS)


def test_own_rewards_come_last_with_their_weight() -> None:
    @own.reward
    def two(s: State) -> Tensor:
        return torch.full((len(s.command),), 2.0)

    weights = RewardWeights()
    rows = weighted_terms(state(3), weights, 0.02, own={"two": 0.5})
    assert term_names(weights, {"two": 0.5})[-1] == "two" and torch.equal(rows[-1], torch.full((3,), 0.02))
    assert len(rows) == len(weighted_terms(state(3), weights, 0.02)) + 1


def test_an_own_termination_ends_the_episode_as_a_fall() -> None:
    @own.termination
    def second(s: State) -> Tensor:
        return torch.arange(len(s.command)) == 1

    env = environment(3, own=OwnTerms(terminations=("second",)))
    _, _, done, extras = env.step(torch.zeros(3, 16))
    assert done.tolist() == extras["falls"].tolist() == [False, True, False]
    assert env.metrics()["falls_per_minute/second"] == pytest.approx(60 / 0.02 / 3)


def test_own_events_meet_those_who_start_and_all_before_each_step() -> None:
    met: dict[str, list[list[int]]] = {"reset": [], "step": []}

    @own.event("reset")
    def starts(env: AnymalEnv, robots: Tensor) -> None:
        met["reset"].append(robots.tolist())

    @own.event("step")
    def steps(env: AnymalEnv, robots: Tensor) -> None:
        met["step"].append(robots.tolist())
        env.simulation.add_velocity(torch.tensor([[0.5, 0.0]] * len(robots)))

    env = environment(2, own=OwnTerms(events=("starts", "steps")), episode_seconds=0.04)
    calm = environment(2, episode_seconds=0.04)
    for each in (env, calm):
        each.step(torch.zeros(2, 16))
    assert met == {"reset": [[0, 1]], "step": [[0, 1]]}
    assert (env.state.linear_velocity_yaw[:, 0] - calm.state.linear_velocity_yaw[:, 0]).abs().min() > 0.1
    env.step(torch.zeros(2, 16))
    assert met["reset"] == [[0, 1], [0, 1]]


def observations() -> OwnTerms:
    """One that a robot measures and one that it does not."""

    @own.observation(size=4, unit="1", meaning="contact", mirror=(2, 1, 4, 3))
    def felt(s: State) -> Tensor:
        return s.foot_contact

    @own.observation(size=1, unit="m/s", meaning="speed", measured=False, mirror=(1,))
    def speed(s: State) -> Tensor:
        return s.linear_velocity_b.norm(dim=-1, keepdim=True)

    return OwnTerms(observations=("felt", "speed"))


def test_measured_observations_join_proprioception_and_all_others_the_privileged_state() -> None:
    env = environment(2, own=observations(), noisy_groups=True)
    obs = env.get_observations()
    assert {name: group.shape[-1] for name, group in obs.items()} == {
        "proprio": 137, "extero": 208, "privileged": 51, "proprio_noisy": 137, "extero_noisy": 208,
        "caution": 1,
    }  # fmt: skip
    assert torch.equal(obs["proprio"][:, 133:], env.state.foot_contact)
    assert torch.equal(obs["privileged"][:, 50], env.state.linear_velocity_b.norm(dim=-1))
    assert observation_space(env.cfg)["proprio"].shape == (137,)


def test_an_own_observation_is_mirrored_as_it_says() -> None:
    observations()
    term = own.OBSERVATIONS["felt"].term
    assert mirror(torch.tensor([[1.0, 2.0, 3.0, 4.0]]), (term,)).tolist() == [[2.0, 1.0, 4.0, 3.0]]
    vector = replace(term, size=3, mirror=(1, -2, 3))
    assert mirror(torch.tensor([[1.0, 2.0, 3.0]]), (vector,)).tolist() == [[1.0, -2.0, 3.0]]
    with pytest.raises(ValueError, match="'felt' looks in a mirror"):
        mirror(torch.zeros(1, 4), (replace(term, mirror=()),))


def test_observations_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="have a 'heights' already"):

        @own.observation(1, "m", "x")
        def heights(s: State) -> Tensor:
            return s.command

    @own.observation(2, "m", "x")
    def wide(s: State) -> Tensor:
        return s.command

    with pytest.raises(ValueError, match=r"'wide' gave \(1, 3\), not \(1, 2\)"):
        environment(1, own=OwnTerms(observations=("wide",)))


@pytest.mark.parametrize("kind", ["rewards", "terminations", "observations", "events"])
def test_terms_that_nobody_has_marked_are_refused_in_one_sentence(kind: str) -> None:
    names: Any = {"gone": 1.0} if kind == "rewards" else ("gone",)
    with pytest.raises(ValueError, match=f"own {kind[:-1]} 'gone' is not known here: name the file .* --task"):
        environment(1, own=OwnTerms(**{kind: names}))


def test_a_policy_with_own_observations_needs_their_file_to_play(folder: Path, capsys: Any) -> None:
    write_policy(folder / "policy.pt", EnvConfig(own=OwnTerms(observations=("gone",))))
    assert play.main(["--checkpoint", "policy.pt", *SHORT]) == 2
    assert "The own observation 'gone' is not known here: name the file that adds it" in capsys.readouterr().err


def test_the_task_of_play_keeps_the_policys_own_observations(folder: Path) -> None:
    write_policy(folder / "policy.pt", EnvConfig(own=OwnTerms(observations=("felt",), rewards={"x": 1.0})))
    agent = load_agent("policy.pt", EnvConfig(own=OwnTerms(observations=("speed",), terminations=("low",))))
    assert agent.env.own == OwnTerms(observations=("felt",), terminations=("low",))


HEIGHT = Parameter("height", 0.0, 0.2, "m", "height", (0.1, 0.2))


def test_an_own_terrain_is_a_family_and_a_training_type() -> None:
    @own_terrain(HEIGHT)
    def plateau(parameters: Values, seed: int, size: Size = (8.0, 8.0)) -> Terrain:
        """All at one height."""
        import numpy as np

        return smooth(np.full(shape_of(size), parameters["height"]))

    assert make_tile("plateau", 0.5).heights.max() == pytest.approx(0.1)
    assert TRAINING_TYPES["plateau"].cells() == [{"height": 0.1}, {"height": 0.2}]
    assert list(TRAINING_TYPES)[-1] == "plateau"


def test_tiles_on_the_disk_are_not_those_of_a_generator_that_has_changed(folder: Path) -> None:
    def written(height: float, name: str) -> str:
        Path(name).write_text(MESA.replace("HEIGHT", str(height)))
        task_config(f"{name}:MESA")
        return digest([Request("mesa", 0, {})], (8.0, 8.0))

    assert written(0.1, "a.py") == written(0.1, "b.py") != written(0.2, "c.py")


def test_groups_of_the_layout_end_with_own_terms() -> None:
    observations()
    felt, speed = (own.OBSERVATIONS[name].term for name in ("felt", "speed"))
    places = layout.group_places((felt, speed))
    assert places == {"proprio": slice(0, 137), "extero": slice(137, 345), "privileged": slice(345, 396)}
    assert layout.groups((felt, speed))["privileged"][-1] == speed
