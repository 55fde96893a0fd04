"""Pages without a browser, and programs that talk to them as one does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
from viser import __version__
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from evaluation.agents import Agent, load_agent
from viewer.driving import Wish
from viewer.page import Page
from viewer.policies import Follower, Load
from viewer.server import open_server
from viewer.session import Session
from viewer.world import World

SLOW = 180.0
"""s that a machine with much to do may take for anything."""
BROKEN: list[Exception] = []
"""What has ended the loop of a page that is shown."""


@contextmanager
def opened(
    *agents: Agent, terrain: str | World = "flat", follower: Follower | None = None, load: Load = load_agent
) -> Iterator[Page]:
    """A page with these robots, or one with the gait alone, which walk when the test says so."""
    agents = agents or (load_agent("zero"),)
    world = World(terrain) if isinstance(terrain, str) else terrain
    session = Session(agents, world, Wish(), {})
    page = Page(open_server(port=0), session, tuple(dict.fromkeys(agent.name for agent in agents)), follower, load)
    try:
        yield page
    finally:
        page.close()


@contextmanager
def shown(terrain: str = "flat") -> Iterator[Page]:
    """A page with the gait alone, walking on a thread of its own: few pictures, plainly lit, for software."""
    with opened(terrain=terrain) as page:
        page.every |= {page.show_picture: 0.5, page.show_numbers: 1.0}
        page.server.scene.configure_default_lights(cast_shadow=False)
        page.server.scene.configure_environment_map(hdri=None)
        over = threading.Event()

        def walk() -> None:
            try:
                while not over.is_set():
                    page.advance()
            except Exception as error:
                BROKEN.append(error)

        thread = threading.Thread(target=walk)
        thread.start()
        try:
            yield page
            require_walking()
        finally:
            over.set()
            thread.join()
            BROKEN.clear()


def require_walking() -> None:
    """Fail if the loop of a page has ended, and say by what."""
    if BROKEN:
        raise AssertionError(f"The page's loop has ended: {BROKEN[0]!r}") from BROKEN[0]


def wait_until(what: str, true: Callable[[], object]) -> None:
    """Return when it is true; a test fails if that never happens, and says what it has waited for."""
    until = time.monotonic() + SLOW
    while not true():
        require_walking()
        assert time.monotonic() < until, f"Not within {SLOW:g} s: {what}."
        time.sleep(0.05)


def talk(page: Page, origin: str | None = None, host: str = "127.0.0.1") -> ClientConnection:
    """A program that talks to the page as a browser does that has found this computer under the name `host`."""
    port, protocol = page.server.get_port(), Subprotocol(f"viser-v{__version__}")
    return connect(
        f"ws://{host}:{port}", sock=socket.create_connection(("127.0.0.1", port)), subprotocols=[protocol],
        origin=Origin(origin) if origin else None, max_size=None,
    )  # fmt: skip


def say(connection: ClientConnection, *messages: dict[str, object]) -> None:
    for message in messages:
        connection.send(msgspec.msgpack.encode(message))


def camera() -> dict[str, object]:
    """What a browser says of its camera."""
    nothing, turn = [0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]
    place = {"wxyz": turn, "position": nothing, "look_at": nothing, "up_direction": [0.0, 0.0, 1.0]}
    lens = {"fov": 1.0, "near": 0.1, "far": 10.0, "image_height": 10, "image_width": 10}
    return {"type": "ViewerCameraMessage", **place, **lens}


def hello(page: Page, connection: ClientConnection) -> None:
    """Be known as a browser: viser counts one when it has told where its camera is."""
    before = set(page.server.get_clients())
    say(connection, camera())
    wait_until("the page knows another browser", lambda: set(page.server.get_clients()) - before)
