"""What an own task adds beside the project's terms: its file marks functions, its configuration names them.

    @own.reward
    def hop(s: State) -> Tensor: ...

    HOP = EnvConfig(own=OwnTerms(rewards={"hop": 0.5}))

docs/howto.md shows each kind. Names stand in configurations, so that records can keep them; functions stay in the file.
A reward or termination of the name of one of the project's takes its place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from torch import Tensor

from anymal_policy.layout import GROUPS, MEASURED, SIMULATED, Term
from envs.state import State

if TYPE_CHECKING:
    from envs.anymal import AnymalEnv

OfState = Callable[[State], Tensor]
"""Maps the state of n robots to (n,) or, for an observation, (n, size)."""
OnRobots = Callable[["AnymalEnv", Tensor], None]
"""Changes the robots of these numbers."""
Moment = Literal["reset", "step"]
"""When an event happens: to the robots that start an episode, or to all before every policy step."""
Function = TypeVar("Function", bound=Callable[..., Any])


class OwnTermError(ValueError):
    """An own function gives what no term is; the message is one sentence for the user."""


@dataclass(frozen=True)
class OwnTerms:
    """Terms that an own task adds (docs/howto.md), by the names of their functions."""

    rewards: dict[str, float] = field(default_factory=dict)
    """Weight of each own reward, 1/s."""
    terminations: tuple[str, ...] = ()
    """Own terminations, which end an episode as a fall does."""
    observations: tuple[str, ...] = ()
    """Own observations, behind the paper's."""
    events: tuple[str, ...] = ()
    """Own events."""


@dataclass(frozen=True)
class Observation:
    """An own observation: what it is, and what gives it."""

    term: Term
    """Its source says whether it joins proprioception or the privileged state."""
    function: OfState
    """(n, size) of the state, true or as it is perceived."""


@dataclass(frozen=True)
class Event:
    """An own event: what it does, and when."""

    moment: Moment
    """At a robot's reset, or before each policy step of all."""
    function: OnRobots
    """What is called with the environment and the indices (m,) of the robots."""


REWARDS: dict[str, OfState] = {}
TERMINATIONS: dict[str, OfState] = {}
OBSERVATIONS: dict[str, Observation] = {}
EVENTS: dict[str, Event] = {}
TABLES: Mapping[str, dict[str, Any]] = {
    "rewards": REWARDS,
    "terminations": TERMINATIONS,
    "observations": OBSERVATIONS,
    "events": EVENTS,
}
"""Setting of `OwnTerms` -> name -> what the task files that were run have marked."""


def reward(function: OfState) -> OfState:
    """Mark a function as a reward: (n,), times its weight and the policy step."""
    REWARDS[function.__name__] = given("reward", function)
    return function


def termination(function: OfState) -> OfState:
    """Mark a function as a termination: (n,) bool, whose episodes end as by a fall."""
    TERMINATIONS[function.__name__] = given("termination", function)
    return function


def observation(
    size: int, unit: str, meaning: str, frame: str = "-", measured: bool = True, mirror: tuple[int, ...] = ()
) -> Callable[[OfState], OfState]:
    """Mark a function as an observation of `size` entries.

    What is `measured` on a robot joins proprioception, and is an input of the exported network; what is not joins the
    privileged state, which a Student only estimates. `mirror` is for training with mirror images: for each entry of the
    image the entry it shows, from 1 on, negative with the other sign; (2, 1, 4, 3) for four legs, (1, -2, 3) for x y z.
    """
    source = MEASURED if measured else SIMULATED

    def mark(function: OfState) -> OfState:
        if any(function.__name__ == each.name for terms in GROUPS.values() for each in terms):
            raise ValueError(f"The observations have a '{function.__name__}' already: give yours another name.")
        term = Term(function.__name__, size, unit, frame, meaning, source, mirror)
        OBSERVATIONS[term.name] = Observation(term, function)
        return function

    return mark


def event(moment: Moment) -> Callable[[OnRobots], OnRobots]:
    """Mark a function as an event of this moment; what is random in it is drawn with `env.generator`."""

    def mark(function: OnRobots) -> OnRobots:
        EVENTS[function.__name__] = Event(moment, function)
        return function

    return mark


def named(kind: str, names: Iterable[str]) -> dict[str, Any]:
    """What was marked with these names, of a kind of term as `OwnTerms` calls it; a ValueError for what was not."""
    table = TABLES[kind]
    for name in names:
        if name not in table:
            marked = f" (marked: {', '.join(table)})" if table else ""
            raise ValueError(
                f"The own {kind.removesuffix('s')} '{name}' is not known here{marked}: name the file that adds it with "
                "--task FILE.py:NAME."
            )
    return {name: table[name] for name in names}


def require(own: OwnTerms) -> None:
    """Raise a ValueError for a name that no task file has marked."""
    for kind in TABLES:
        named(kind, getattr(own, kind))


def require_shapes(own: OwnTerms, s: State) -> None:
    """Raise an OwnTermError for a reward or termination that gives another shape than one value for each robot."""
    for kind in ("rewards", "terminations"):
        for function in named(kind, getattr(own, kind)).values():
            function(s)


def terms_of(own: OwnTerms) -> tuple[Term, ...]:
    """The terms of own observations, in their order."""
    return tuple(each.term for each in named("observations", own.observations).values())


def given(kind: str, function: OfState) -> OfState:
    """The function, held to one value for each robot; an OwnTermError for another shape."""

    @wraps(function)
    def checked(s: State) -> Tensor:
        value, shape = function(s), (len(s.joint_position),)
        if value.shape != shape:
            raise OwnTermError(f"The own {kind} '{function.__name__}' gave {tuple(value.shape)}, not {shape}.")
        return value

    return checked


def observed(observations: Iterable[Observation], group: tuple[Term, ...], s: State) -> dict[str, Tensor]:
    """Own terms (n, size) of an observation group; an OwnTermError for a function that gives another shape."""
    values = {}
    for each in observations:
        if each.term in group:
            value, shape = each.function(s), (len(s.joint_position), each.term.size)
            if value.shape != shape:
                raise OwnTermError(f"The own observation '{each.term.name}' gave {tuple(value.shape)}, not {shape}.")
            values[each.term.name] = value.float()
    return values
