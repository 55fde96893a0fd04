"""Gymnasium's own wrappers and other libraries drive our vector environment as they do Gymnasium's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.wrappers import vector as wrappers
from worlds import FLAT

import envs  # noqa: F401  (registers the environments)
from envs.gymnasium_env import AnymalVectorEnv, action_space, observation_space
from envs.rendering import Renderer
from envs.tasks import TASKS

SMALL = replace(TASKS["anymal_rough"], terrain=FLAT, threads=1, episode_seconds=0.06)
SIZE = (32, 24)


class Plain(gymnasium.Env[Any, Any]):
    """An environment of Gymnasium's own kind with our spaces and episodes of three steps, as the oracle."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}
    observation_space, action_space = observation_space(SMALL), action_space(SMALL)

    def __init__(self) -> None:
        self.render_mode, self.steps = "rgb_array", 0

    def _observation(self) -> Any:
        return {name: np.zeros(space.shape, np.float32) for name, space in self.observation_space.items()}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self.steps = 0
        return self._observation(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return self._observation(), 1.0, False, self.steps == 3, {}

    def render(self) -> Any:
        return np.zeros((SIZE[1], SIZE[0], 3), np.uint8)


def plain() -> VectorEnv[Any, Any, Any]:
    return SyncVectorEnv([Plain] * 3, autoreset_mode=AutoresetMode.SAME_STEP)


def ours() -> VectorEnv[Any, Any, Any]:
    return gymnasium.make_vec("ANYmalRough-v0", num_envs=3, cfg=SMALL, render_mode="rgb_array")


def unchanged(x: Any) -> Any:
    return x


SETTINGS: dict[str, dict[str, Any]] = {
    "VectorizeTransformObservation": {"wrapper": gymnasium.wrappers.FilterObservation, "filter_keys": ["proprio"]},
    "VectorizeTransformAction": {"wrapper": gymnasium.wrappers.ClipAction},
    "VectorizeTransformReward": {"wrapper": gymnasium.wrappers.ClipReward, "max_reward": 1.0},
    "TransformObservation": {"func": unchanged},
    "FilterObservation": {"filter_keys": ["proprio"]},
    "ResizeObservation": {"shape": (4, 4)},
    "ReshapeObservation": {"shape": (4,)},
    "RescaleObservation": {"min_obs": 0.0, "max_obs": 1.0},
    "DtypeObservation": {"dtype": np.float64},
    "TransformAction": {"func": unchanged},
    "RescaleAction": {"min_action": -1.0, "max_action": 1.0},
    "TransformReward": {"func": unchanged},
    "ClipReward": {"max_reward": 1.0},
    "RecordVideo": {"video_folder": "videos", "episode_trigger": lambda episode: episode == 0},
    "ArrayConversion": {"env_xp": np, "target_xp": np},
}


def outcome(make: Callable[[], VectorEnv[Any, Any, Any]], name: str) -> str:
    """What comes of this wrapper in two episodes: everything that it returns by type and shape, or the refusal."""
    found: list[Any] = []

    def note(value: Any) -> None:
        if isinstance(value, dict):
            for key in sorted(value):
                found.append(key)
                note(value[key])
        elif hasattr(value, "shape"):
            found.append((tuple(value.shape), str(value.dtype)))
        elif isinstance(value, list | tuple):
            for item in value:
                note(item)
        else:
            found.append(type(value).__name__)

    env = make()
    try:
        env = getattr(wrappers, name)(env, **SETTINGS.get(name, {}))
        note(env.reset(seed=0))
        for _ in range(7):
            actions: Any = np.zeros((3, 16), np.float32)
            if name.endswith("ToTorch"):
                import torch

                actions = torch.from_numpy(actions)
            note(env.step(actions))
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:40]}"
    finally:
        env.close()
    return str(found)


@pytest.mark.parametrize("name", [name for name in wrappers.__all__ if name != "HumanRendering"])
@pytest.mark.filterwarnings("ignore")
def test_every_vector_wrapper_does_what_it_does_to_gymnasiums_own(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Renderer, "__init__", lambda self, env: None)
    monkeypatch.setattr(Renderer, "draw", lambda self: np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    monkeypatch.setattr(Renderer, "close", lambda self: None)
    got, wanted = outcome(ours, name), outcome(plain, name)
    if name == "RescaleObservation":  # refused by both, each for the first of its observations
        got, wanted = got.split(":")[0], wanted.split(":")[0]
    assert got == wanted


def test_the_autoreset_mode_is_an_attribute_as_of_gymnasiums_own() -> None:
    assert ours().unwrapped.autoreset_mode == plain().autoreset_mode == AutoresetMode.SAME_STEP  # type: ignore


def test_every_robot_has_a_picture_from_a_camera_of_its_own(opengl: None) -> None:
    cfg = replace(SMALL, episode_seconds=20.0)
    env = AnymalVectorEnv(2, cfg=cfg, render_mode="rgb_array")
    env.reset(seed=0)
    pictures = env.render()
    assert pictures is not None and [picture.shape for picture in pictures] == [(720, 1280, 3)] * 2
    assert not np.array_equal(*pictures) and all(picture.std() > 5 for picture in pictures)
    single = gymnasium.make("ANYmalRough-v0", cfg=cfg, render_mode="rgb_array", disable_env_checker=True)
    single.reset(seed=0)
    drawn: Any = single.render()
    assert drawn.shape == (720, 1280, 3)
    env.close()
    single.close()
    assert AnymalVectorEnv(1, cfg=cfg).render() is None


def test_torchrl_drives_the_vector_environment() -> None:
    torchrl = pytest.importorskip("torchrl.envs")
    env = torchrl.GymWrapper(ours())
    rollout = env.rollout(7, break_when_any_done=False)
    assert rollout.batch_size == (3, 7) and rollout["next", "proprio"].shape == (3, 7, 133)
    assert rollout["next", "done"].sum() == 6  # two episodes of each robot have ended


def test_the_spaces_are_those_of_the_oracle() -> None:
    env = ours()
    assert env.single_action_space == Plain.action_space and isinstance(env.single_observation_space, spaces.Dict)
    assert env.single_observation_space == Plain.observation_space
