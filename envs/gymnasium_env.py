"""The tasks for Gymnasium: n robots as one vector environment, and a single robot as an environment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray
from torch import Tensor

from anymal_policy import layout
from envs import observations
from envs.anymal import AnymalEnv
from envs.camera import FollowCamera
from envs.config import EnvConfig
from envs.own import terms_of
from envs.rendering import Renderer
from envs.state import State
from envs.tasks import task_config
from envs.terrains import Tile

Observation = dict[str, NDArray[np.float32]]


class EpisodicEnv(AnymalEnv):
    """AnymalEnv that can be started over, and that keeps what the robots saw last in episodes that end."""

    def __init__(self, cfg: EnvConfig, tiles: Sequence[Tile] | None = None) -> None:
        """Remember the beginning, to come back to."""
        self.last_seen: dict[str, Tensor] = {}
        super().__init__(cfg, tiles)
        self.beginning = self.state_dict()

    def go_back(self) -> None:
        """Forget everything since the beginning: curriculum, schedules and episodes."""
        self.load_state_dict(self.beginning)

    @torch.inference_mode(False)
    @torch.no_grad()
    def restart(self, seed: int) -> None:
        """New episodes for all robots, drawn with this seed; those they were in count as timed out."""
        self.generator.manual_seed(seed)
        for drawing in (self.sensors, self.drives, self.delay, self.stiffness):
            drawing.seed(seed)
        env_ids, fell = torch.arange(self.num_envs), torch.zeros(self.num_envs, dtype=torch.bool)
        self.placement.finish(env_ids, fell, ~self.sensors.map_failed())
        self._begin()

    def _reset(self, env_ids: Tensor) -> None:
        """Keep the observations (m, size) that these robots' episodes end with, then start new ones."""
        if len(env_ids) > 0:
            self._judge()
            self.last_seen = self._groups(select(self.state, env_ids), env_ids)
        super()._reset(env_ids)


def select(s: State, env_ids: Tensor) -> State:
    """The state of these robots alone."""
    return replace(s, **{name: value[env_ids] for name, value in vars(s).items() if isinstance(value, Tensor)})


def observation_space(cfg: EnvConfig) -> spaces.Dict:
    """The observation groups of one robot, raw SI values in the order of `anymal_policy.layout`."""
    sizes = {name: layout.size(terms) for name, terms in layout.groups(terms_of(cfg.own)).items()}
    sizes |= {noisy: sizes[name] for noisy, name in observations.NOISY.items() if cfg.noisy_groups}
    sizes |= {layout.CAUTION: 1} if cfg.caution_probability > 0 else {}
    return spaces.Dict({name: spaces.Box(-np.inf, np.inf, (size,), np.float32) for name, size in sizes.items()})


def action_space(cfg: EnvConfig) -> spaces.Box:
    """Phase offsets 4 and joint residuals 12, as `anymal_policy.gait` reads them; clipped at `cfg.action_limit`."""
    return spaces.Box(-cfg.action_limit, cfg.action_limit, (layout.size(layout.ACTION),), np.float32)


