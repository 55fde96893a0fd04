"""The robots that a page shows, each with its own policy on the same ground."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from envs.anymal import AnymalEnv
from envs.depth import DepthConfig
from envs.rewards import term_names, weighted_terms
from envs.terrains import Tile
from evaluation.agents import Agent
from evaluation.belief import SEEN, TRUE, read_belief
from evaluation.noise import SENSED
from evaluation.playing import Walk
from evaluation.reconstruction import student_in
from viewer.driving import AXES, Helm, Wish, has_arrived
from viewer.saved import Pose, Saved, pose_of, require_on
from viewer.world import World, beside, carry_over, equip, make_env, make_ground


class Walker:
    """One robot and who controls it; `actions` are for the state that it is in now.

    `chosen` is what the user calls its policy: a training that is followed goes by one name, whatever file is newest.
    """

    def __init__(self, agent: Agent, env: AnymalEnv) -> None:
        """Start at the environment's start."""
        self.agent, self.env, self.helm = agent, env, Helm()
        self.chosen = agent.name
        self.walk = Walk(env.cfg.dt)
        self.take(agent, env)

    def take(self, agent: Agent, env: AnymalEnv) -> None:
        """Go on with this policy in this environment; a NotFiniteError of one that cannot act leaves all as it was."""
        if agent is not self.agent or self.walk.steps == 0:
            agent.start(1, env.cfg.seed)
        actions = agent.act(env.get_observations())
        self.agent, self.env, self.actions = agent, env, actions

    def _think(self) -> None:
        """Choose what to do in the present state."""
        self.actions: Tensor = self.agent.act(self.env.get_observations())

    def step(self, wish: Wish, world: World) -> None:
        """Let 20 ms pass."""
        self.helm.steer(self.env, wish)
        command = self.env.state.command[0]
        _, _, done, extras = self.env.step(self.actions)
        self.agent.reset(done)
        self.walk.add(self.env.state, command, bool(done[0]), bool(extras["falls"][0]))
        if bool(done[0]):
            self.helm.forget()
            equip(self.env, world)
        self._think()

    def heights(self) -> dict[str, Tensor]:
        """Height samples (208,) m that there are of this robot: true, seen and reconstructed."""
        student = student_in(self.agent)
        if student is not None:
            return read_belief(self.env, student).heights
        obs = self.env.get_observations()
        return {TRUE: obs["extero"][0]} | ({SEEN: obs["extero_noisy"][0]} if "extero_noisy" in obs else {})

    def rewards(self) -> dict[str, float]:
        """What each term of the reward gave in this step, with its weight, per s."""
        cfg = self.env.cfg
        terms = weighted_terms(self.env.state, cfg.rewards, 1.0, cfg.linear_variance, cfg.own.rewards)[:, 0]
        return dict(zip(term_names(cfg.rewards, cfg.own.rewards), terms.tolist(), strict=True))


class Session:
    """All robots, the ground under them and what the user wants of them."""

    def __init__(
        self,
        agents: Sequence[Agent],
        world: World,
        wish: Wish,
        heightmaps: Mapping[str, Tile],
        depth: DepthConfig = SENSED,
    ) -> None:
        """Robots side by side, one for each agent, with the sensors of `depth` where they make their own maps."""
        self.depth = depth
        self.ground = make_ground(world, heightmaps)
        self.world = replace(world, parameters=self.ground.parameters)
        self.wish, self.heightmaps, self.focus = wish, heightmaps, 0
        self.walkers = [Walker(agent, self._env(agent, index, len(agents))) for index, agent in enumerate(agents)]

    @property
    def focused(self) -> Walker:
        """The robot that is looked at."""
        return self.walkers[self.focus]

    @property
    def dt(self) -> float:
        """s, one step."""
        return self.focused.env.cfg.dt

    def _env(self, agent: Agent, index: int, count: int) -> AnymalEnv:
        """The environment of a robot."""
        return make_env(agent, self.world, beside(self.ground, index, count), self.depth)

    def step(self) -> None:
        """Let 20 ms pass for all robots; a goal that the focused one has reached is none any more."""
        for walker in self.walkers:
            walker.step(self.wish, self.world)
        if has_arrived(self.focused.env, self.wish):
            self.wish.stop()

    def restart(self, poses: Sequence[Pose] = ()) -> None:
        """All robots at the start again, or in these poses, without memory of what was before."""
        for index, walker in enumerate(self.walkers):
            walker.helm.forget()
            walker.agent.start(1, self.world.seed)
            env = self._env(walker.agent, index, len(self.walkers))
            if poses:
                qpos, qvel, phase = (torch.tensor([part], dtype=torch.float64) for part in poses[index])
                env.put(qpos, qvel, phase.float())
            walker.take(walker.agent, env)

    def save(self) -> Saved:
        """The world, the command, and where each robot is."""
        poses = tuple(pose_of(walker.env) for walker in self.walkers)
        return Saved(self.world, (self.wish.forward, self.wish.lateral, self.wish.turn), poses)

    def restore(self, saved: Saved) -> None:
        """Go on from what was saved, with the present policies."""
        if len(saved.poses) != len(self.walkers):
            raise ValueError(f"This state is of {len(saved.poses)} robots, and here are {len(self.walkers)}.")
        ground = make_ground(saved.world, self.heightmaps)
        require_on(ground, saved.poses)
        self.ground, self.world = ground, replace(saved.world, parameters=ground.parameters)
        self.wish.stop()
        for axis, value in zip(AXES, saved.command, strict=True):
            self.wish.set(axis, value)
        self.restart(saved.poses)

    def rebuild(self, terrain: str, parameters: Mapping[str, float], seed: int) -> None:
        """The same robots at the start of another ground."""
        world = replace(self.world, terrain=terrain, parameters=parameters, seed=seed)
        self.ground, self.world = make_ground(world, self.heightmaps), world
        self.wish.goal_w = None
        self.restart()

    def change(self, **changes: float | str | None) -> None:
        """Another map, friction or payload while the robots walk on."""
        before, self.world = self.world, self.world.changed(**changes)
        for index, walker in enumerate(self.walkers):
            if self.world.noise != before.noise:
                self._go_on(index, walker.agent)
            equip(walker.env, self.world)

    def swap(self, index: int, agent: Agent, chosen: str | None = None) -> None:
        """Let another policy, or a newer one of the same name, go on with the robot of this index, where it is."""
        self._go_on(index, agent)
        self.walkers[index].chosen = chosen or self.walkers[index].chosen

    def _go_on(self, index: int, agent: Agent) -> None:
        """Put a robot into a new environment as its policy and the world need it."""
        walker, env = self.walkers[index], self._env(agent, index, len(self.walkers))
        carry_over(walker.env, env)
        equip(env, self.world)
        walker.take(agent, env)

    def push(self, speed: float, direction: float) -> None:
        """Add m/s to every base, `direction` rad from its heading to the left."""
        for walker in self.walkers:
            angle = walker.env.state.heading[0] + direction
            walker.env.simulation.add_velocity(speed * torch.stack([angle.cos(), angle.sin()]).unsqueeze(0))
