"""ANYmal on terrain as a batched Markov decision process: the rsl_rl VecEnv that everything else drives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from einops import rearrange
from rsl_rl.env import VecEnv
from tensordict import TensorDict
from torch import Tensor

from anymal_policy import layout
from anymal_policy.gait import standing, start_phase
from envs import events, gait, randomization, rewards, saving, terminations
from envs.commands import Commands
from envs.config import EnvConfig
from envs.curriculum import curriculum_factor
from envs.drives import drive_digest
from envs.metrics import Metrics
from envs.own import Moment, named, require, require_shapes, terms_of
from envs.per_episode import OwnGenerator, PerEpisode
from envs.placement import make_placement
from envs.ranks import ALONE, Ranks
from envs.sensors import make_sensors
from envs.simulation import Simulation
from envs.state import State, push
from envs.terrains import Surface, Tile
from envs.threads import one_torch_thread


class AnymalEnv(VecEnv):
    """n robots, each on a tile of the terrain; observations and rewards of Miki et al. 2022.

    Without `tiles` the curriculum chooses among the training bank's tiles; with them robot i stays on
    tiles[i % len(tiles)].
    """

    num_actions = layout.size(layout.ACTION)
    device = "cpu"

    @torch.inference_mode(False)
    @torch.no_grad()
    def __init__(self, cfg: EnvConfig, tiles: Sequence[Tile] | None = None, ranks: Ranks = ALONE) -> None:
        """Build terrain and physics, and start the first episodes; `ranks` share curriculum and schedules."""
        require(cfg.own)
        self.cfg, self.num_envs = cfg, cfg.num_envs
        self.step_samples = cfg.num_envs * ranks.count
        self.generator = torch.Generator().manual_seed(cfg.seed)
        self.samples = 0
        self.placement = make_placement(cfg, tiles, self.generator, ranks)
        self.surface = Surface(self.placement.map, cfg.collider, cfg.threads)
        self.simulation = Simulation(
            self.surface,
            cfg.num_envs,
            cfg.threads,
            cfg.decimation,
            cfg.dt,
            cfg.drive,
            cfg.solver,
            cfg.shapes,
            longest_delay=cfg.latency.action[1],
            engine=cfg.engine,
        )
        self.drive_digest = drive_digest(cfg.drive)
        self.drives = OwnGenerator(cfg.seed, stream=5)
        self.delay = PerEpisode(cfg.latency.action, cfg.num_envs, cfg.seed, stream=2)
        self.stiffness = PerEpisode(cfg.solver.stiffness, cfg.num_envs, cfg.seed, stream=3)
        self.commands = Commands(cfg.commands, cfg.num_envs, cfg.dt, self.generator)
        self.own_terms = terms_of(cfg.own)
        self.terminations = terminations.terms(cfg.own.terminations)
        self.events = named("events", cfg.own.events).values()
        names = rewards.term_names(cfg.rewards, cfg.own.rewards)
        self.metrics_since = Metrics(names, list(self.terminations), cfg.dt)
        self.max_episode_length = round(cfg.episode_seconds / cfg.dt)
        self.episode_length_buf = torch.zeros(cfg.num_envs, dtype=torch.long)
        self.sensors = make_sensors(cfg, self.surface)
        self.state = State.blank(self.simulation.read(), curriculum_factor(0, cfg.curriculum))
        self._begin()
        require_shapes(cfg.own, self.state)

    def _begin(self) -> None:
        """New episodes for all robots."""
        self._reset(torch.arange(self.num_envs))
        self._command()
        self.observations = self.observe()

    @property
    def unwrapped(self) -> AnymalEnv:
        """Itself; rsl_rl asks for it."""
        return self

    def get_observations(self) -> TensorDict:
        """The observations of the current state, cached."""
        return self.observations

    @one_torch_thread()
    @torch.no_grad()
    def step(self, actions: Tensor) -> tuple[TensorDict, Tensor, Tensor, dict[str, Any]]:
        """Act (n, 16) for 20 ms -> observations, reward (n,), done (n,), {"time_outs", "falls"}; resets by itself.

        Entries that are no numbers act as 0, infinite ones as the limit; `metrics` counts the robots.
        """
        with torch.inference_mode(False):
            wild = ~actions.isfinite().all(-1)
            self._act(actions.clone().nan_to_num_(0.0).clamp_(-self.cfg.action_limit, self.cfg.action_limit))
            failed = self.simulation.failed.clone()
            causes = torch.stack([*(term(self.state) for term in self.terminations.values()), failed])
            fell = causes.any(0)
            time_outs = self._timed_out() & ~fell
            cfg = self.cfg
            terms = rewards.weighted_terms(self.state, cfg.rewards, cfg.dt, cfg.linear_variance, cfg.own.rewards)
            reward = (terms.sum(0) - self.cfg.fall_penalty * fell).masked_fill(failed, 0.0)
            done = fell | time_outs
            self.metrics_since.add_step(self.state, terms, reward, causes, fell, wild)
            self.placement.observe(self.state)
            ended = torch.nonzero(done).squeeze(-1)
            self._finish(ended, fell)
            self._reset(ended)
            self._command()
            self.observations = self.observe()
        return self.observations, reward, done, {"time_outs": time_outs, "falls": fell}

    def _act(self, actions: Tensor) -> None:
        """Gait, physics and the state that follows from them."""
        s, cfg = self.state, self.cfg
        phase, phase_action, target = self._decide(actions)
        self.simulation.add_velocity(
            randomization.push(cfg.randomization, self.num_envs, cfg.dt, s.randomization_factor, self.generator)
        )
        self._happen("step", torch.arange(self.num_envs))
        self.simulation.step(target)
        self.samples += self.step_samples
        self.episode_length_buf = self.episode_length_buf + 1
        robot = self.simulation.read()
        self.state = State(
            **vars(robot),
            command=s.command,
            phase=phase,
            phase_offset=phase_action,
            base_frequency=s.base_frequency,
            joint_target=target,
            joint_position_history=push(s.joint_position_history, s.joint_position),
            joint_velocity_history=push(s.joint_velocity_history, s.joint_velocity),
            joint_target_history=push(s.joint_target_history, s.joint_target),
            height_samples=self.sensors.height_samples(robot.foot_position_w, robot.heading),
            air_time=(s.air_time + cfg.dt) * (1 - robot.foot_contact),
            friction=s.friction,
            external_force_w=s.external_force_w,
            external_torque_w=s.external_torque_w,
            caution=s.caution,
            randomization_factor=curriculum_factor(self.samples, cfg.curriculum),
        )
        self.sensors.sense(self.state, self.samples)

    def _decide(self, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gait phases (n, 4) rad, phase offsets (n, 4) and joint targets (n, 12) rad that actions (n, 16) lead to."""
        s, cfg = self.state, self.cfg.gait
        phase = gait.advance(s.phase, actions[:, :4], s.base_frequency == 0, cfg)
        return phase, actions[:, :4], gait.joint_targets(phase, actions[:, 4:], cfg)

    def _happen(self, moment: Moment, robots: Tensor) -> None:
        """Own events of this moment, to these robots."""
        for event in self.events:
            if event.moment == moment:
                event.function(self, robots)

    def _timed_out(self) -> Tensor:
        """Episodes that are over without a fall: out of time, or across the border of their tile, (n,) bool."""
        return (self.episode_length_buf >= self.max_episode_length) | self.placement.left(self.state.base_position_w)

    def _finish(self, env_ids: Tensor, fell: Tensor) -> None:
        """Tell curriculum and metrics how the episodes of these robots ended."""
        if len(env_ids):
            self.metrics_since.add_episodes(self.episode_length_buf[env_ids] * self.cfg.dt, fell[env_ids])
            self.placement.finish(env_ids, fell[env_ids], ~self.sensors.map_failed()[env_ids])
        self.placement.advance(self.step_samples)

    def _command(self) -> None:
        """Commands and base frequency for the next step."""
        s = self.state
        self.commands.step(s.heading, s.randomization_factor)
        s.command = self.commands.velocity.clone()
        stands = standing(s.command, self.sensors.linear_velocity_b(s), self.cfg.gait)
        s.base_frequency = torch.where(stands, 0.0, self.cfg.gait.base_frequency)

    def _reset(self, env_ids: Tensor) -> None:
        """Start new episodes of these robots; leaves all others as they are."""
        if len(env_ids) == 0:
            return
        s, m = self.state, len(env_ids)
        cfg, factor = self.cfg.randomization, s.randomization_factor
        events.new_bodies(s, self.simulation, env_ids, cfg, self.generator, self.drives.generator)
        phase = start_phase(m, self.generator)
        target = gait.joint_targets(phase, torch.zeros(m, 12), self.cfg.gait)
        start, heading = self.placement.start(env_ids)
        path_width = self.placement.path_width(env_ids)
        pose = events.place(self.surface, start, heading, path_width, target, cfg, factor, self.generator)
        self.simulation.reset(env_ids, *pose)
        self.simulation.set_delay(env_ids, self.delay.draw(env_ids))
        self.simulation.set_stiffness(env_ids, self.stiffness.draw(env_ids))
        self._forget(env_ids, phase, target)
        self.episode_length_buf[env_ids] = 0
        self.commands.follow(env_ids, torch.where(path_width.isinf(), torch.nan, heading))
        self.commands.resample(env_ids, s.heading[env_ids], factor)

    @torch.inference_mode(False)
    @torch.no_grad()
    def put(self, qpos: Tensor, qvel: Tensor, phase: Tensor) -> None:
        """Let all robots go on from a pose (n, 19) and velocities (n, 18) of the physics, at gait phases (n, 4) rad."""
        env_ids = torch.arange(self.num_envs)
        self.simulation.reset(env_ids, qpos, qvel)
        self._forget(env_ids, phase, gait.joint_targets(phase, torch.zeros(self.num_envs, 12), self.cfg.gait))
        self.observations = self.observe()

    def _forget(self, env_ids: Tensor, phase: Tensor, target: Tensor) -> None:
        """Read the state of these robots from the physics, and fill all their histories with it."""
        s = self.state
        self.simulation.set_wrench(env_ids, s.external_force_w[env_ids], s.external_torque_w[env_ids])
        self.simulation.settle(env_ids)
        self.simulation.update(s, env_ids)
        s.phase[env_ids], s.phase_offset[env_ids] = phase, 0.0
        s.joint_target[env_ids] = target
        s.joint_target_history[env_ids] = rearrange(target, "m j -> m 1 j")
        s.joint_position_history[env_ids] = rearrange(s.joint_position[env_ids], "m j -> m 1 j")
        s.joint_velocity_history[env_ids] = rearrange(s.joint_velocity[env_ids], "m j -> m 1 j")
        s.air_time[env_ids] = 0.0
        s.height_samples[env_ids] = self.sensors.height_samples(s.foot_position_w[env_ids], s.heading[env_ids])
        self._happen("reset", env_ids)
        self.sensors.reset(env_ids, s)

    def _judge(self) -> None:
        """Say who shall walk with caution."""
        asked = torch.zeros(self.num_envs, dtype=torch.bool)
        if self.cfg.caution_probability > 0:
            asked = self.placement.cautious | self.sensors.map_worthless()
        self.state.caution = asked.float()

    def _groups(self, s: State, env_ids: Tensor | slice = slice(None)) -> dict[str, Tensor]:
        """All observation groups of these robots, whose state alone is `s`, in new tensors."""
        caution = {layout.CAUTION: rearrange(s.caution.clone(), "n -> n 1")} if self.cfg.caution_probability > 0 else {}
        return {**self.sensors.observe(s, env_ids), **caution}

    def observe(self) -> TensorDict:
        """All observation groups of the current state, in new tensors."""
        self._judge()
        return TensorDict(self._groups(self.state), batch_size=[self.num_envs])

    def metrics(self) -> dict[str, float]:
        """Means over everything since the last call, by name; empties them."""
        return {
            **self.metrics_since.drain(),
            **self.placement.metrics(),
            **self.sensors.metrics(),
            "curriculum/c_k": self.state.randomization_factor,
        }

    def curriculum_state_dict(self) -> dict[str, Tensor]:
        """State of the terrain curriculum, for a Student to start from; nothing on tiles of one's own."""
        return self.placement.export_state()

    @torch.inference_mode(False)
    @torch.no_grad()
    def load_curriculum_state_dict(self, curriculum: dict[str, Tensor]) -> bool:
        """Begin all episodes anew where `curriculum` says that another training was; whether that fits this terrain."""
        fits = self.placement.import_state(curriculum)
        if fits:
            self._begin()
        return fits

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, in tensors and numbers."""
        return saving.state_dict(self)

    @torch.inference_mode(False)
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Bit-exact resume from `state_dict`: the next step is as if the environment had gone on."""
        saving.load_state_dict(self, state)

    def close(self) -> None:
        """Nothing to release; here for those who expect it."""