class AnymalVectorEnv(VectorEnv[Observation, NDArray[np.float32], NDArray[Any]]):
    """Robots side by side, each reset in the step in which its episode ends; `infos["final_obs"]` has what it saw last.

    The curriculum goes on from episode to episode; `reset(seed=...)` starts everything over, to the same rollout each
    time. Terminations are falls; truncations are time-outs and robots that have crossed their tile.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50, "autoreset_mode": AutoresetMode.SAME_STEP}
    autoreset_mode = AutoresetMode.SAME_STEP

    def __init__(
        self,
        num_envs: int = 1,
        task: str = "anymal_rough",
        cfg: EnvConfig | None = None,
        tiles: Sequence[Tile] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """The task's environment, or one with the configuration `cfg`; `tiles` take the place of the curriculum's.

        With the render mode "rgb_array" a camera follows each robot.
        """
        cfg = replace(task_config(task) if cfg is None else cfg, num_envs=num_envs)
        self.env, self.num_envs, self.render_mode = EpisodicEnv(cfg, tiles), num_envs, render_mode
        self.renderer: Renderer | None = None
        self.cameras = [FollowCamera(self.env.surface, cfg.dt) for _ in range(num_envs)]
        self.single_observation_space, self.single_action_space = observation_space(cfg), action_space(cfg)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """New episodes for all robots; with a seed, all over from the beginning. There are no options."""
        super().reset(seed=seed)
        if options:
            raise ValueError(f"These environments have no reset option '{next(iter(options))}'; pass none.")
        if seed is not None:
            self.env.go_back()
        self.env.restart(int(self.np_random.integers(2**63)))
        return arrays(self.env.get_observations()), {}

    def step(
        self, actions: NDArray[np.float32]
    ) -> tuple[Observation, NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """Act for 20 ms: actions (n, 16) -> observations, rewards, terminations and truncations (n,), infos."""
        actions = np.array(actions, np.float32)
        if actions.shape != self.action_space.shape:
            raise ValueError(f"Actions must have the shape {self.action_space.shape}, not {actions.shape}.")
        if not (finite := np.isfinite(actions).all(-1)).all():
            raise ValueError(f"Actions must be finite numbers; that of robot {int(finite.argmin())} is not.")
        groups, reward, done, extras = self.env.step(torch.from_numpy(actions))
        infos: dict[str, Any] = {}
        for number, env_id in enumerate(torch.nonzero(done).squeeze(-1).tolist()):
            final = {name: group[number].numpy().copy() for name, group in self.env.last_seen.items()}
            infos = self._add_info(infos, {"final_obs": final, "final_info": {}}, env_id)
        terminations, truncations = extras["falls"].numpy().copy(), extras["time_outs"].numpy().copy()
        return arrays(groups), reward.double().numpy(), terminations, truncations, infos

    def render(self) -> tuple[NDArray[np.uint8], ...] | None:
        """Every robot from the side, (720, 1280, 3) RGB each; after an episode's last step already in the next one."""
        if self.render_mode is None:
            return None
        if self.renderer is None:
            self.renderer = Renderer(self.env)
        return tuple(self._picture(self.renderer, env_id) for env_id in range(self.num_envs))

    def _picture(self, renderer: Renderer, env_id: int) -> NDArray[np.uint8]:
        renderer.env_id, renderer.camera = env_id, self.cameras[env_id]
        return renderer.draw()

    def close_extras(self, **_: Any) -> None:
        """Free the renderer."""
        if self.renderer is not None:
            self.renderer.close()
            self.renderer = None


class AnymalGymEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One robot; see `AnymalVectorEnv`, of which this is a single robot."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 50}

    def __init__(
        self,
        task: str = "anymal_rough",
        cfg: EnvConfig | None = None,
        tiles: Sequence[Tile] | None = None,
        render_mode: str | None = None,
    ) -> None:
        """As of `AnymalVectorEnv`; with the render mode "rgb_array" a camera follows the robot."""
        cfg = replace(task_config(task) if cfg is None else cfg, threads=1)
        self.robots = AnymalVectorEnv(1, task, cfg, tiles, render_mode)
        self.observation_space = self.robots.single_observation_space
        self.action_space = self.robots.single_action_space
        self.render_mode = render_mode

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """A new episode; with a seed, all over from the beginning. There are no options."""
        super().reset(seed=seed)
        obs, _ = self.robots.reset(seed=seed, options=options)
        return {name: group[0] for name, group in obs.items()}, {}

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Act for 20 ms: action (16,) -> observation, reward, terminated, truncated, info."""
        obs, reward, terminated, truncated, infos = self.robots.step(np.asarray(action)[None])
        final = infos["final_obs"][0] if infos else {name: group[0] for name, group in obs.items()}
        return final, float(reward[0]), bool(terminated[0]), bool(truncated[0]), {}

    def render(self) -> NDArray[np.uint8] | None:
        """The robot from the side, (720, 1280, 3) RGB; after an episode's last step already in the next one."""
        pictures = self.robots.render()
        return None if pictures is None else pictures[0]

    def close(self) -> None:
        """Free the renderer."""
        self.robots.close()


def arrays(groups: Any) -> Observation:
    """Observation groups as new arrays, which nobody else will write to."""
    return {name: group.numpy().copy() for name, group in groups.items()}
