"""What every experiment of the suite is made of, and what it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from evaluation.agents import Agent
from evaluation.conditions import WALK, Command, Crowd
from evaluation.experiments.parts import Parts
from evaluation.noise import levels_for
from evaluation.protocol import settings
from evaluation.reconstruction import student_in
from system import console

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """Whom the experiments are made with, and how large they are."""

    agents: Sequence[Agent]
    """Policies and baseline agents."""
    teacher: Agent | None = None
    """Teacher that Students are compared with."""
    runs: tuple[Path, ...] = ()
    """Directories of Students' training runs."""
    episodes: int | None = None
    """Episodes of each policy under each condition; None for each experiment's own number."""
    drive_network: Path | None = None
    """File of an actuator network."""
    robot_urdf: Path | None = None
    """File of the robot, as its maker has it."""
    map_cells: int = 9
    """Cells along each side of a success map."""
    conditions: tuple[str, ...] = ()
    """Names of the conditions of the map that policies meet; none for all."""
    grounds: tuple[str, ...] = ()
    """Names of the grounds on which they meet them; none for all."""
    seed: int = 0
    """Seed of terrain, start states, randomisation and pushes."""
    threads: int = 2
    """Threads of the physics."""
    parts: Parts = field(default_factory=Parts)
    """Rows that an interruption has left."""

    def pairs(self, noises: tuple[str, ...]) -> Iterator[tuple[Agent, str | None]]:
        """Every agent under every level of noise that makes sense for it."""
        return ((agent, noise) for agent in self.agents for noise in levels_for(agent, noises))

    def crowd(self, episodes: int, command: Command = WALK) -> Crowd:
        """Robots for as many episodes as were asked for, else for an experiment's own number."""
        return Crowd(self.episodes or episodes, self.seed, threads=self.threads, command=command)

    def settings(self, noises: tuple[str, ...], episodes: int, **own: Any) -> dict[str, Any]:
        """Everything that the results of an experiment with these noises depend on."""
        return settings(self.agents, noises, self.crowd(episodes)) | own


def nothing_lacks(request: Request) -> str | None:
    """For experiments that everybody can take part in."""
    return None


def no_students(request: Request) -> str | None:
    """For experiments that are about Students alone."""
    return None if any(student_in(agent) for agent in request.agents) else "name a Student with --checkpoint"


@dataclass(frozen=True)
class Experiment:
    """One experiment: what it depends on, how it is made and how its results are shown."""

    name: str
    """Of its files, and in --suite."""
    settings: Callable[[Request], dict[str, Any]]
    """Everything that the results depend on, versions included."""
    run: Callable[[Request], list[dict[str, Any]]]
    """The results, a row for each policy under each condition."""
    markdown: Callable[[Sequence[Row]], str]
    """Tables of the results."""
    draw: Callable[[Sequence[Row]], Figure]
    """Plot of the results with their intervals."""
    lacks: Callable[[Request], str | None] = nothing_lacks
    """What to do so that the experiment can be made; None if it can."""


def say(experiment: str, row: Row, *words: str) -> None:
    """One line on stderr: the experiment, whom it was made with, and what came of it."""
    noise = [f"noise {row['noise']}"] if row.get("noise") else []
    console.say(f"{experiment}: {', '.join([row['checkpoint'], *noise, *words])}")
