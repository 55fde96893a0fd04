"""Whole PPO iterations of the Teacher, collecting and learning, against `env.step` alone.

`python -m benchmarks.training [--json FILE]` prints control steps of 20 ms per second, for a Teacher that goes on as
train.py lets it in each of its two stages: 1024 robots that walk, and four times as many that refine it. The actions of
each iteration are played once more from the same state through `env.step` alone.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from agents import distributed
from agents.checkpoint import TEACHER, read_policy
from agents.config import PRESETS, TeacherConfig
from agents.precision import resolve_precision
from agents.rng import seed_everything
from agents.runner import TeacherRunner
from benchmarks.report import Rates, medians, ratio, report, run
from benchmarks.side_by_side import ranks, rate, timed
from benchmarks.walking import replay
from envs.anymal import AnymalEnv
from envs.config import EnvConfig
from envs.ranks import Ranks
from envs.tasks import TASKS
from training.environments import going_on, own_share, refined_env, sized


@dataclass(frozen=True)
class Arguments:
    """How much to measure."""

    num_envs: int = PRESETS["laptop"].num_envs
    """Robots that walk, as with train.py."""
    processes: int = 2
    """Processes that train together, among which the robots are shared out."""
    threads: int = 1
    """Threads of physics and networks of each."""
    iterations: int = 8
    """Iterations of each stage of the preset `laptop` that are measured."""
    checkpoint: Path = Path("pretrained/teacher.pt")
    """Teacher that goes on learning."""
    json: Path | None = None
    """File to write the result to."""


class RecordingEnv(AnymalEnv):
    """An environment that remembers the actions of every step."""

    actions: tuple[Tensor, ...] = ()

    def step(self, actions: Tensor) -> tuple[Any, ...]:  # type: ignore
        """As ever."""
        self.actions = (*self.actions, actions.clone())
        return super().step(actions)


class Stage:
    """A stage of the training in which a Teacher goes on, as far into its episodes as may be."""

    def __init__(self, env: EnvConfig, agent: TeacherConfig, teacher: dict[str, Any], place: Path) -> None:
        """`env` has the robots of all processes."""
        own = own_share(env)
        seed_everything(own.seed)
        self.env = RecordingEnv(own, ranks=Ranks(distributed.rank(), distributed.size(), distributed.total))
        self.runner = TeacherRunner(self.env, agent, "anymal_rough", place, resolve_precision("auto"))
        if "terrain curriculum" in self.runner.init_from(teacher):
            raise ValueError("The Teacher's curriculum does not fit this version; give another --checkpoint.")
        self.runner.warm_up()
        self.runner.logger.open(0)

    def iteration(self) -> tuple[float, float]:
        """Control steps per s of all processes, in training and of the environment alone."""
        self.env.actions, before = (), self.env.state_dict()
        trained = timed(lambda: self.runner.learn(1))
        actions, after = self.env.actions, self.env.state_dict()
        self.env.load_state_dict(before)
        stepped = timed(lambda: replay(self.env, actions))
        self.env.load_state_dict(after)
        samples = len(actions) * self.env.num_envs
        return rate(trained, samples), rate(stepped, samples)


def main(arguments: Arguments) -> None:
    """Measure and report."""
    with ranks("training", arguments.processes, arguments.threads) as reports, tempfile.TemporaryDirectory() as place:
        teacher, preset = (
            read_policy(arguments.checkpoint, TEACHER),
            replace(PRESETS["laptop"], num_envs=arguments.num_envs),
        )
        task, refinement = sized(TASKS["anymal_rough"], preset, arguments.threads), preset.refinement
        stages = {
            "walk": (going_on(task, teacher), preset.agent),
            "refinement": (refined_env(task, teacher, refinement), refinement.refined(preset.agent)),
        }
        rates: Rates = {}
        for name, (env, agent) in stages.items():
            rates |= measure(name, Stage(env, agent, teacher, Path(place)), arguments.iterations)
        if reports:
            ratios = {
                f"{name}, training to env.step": ratio(rates, f"{name}, training", f"{name}, env.step")
                for name in stages
            }
            report("training", ratios, medians(rates), arguments.json)


def measure(name: str, stage: Stage, iterations: int) -> Rates:
    """Control steps per s of a stage, by iteration, of which the first is not counted."""
    stage.iteration()
    trained, stepped = zip(*(stage.iteration() for _ in range(iterations)), strict=True)
    stage.runner.logger.close()
    return {f"{name}, training": list(trained), f"{name}, env.step": list(stepped)}


if __name__ == "__main__":
    sys.exit(run("training", Arguments, main, __doc__))
