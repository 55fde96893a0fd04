"""The state of a page as a file: it comes back as it was, and nothing else is taken for one."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from envs.terrains import parameters
from evaluation.agents import load_agent
from viewer.driving import Wish
from viewer.saved import LARGEST, NOT_OURS, SIZES, Saved, read, write
from viewer.session import Session
from viewer.world import World

WORLD = World("rough", parameters("rough", 0.3), noise="large", friction=0.4, payload=3.0, seed=5)
STANDING = SIZES._replace(position=(0.0, 0.0, 0.5, 1.0, *(0.0,) * 15))
SAVED = Saved(WORLD, (0.3, 0.0, -0.5), (STANDING,))


def walking(world: World, count: int = 1) -> Session:
    return Session([load_agent("zero") for _ in range(count)], world, Wish(forward=0.3), {})


def advance(session: Session, steps: int) -> list[np.ndarray]:
    for _ in range(steps):
        session.step()
    return [walker.env.simulation.qpos.copy() for walker in session.walkers]


def test_a_state_comes_back_on_any_page_bit_exactly() -> None:
    session = walking(WORLD, 2)
    there = advance(session, 30)
    saved = read(write(session.save()))
    others = session, walking(World("flat"), 2)
    for other in others:
        other.wish.stop()
        other.restore(saved)
        assert (other.world, other.wish.forward) == (replace(WORLD, parameters=other.ground.parameters), 0.3)
        for walker, qpos in zip(other.walkers, there, strict=True):
            np.testing.assert_array_equal(walker.env.simulation.qpos, qpos)
            assert walker.env.simulation.friction[0, walker.env.simulation.feet, 0] == pytest.approx([0.4] * 4)
    assert session.focused.env.state.phase.equal(others[1].focused.env.state.phase)
    for one, other in zip(*(advance(other, 10) for other in others), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_written_is_read() -> None:
    as_in_the_task = replace(SAVED, world=replace(WORLD, friction=None, payload=None))
    assert (read(write(SAVED)), read(write(as_in_the_task))) == (SAVED, as_in_the_task)
    assert len(write(replace(SAVED, poses=(STANDING._replace(velocity=(-math.pi,) * 18),) * 6))) < LARGEST


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\xff\xfe", b"[" * 9999, b"null", b"[]", b"{}", b"1" * 5000])
def test_what_is_no_state_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=NOT_OURS):
        read(content)


def world(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said["world"].update(changes)


def robot(**changes: Any) -> Callable[[dict[str, Any]], None]:
    return lambda said: said["robots"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(version=2),
        lambda said: said.update(policy="/etc/passwd"),
        lambda said: said.pop("command"),
        lambda said: said.update(command=[0.1, 0.0]),
        lambda said: said.update(command="fast"),
        lambda said: said.update(robots={}),
        world(terrain=3),
        world(terrain="\ud800"),
        world(noise="\ud800"),
        world(seed=-1),
        world(seed=0.5),
        world(seed=True),
        world(friction="ice"),
        world(friction=[0.4]),
        world(payload=math.inf),
        world(parameters={"seed": 1.0}),
        world(parameters=[1.0]),
        robot(position=[0.0] * 19),
        robot(position=[0.0, 0.0, 0.5, 1.0]),
        robot(velocity=[1e9] + [0.0] * 17),
        robot(velocity=[math.nan] + [0.0] * 17),
        robot(velocity=[True] + [0.0] * 17),
        robot(phase=[10**400, 0, 0, 0]),
    ],
)
def test_a_state_that_was_changed_to_nonsense_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    said = json.loads(write(SAVED))
    change(said)
    with pytest.raises(ValueError, match=NOT_OURS):
        read(json.dumps(said).encode())


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    session = walking(World("flat"))
    before, robots = session.world, session.focused.env
    far = STANDING._replace(position=(60.0, *STANDING.position[1:]))
    for saved, reason in (
        (replace(SAVED, poses=(STANDING, STANDING)), "2 robots"),
        (replace(SAVED, poses=(far,)), "not on its ground"),
        (replace(SAVED, world=World("../secret.npy")), "no terrain"),
        (replace(SAVED, world=World("nowhere", {"size": 1.0, "difficulty": 2.0})), "no terrain"),
        (replace(SAVED, world=replace(WORLD, parameters={**WORLD.parameters, "amplitude": 9.0})), "amplitude"),
    ):
        with pytest.raises(ValueError, match=reason):
            session.restore(saved)
    assert session.world is before
    assert session.focused.env is robots
    assert session.wish.forward == 0.3


def test_a_heightmap_that_is_walked_backwards_comes_back() -> None:
    ground = World("map.npy", {"start_x": 50.0, "start_y": 3.0, "heading": -270.0})
    assert read(write(replace(SAVED, world=ground))).world == ground
