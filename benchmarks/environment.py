"""`env.step` of anymal_rough against its physics alone, with the Teacher's observations and with the Student's.

`python -m benchmarks.environment [--json FILE]` prints control steps of 20 ms per second. The pretrained Teacher walks
where the curriculum of its training had led; each stretch of steps is played three times from the same state: to record
its controls, through `env.step`, and by the batch alone with the same controls.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import tyro
from mujoco.batch import Batch
from torch import Tensor

from agents import distributed
from agents.checkpoint import read_policy
from benchmarks.report import Rates, ratio, report
from benchmarks.side_by_side import ranks, rate
from envs.anymal import AnymalEnv
from envs.simulation import PARAMETERS
from envs.tasks import TASKS
from evaluation.agents import Agent, load_agent

GROUPS = {"Teacher": False, "Student": True}
"""Whether the noisy groups are observed too, by who needs them."""


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    num_envs: int = 512
    """Robots of each process."""
    processes: int = 2
    """Processes side by side, as train.py starts them."""
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


class Side:
    """An environment in which a policy walks, and a bare batch of the same robots."""

    def __init__(self, noisy_groups: bool, arguments: Arguments, agent: Agent, learnt: dict[str, Tensor]) -> None:
        """Begin on the ground that a curriculum has `learnt`, and walk on it."""
        cfg = replace(TASKS["anymal_rough"], num_envs=arguments.num_envs, threads=arguments.threads)
        self.env, self.agent = AnymalEnv(replace(cfg, noisy_groups=noisy_groups)), agent
        self.env.take_curriculum(learnt)
        self.steps = arguments.steps
        simulation = self.env.simulation
        self.batch = Batch(simulation.model, arguments.num_envs, arguments.threads)
        self.control = self.batch.bind("ctrl")
        self.parameters = {name: self.batch.expand(field) for name, field in PARAMETERS.items()}
        for _ in range(arguments.walk):
            self.env.step(agent.act(self.env.get_observations()))

    def round(self) -> tuple[float, float]:
        """Control steps per s of the environment and of the batch alone, over the next stretch."""
        before = self.env.state_dict()
        actions, controls = self._record()
        self.env.load_state_dict(before)
        self._copy_physics()
        distributed.wait()
        begin = time.perf_counter()
        for action in actions:
            self.env.step(action)
        stepped = time.perf_counter() - begin
        distributed.wait()
        begin = time.perf_counter()
        for control in controls:
            self.control[:] = control
            self.batch.step(nstep=self.env.cfg.decimation)
        bare = time.perf_counter() - begin
        samples = self.steps * self.env.num_envs
        return rate(stepped, samples), rate(bare, samples)

    def _record(self) -> tuple[list[Tensor], list[np.ndarray]]:
        """What the policy does in the next stretch: its actions, and the controls that come of them."""
        actions, controls = [], []
        for _ in range(self.steps):
            actions.append(self.agent.act(self.env.get_observations()))
            self.env.step(actions[-1])
            controls.append(self.env.simulation.control.copy())
        return actions, controls

    def _copy_physics(self) -> None:
        """Give the batch the state and the randomised bodies of the environment."""
        simulation = self.env.simulation
        for name, values in self.parameters.items():
            values[:] = getattr(simulation, name)
        self.batch.set_const()
        self.batch.state[:] = simulation.batch.state


def main(arguments: Arguments) -> None:
    """Measure and report."""
    with ranks("environment", arguments.processes, arguments.threads) as reports:
        rates = measure(arguments)
        if reports:
            ratios = {f"{name} to physics": ratio(rates, f"{name}, env.step", f"{name}, physics") for name in GROUPS}
            report("environment", ratios, {name: median(rate) for name, rate in rates.items()}, arguments.json)


def measure(arguments: Arguments) -> Rates:
    """Control steps per s of all processes, by round."""
    agent, learnt = load_agent(arguments.checkpoint), read_policy(arguments.checkpoint)["curriculum"]
    agent.start(arguments.num_envs, 0)
    sides = {name: Side(noisy, arguments, agent, learnt) for name, noisy in GROUPS.items()}
    rates: Rates = {f"{name}, {what}": [] for name in sides for what in ("env.step", "physics")}
    for _ in range(arguments.rounds):
        for name, side in sides.items():
            stepped, bare = side.round()
            rates[f"{name}, env.step"].append(stepped)
            rates[f"{name}, physics"].append(bare)
    return rates


if __name__ == "__main__":
    main(tyro.cli(Arguments, description=__doc__))
