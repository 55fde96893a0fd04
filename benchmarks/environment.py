"""`env.step` of anymal_rough against its physics alone, in each stage of train.py.

`python -m benchmarks.environment [--json FILE]` prints control steps of 20 ms per second: for a Teacher that walks and
for one that is refined, with four times as many robots, and for a Student, with the robots of the first and the noisy
groups observed, too. In all of them the pretrained Teacher walks where the curriculum of its training had led, at the
c_k of its end, with episodes that end at any time. Each stretch of steps is played three times from the same state: to
record its actions, and states and joint targets of its physics; through `env.step`; and by a bare batch, which is put
into each of these states and given these targets.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from mujoco.batch import Batch, SimulationError
from torch import Tensor

from agents import distributed
from agents.checkpoint import TEACHER, read_policy
from agents.config import PRESETS
from agents.rng import seed_everything
from agents.training import spread_episodes
from benchmarks.report import Rates, medians, ratio, report, run
from benchmarks.side_by_side import ranks, rate, timed
from benchmarks.walking import replay, walk
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.simulation import PARAMETERS
from envs.tasks import TASKS
from evaluation.agents import Agent, load_agent
from training.environments import going_on, own_share, refined_env, sized


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    num_envs: int = PRESETS["laptop"].num_envs
    """Robots that walk, as with train.py."""
    processes: int = 2
    """Processes side by side, among which the robots are shared out."""
    threads: int = 1
    """Threads of physics and environment of each."""
    rounds: int = 8
    """Stretches of steps."""
    steps: int = 25
    """Control steps of a stretch."""
    walk: int = 100
    """Control steps before the first of them."""
    checkpoint: Path = Path("pretrained/teacher.pt")
    """Teacher that walks."""
    json: Path | None = None
    """File to write the result to."""


class Physics(NamedTuple):
    """What a step of the physics begins with."""

    state: np.ndarray
    parameters: list[np.ndarray]
    joint_target: Tensor


class Side:
    """An environment in which a policy walks, and a bare batch of the same robots."""

    def __init__(self, cfg: EnvConfig, arguments: Arguments, agent: Agent, learnt: dict[str, Tensor]) -> None:
        """Begin on the ground that a curriculum has `learnt`, as far into episodes as may be, and walk on it."""
        self.env, self.agent, self.steps = AnymalEnv(cfg), agent, arguments.steps
        if not self.env.load_curriculum_state_dict(learnt):
            raise ValueError(f"The curriculum of {arguments.checkpoint} does not fit; give a Teacher of this version.")
        spread_episodes(self.env)
        simulation = self.env.simulation
        self.batch = Batch(simulation.model, cfg.num_envs, cfg.threads)
        self.control = self.batch.bind("ctrl")
        self.parameters = [self.batch.expand(field) for field in PARAMETERS.values()]
        walk(self.env, agent, arguments.walk)

    def round(self) -> tuple[float, float]:
        """Control steps per s of the environment and of the batch alone, over the next stretch."""
        before = self.env.state_dict()
        actions, stretch = self._record()
        self.env.load_state_dict(before)
        stepped = timed(lambda: replay(self.env, actions))
        distributed.wait()
        bare = sum(self._step(physics) for physics in stretch)
        samples = self.steps * self.env.num_envs
        return rate(stepped, samples), rate(bare, samples)

    def _record(self) -> tuple[list[Tensor], list[Physics]]:
        """What the policy does in the next stretch: its actions, and what each step of the physics begins with."""
        simulation, stretch = self.env.simulation, []
        step = simulation.step

        def recorded(joint_target: Tensor) -> None:
            parameters = [np.array(getattr(simulation, name)) for name in PARAMETERS]
            stretch.append(Physics(np.array(simulation.batch.state), parameters, joint_target.clone()))
            step(joint_target)

        simulation.step = recorded
        actions = walk(self.env, self.agent, self.steps)
        del simulation.step  # the instance's, over the class's
        return actions, stretch

    def _step(self, physics: Physics) -> float:
        """Seconds that the batch takes for a step from this state."""
        for own, values in zip(self.parameters, physics.parameters, strict=True):
            own[:] = values
        self.batch.set_const()
        self.batch.state[:] = physics.state
        begin = time.perf_counter()
        self.control[:, self.env.simulation.actuators] = physics.joint_target.numpy()
        with suppress(SimulationError):
            self.batch.step(nstep=self.env.cfg.decimation)
        return time.perf_counter() - begin


def main(arguments: Arguments) -> None:
    """Measure and report."""
    with ranks("environment", arguments.processes, arguments.threads) as reports:
        rates: Rates = {}
        ratios: dict[str, float] = {}
        for name, side in sides(arguments):
            stepped, bare = zip(*(side.round() for _ in range(arguments.rounds)), strict=True)
            rates |= {f"{name}, env.step": list(stepped), f"{name}, physics": list(bare)}
            ratios[f"{name} to physics"] = ratio(rates, f"{name}, env.step", f"{name}, physics")
        if reports:
            report("environment", ratios, medians(rates), arguments.json)


def sides(arguments: Arguments) -> Iterator[tuple[str, Side]]:
    """The stages of a training, one after another, by name."""
    teacher, agent = read_policy(arguments.checkpoint, TEACHER), load_agent(arguments.checkpoint)
    preset = replace(PRESETS["laptop"], num_envs=arguments.num_envs)
    task = sized(TASKS["anymal_rough"], preset, arguments.threads)
    stages = {
        "walk": going_on(task, teacher),
        "refinement": refined_env(task, teacher, preset.refinement),
        "Student": replace(going_on(task, teacher), noisy_groups=True),
    }
    for name, env in stages.items():
        own = own_share(env)
        seed_everything(own.seed)
        agent.start(own.num_envs, 0)
        yield name, Side(own, arguments, agent, teacher["curriculum"])


if __name__ == "__main__":
    sys.exit(run("environment", Arguments, main, __doc__))
