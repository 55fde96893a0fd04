"""Play on a page: open it, say where it is, and let the robots walk until nobody looks any more."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from envs.config import EnvConfig
from envs.depth import DepthConfig
from envs.terrains import Tile
from envs.terrains.tile import WALLS
from evaluation.agents import DEFAULT, Agent, load_agent
from evaluation.drives import OWN, Drives
from evaluation.noise import SENSED
from evaluation.playing import Walk, ground_line
from system.console import tell
from viewer.driving import AXES, REACH, Wish
from viewer.page import Page
from viewer.policies import Follower
from viewer.server import address, open_server
from viewer.session import Session
from viewer.world import World

MOST = 6
"""Robots side by side on one page."""


@dataclass(frozen=True, kw_only=True)
class Visit:
    """What play is asked to show on a page."""

    agents: Sequence[Agent]
    """One for each robot."""
    ground: Tile
    """Of a family, or a heightmap."""
    terrain: str
    """Name of the family, or file of the heightmap."""
    noise: str
    """Errors of the elevation map."""
    command: tuple[float, float, float]
    """Forward and lateral velocity in m/s, yaw rate in rad/s, to begin with."""
    seed: int
    host: str
    port: int
    seconds: float | None
    """s to walk at most; None: until nobody looks any more."""
    follow: Path | None = None
    """Run whose newest policy the first robot shall have."""
    belief: bool = False
    """Show the height samples from the start."""
    depth: DepthConfig = SENSED
    """Sensors of robots that make their maps by themselves."""
    task: EnvConfig = DEFAULT
    """World of the policies that are chosen there."""
    drives: Drives = OWN
    """Drives in place of those that these were trained with."""


def visit(request: Visit) -> Walk:
    """Show it until nobody looks any more, it has lasted, or Ctrl-C; what the robot in focus did."""
    if len(request.agents) > MOST:
        raise ValueError(f"A page shows at most {MOST} robots side by side, not {len(request.agents)}.")
    world, given = world_of(request)
    session = Session(request.agents, world, wish_of(request.command), given, request.depth)
    names = tuple(dict.fromkeys(agent.name for agent in request.agents))
    server = open_server(request.host, request.port)
    load = partial(load_agent, task=request.task, drives=request.drives)
    follower = None if request.follow is None else Follower(request.follow, 0, load)
    with closing(Page(server, session, names, follower, load)) as page:
        page.stage.shown = dict.fromkeys(page.stage.shown, request.belief)
        tell(f"{', '.join(names)} on {ground_line(request.terrain, request.ground)}")
        print(f"Drive it in a browser: {address(server)} (Ctrl-C, or closing the last page, ends it)", flush=True)
        if has_screen():
            webbrowser.open(address(server))
        page.run(request.seconds)
    return session.focused.walk


def world_of(request: Visit) -> tuple[World, dict[str, Tile]]:
    """The world to begin with, and, by its name, a ground that no family makes: a heightmap, a lane between walls."""
    ground, name = request.ground, request.terrain
    if set(WALLS) <= set(ground.parameters):
        name = f"{name} between walls"
    world = World(name, dict(ground.parameters), request.noise, seed=request.seed)
    return world, {} if name == ground.family else {name: ground}


def wish_of(command: tuple[float, float, float]) -> Wish:
    """To begin with, what the command line says; a ValueError for what cannot be asked for on a page."""
    wish = Wish()
    for axis, value in zip(AXES, command, strict=True):
        if abs(value) > REACH[axis]:
            reach = " ".join(f"{bound:g}" for bound in REACH.values())
            raise ValueError(f"On a page --command reaches to {reach} (m/s, m/s, rad/s), not {value:g}: see --viewer.")
        wish.set(axis, value)
    return wish


def has_screen() -> bool:
    """Whether somebody sits at this computer, so that a browser may be opened."""
    return sys.platform != "linux" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
