"""Numbers that are not finite are said, wherever they come from, and never taken for others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from fake_run import start
from policy_files import write_student
from refusals import refusal
from worlds import FLAT, plane_tile

import envs  # noqa: F401  (registers the environments)
import evaluate
import play
import train
from agents import archive
from agents.checkpoint import read_resume
from agents.policies import StudentPolicy
from envs.anymal import AnymalEnv
from envs.config import EnvConfig

SMALL = EnvConfig(num_envs=3, threads=1, terrain=FLAT)
WRONG = [np.nan, np.inf, -np.inf]


@pytest.mark.parametrize("wrong", WRONG)
def test_gymnasium_refuses_such_an_action_and_changes_nothing(wrong: float) -> None:
    env = gymnasium.make_vec("ANYmalRough-v0", num_envs=3, cfg=SMALL)
    env.reset(seed=0)
    still: Any = np.zeros((3, 16), np.float32)
    bad = still.copy()
    bad[1, 7] = wrong
    before = env.unwrapped.env.state.base_position_w.clone()  # type: ignore
    with pytest.raises(ValueError, match="finite numbers; that of robot 1 is not"):
        env.step(bad)
    assert torch.equal(env.unwrapped.env.state.base_position_w, before)  # type: ignore
    env.step(still)
    single = gymnasium.make("ANYmalRough-v0", cfg=SMALL, disable_env_checker=True)
    single.reset(seed=0)
    with pytest.raises(ValueError, match="finite"):
        single.step(bad[1])


def test_training_counts_the_robots_with_such_actions() -> None:
    env = AnymalEnv(SMALL, [plane_tile()])
    actions = torch.zeros(3, 16)
    env.step(actions)
    assert env.metrics()["actions/non_finite"] == 0
    actions[0, :3], actions[2, 0] = torch.nan, torch.inf
    env.step(actions)
    env.step(actions)
    assert env.metrics()["actions/non_finite"] == 4


@pytest.fixture
def gone_wrong(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy whose weights are finite, but not what it makes of them."""
    write_student(project / "policy.pt", EnvConfig())
    monkeypatch.setattr(StudentPolicy, "act", lambda self, obs: torch.full((len(obs), 16), torch.nan))
    return project / "policy.pt"


def test_a_policy_that_gives_no_numbers_is_not_evaluated_as_if_it_stood_still(gone_wrong: Path, capsys: Any) -> None:
    table = gone_wrong.with_name("table.json")
    assert (
        evaluate.main(["--checkpoint", str(gone_wrong), "--terrains", "flat", "--episodes", "2", "--json", str(table)])
        == 2
    )
    captured = capsys.readouterr()
    assert "policy.pt gives actions that are not finite" in captured.err and captured.err.count("\n") == 1
    assert not table.exists()


def test_a_policy_that_gives_no_numbers_is_not_played(gone_wrong: Path, spectator: Any, capsys: Any) -> None:
    assert play.main(["--checkpoint", str(gone_wrong), "--terrain", "flat", "--video", "a.mp4"]) == 2
    assert "policy.pt gives actions that are not finite" in capsys.readouterr().err


def test_weights_that_are_not_finite_are_never_saved_over_good_ones(tmp_path: Path) -> None:
    """The losses of an update are computed before its last step, so they may be finite while the weights are not."""
    running = start(tmp_path, 3)
    learn = running.learn

    def learn_one(*args: Any, **kwargs: Any) -> None:
        learn(*args, **kwargs)
        if running.iteration == 1:
            next(running.alg.actor.parameters()).data.view(-1)[0] = torch.inf
            running.saves.at = -1e9

    running.learn = learn_one  # type: ignore
    with pytest.raises(FloatingPointError, match="weights are not finite"):
        running.train()
    assert read_resume(tmp_path)["iteration"] == 0


def test_an_export_of_such_weights_is_refused(project: Path, capsys: Any) -> None:
    import export

    write_student(project / "policy.pt", EnvConfig())
    record = archive.read(project / "policy.pt", "student")
    record.pop("hash")
    record["normalizer"]["var"][3] = torch.nan
    archive.write(project / "policy.pt", record)
    assert export.main(["--checkpoint", str(project / "policy.pt"), "--out", str(project / "out")]) == 2
    assert "not finite" in capsys.readouterr().err and not (project / "out").exists()


@pytest.mark.parametrize(
    "setting",
    [
        "--env.fall-penalty nan",
        "--env.linear-variance nan",
        "--env.rewards.linear-tracking inf",
        "--env.commands.forward nan 1",
    ],
)
def test_settings_that_are_no_numbers_are_refused(setting: str, capsys: Any) -> None:
    assert f"{setting.split()[0]} must be a finite number" in refusal(capsys, *setting.split())


def test_an_unlimited_divergence_is_a_setting() -> None:
    assert train.parse(["--agent.desired-kl", "inf"]).agent.desired_kl == float("inf")


@pytest.mark.parametrize("flag", ["--height", "--difficulty", "--depth", "--seconds", "--command"])
def test_play_refuses_what_is_no_number(project: Path, flag: str, capsys: Any) -> None:
    value = ["nan", "0", "0"] if flag == "--command" else ["nan"]
    assert play.main(["--agent", "zero", "--terrain", "stairs_up", flag, *value, "--video", "a.mp4"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
