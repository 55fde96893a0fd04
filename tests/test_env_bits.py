"""The bits of the environment can be had again: by seed, after a restore, in inference mode."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from rollouts import WILD, rollout, rollout_from, same
from worlds import environment


@pytest.fixture(autouse=True)
def _logs_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo writes its warnings to the working directory


@pytest.mark.parametrize("threads", [1, 2])
def test_the_same_seed_gives_the_same_rollout_at_any_thread_count(threads: int) -> None:
    changes = {**WILD, "threads": threads}
    expected = rollout(environment(6, **WILD, seed=3), 60)
    assert same(rollout(environment(6, **changes, seed=3), 60), expected)
    assert not same(rollout(environment(6, **changes, seed=4), 5), expected[: 5 * 8])


def test_resume_of_an_environment_is_bit_exact() -> None:
    env, other = environment(6, **WILD, seed=1), environment(6, **WILD, seed=2)
    rollout(env, 50)
    rollout(other, 13)
    file = io.BytesIO()
    torch.save(env.state_dict(), file)
    env.metrics()
    expected, state = rollout(env, 60, seed=5), env.state_dict()
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    assert same(rollout(other, 60, seed=5), expected)
    assert other.metrics() == env.metrics()
    cells = [each["placement"]["filter"]["cells"] for each in (state, other.state_dict())]
    assert torch.equal(*cells)
    assert other.samples == env.samples == 110 * 6


def test_a_restored_environment_shows_the_observations_it_was_saved_with() -> None:
    env, other = environment(3, seed=1), environment(3, seed=2)
    rollout(env, 4)
    other.load_state_dict(env.state_dict())
    for name, group in env.get_observations().items():
        assert torch.equal(other.get_observations()[name], group)
    other.step(torch.ones(3, 16))
    assert not torch.equal(other.get_observations()["proprio"], env.get_observations()["proprio"])


def test_inference_mode_changes_nothing_and_leaves_ordinary_tensors() -> None:
    expected = rollout(environment(4, **WILD), 60)
    with torch.inference_mode():
        env = environment(4, **WILD)
        given = rollout(env, 50)
        saved = env.state_dict()
    given += rollout_from(env, 50, 60)
    assert same(given, expected)
    assert not any(tensor.is_inference() for tensor in given)
    with torch.inference_mode():
        env.load_state_dict(saved)
    rollout(env, 10)
