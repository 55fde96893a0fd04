"""The server behind the page: who may talk to it, and about what."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from pages import camera, hello, say, shown, talk, wait_until
from viser import __version__
from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.typing import Origin, Subprotocol
from websockets.uri import parse_uri

from viewer.page import Page
from viewer.panels.drive import NO_LINE
from viewer.saved import LARGEST, NOT_OURS, write
from viewer.server import UNWANTED, address, arrives, comes_from_here, open_server, require_free


@pytest.fixture(scope="module")
def screen() -> Iterator[Page]:
    with shown("flat") as screen:
        yield screen


def test_only_this_computer_is_listened_to_unless_another_address_is_named() -> None:
    server = open_server(port=0)
    assert address(server).startswith("http://127.0.0.1:")
    server.stop()


def test_a_port_in_use_is_said_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"127.0.0.1:{port} .*--port"):
            open_server(port=port)
    require_free("127.0.0.1", port)
    with pytest.raises(ValueError, match="number"):
        require_free("127.0.0.1", 70000)


def has_ipv6() -> bool:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_page_may_listen_at_an_address_of_ipv6() -> None:
    server = open_server("::1", 0)
    try:
        assert address(server) == f"http://[::1]:{server.get_port()}"
        with pytest.raises(ValueError, match=r"cannot listen at \[::1\]:"):
            require_free("::1", server.get_port())
    finally:
        server.stop()


@pytest.mark.parametrize(("origin", "host"), [("evil.example", "127.0.0.1"), ("evil.example", "evil.example")])
def test_pages_of_other_sites_are_turned_away_also_if_their_name_leads_here(
    screen: Page, origin: str, host: str
) -> None:
    port = screen.server.get_port()
    with talk(screen, f"http://{origin}:{port}", host) as stranger, pytest.raises(ConnectionClosed):
        while True:
            stranger.recv(timeout=60)
    with talk(screen, address(screen.server)) as friend:
        assert friend.recv(timeout=60)


def at_once(page: Page, origin: str, *messages: dict[str, object]) -> bytes:
    """What a page answers to a handshake of this origin with which messages come along, until it turns them away."""
    port = page.server.get_port()
    opening = ClientProtocol(
        parse_uri(f"ws://127.0.0.1:{port}"), origin=Origin(origin), subprotocols=[Subprotocol(f"viser-v{__version__}")]
    )
    opening.send_request(opening.connect())
    frames = [Frame(Opcode.BINARY, msgspec.msgpack.encode(message)).serialize(mask=True) for message in messages]
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"".join([*opening.data_to_send(), *frames]))
        while b"another site" not in answer and (more := connection.recv(2**16)):
            answer += more
    return answer


def test_nothing_is_heard_of_what_a_page_of_another_site_sends_with_its_handshake(screen: Page) -> None:
    forward, lateral = (screen.drive.sliders[axis]._impl.uuid for axis in ("forward", "lateral"))

    def want(uuid: str) -> dict[str, object]:
        return {"type": "GuiUpdateMessage", "uuid": uuid, "updates": {"value": 0.4}}

    assert b"another site" in at_once(screen, "http://evil.example", camera(), want(forward))
    with talk(screen, address(screen.server)) as friend:
        hello(screen, friend)
        say(friend, want(lateral))
        wait_until("a page of this site is heard", lambda: screen.session.wish.lateral == 0.4)
    assert screen.session.wish.forward == 0.0
    screen.session.wish.stop()


def test_origin_is_compared_with_the_host_that_was_asked() -> None:
    assert heard(None)
    assert heard("http://127.0.0.1:8080")
    assert not heard("http://127.0.0.1:80")
    assert not heard("null")


def test_the_name_of_another_site_that_leads_to_this_computer_is_not_this_computer() -> None:
    for name in ("evil.example:8080", "evil.example", "localhost.evil.example:8080", "127.0.0.1.evil.example", ""):
        assert not heard(f"http://{name}", name)
    for name in ("localhost:8080", "localhost:9000", "127.0.0.1", "[::1]:8080"):
        assert heard(f"http://{name}", name)
    assert heard("http://lab.example:8080", "lab.example:8080", bound="0.0.0.0")


def heard(origin: str | None, host: str = "127.0.0.1:8080", bound: str = "127.0.0.1") -> bool:
    return comes_from_here({"Host": host} | ({} if origin is None else {"Origin": origin}), bound)


def test_nobody_is_asked_to_publish_the_page_or_to_take_files() -> None:
    server = open_server(port=0)
    handlers = server._websock_server._incoming_handlers
    assert not [message for message in UNWANTED if handlers.get(message)]
    server.stop()


def sent(control: Any, content: bytes, meant: Any = None, size: int | None = None) -> tuple[dict[str, object], ...]:
    """What a browser says to send a file to a control, and to say afterwards that it was `meant` for another."""
    about: dict[str, object] = {"transfer_uuid": "mine", "source_component_uuid": control._impl.uuid}
    start = {"type": "FileTransferStartUpload", "filename": "../../secret.pt", "mime_type": "", "part_count": 1}
    part = {"type": "FileTransferPart", "part_index": 0, "content": content}
    if meant is not None:
        part["source_component_uuid"] = meant._impl.uuid
    return {**about, **start, "size_bytes": len(content) if size is None else size}, {**about, **part}


def test_a_state_goes_to_the_page_and_comes_back(screen: Page) -> None:
    screen.session.wish.set("forward", 0.3)
    state = write(screen.session.save())
    screen.session.wish.stop()
    with talk(screen) as page:
        hello(screen, page)
        say(page, *sent(screen.state.file, state))
        wait_until("the state is taken", lambda: screen.session.wish.forward == 0.3)
    screen.session.wish.stop()


def test_a_file_reaches_its_button_alone_and_what_is_no_state_is_said_in_one_sentence(
    screen: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(screen.wishes, "refuse", said.append)
    forward, button = screen.drive.sliders["forward"], screen.state.file
    before = forward.value
    with talk(screen) as page:
        hello(screen, page)
        say(page, *sent(forward, b"1"), *sent(button, b"1", meant=forward))
        say(page, *sent(button, b"{}"))
        wait_until("nonsense is refused", lambda: said == [NOT_OURS])
        say(page, *sent(button, b"{}", size=LARGEST + 1))
        wait_until("a large file is refused", lambda: said == [NOT_OURS, NOT_OURS])
    assert forward.value == before


def test_a_page_chooses_from_the_lists_and_changes_values_alone(screen: Page) -> None:
    policy, forward = screen.policy.policy._impl, screen.drive.sliders["forward"]._impl
    with talk(screen) as page:
        hello(screen, page)
        say(page, {"type": "GuiUpdateMessage", "uuid": policy.uuid, "updates": {"value": "../secret.pt"}})
        say(page, {"type": "GuiUpdateMessage", "uuid": policy.uuid, "updates": {"update_cb": []}})
        say(page, {"type": "GuiUpdateMessage", "uuid": forward.uuid, "updates": {"value": 1e300}})
        wait_until("the slider is heard", lambda: screen.session.wish.forward > 0)
    assert screen.session.focused.agent.name == "zero"
    assert policy.update_cb
    assert screen.session.wish.forward == 1.6
    screen.session.wish.stop()


def test_a_malformed_click_ends_no_page(screen: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(screen.wishes, "refuse", said.append)
    click = {"type": "ScenePointerMessage", "event_type": "click", "screen_pos": [[0.0, 0.0]], "modifier": "shift"}
    with talk(screen) as page:
        hello(screen, page)
        for origin in ("here", [0.0, 0.0], [0.0, 0.0, float("nan")]):
            say(page, {**click, "ray_origin": origin, "ray_direction": [0.0, 0.0, -1.0]})
        wait_until("all clicks are refused", lambda: said == [NO_LINE] * 3)
    assert screen.session.wish.goal_w is None


def test_it_is_known_whether_a_browser_has_taken_a_file(screen: Page) -> None:
    with talk(screen) as page:
        hello(screen, page)
        (client,) = screen.server.get_clients().values()
        client.send_file_download("anymal.mp4", bytes(32 * 2**20))
        assert not arrives(screen.server, client, 0.0)
        reader = threading.Thread(target=lambda: [None for _ in page])
        reader.start()
        assert arrives(screen.server, client, 60.0)
    reader.join()
    wait_until("the browser has gone", lambda: not screen.server.get_clients())
    assert not arrives(screen.server, client, 60.0)


def test_requests_outside_the_page_find_nothing(screen: Page) -> None:
    host, port = "127.0.0.1", screen.server.get_port()

    async def ask(path: str) -> bytes:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        answer = await reader.read(300)
        writer.close()
        return answer

    for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/pyproject.toml", "/..%5c..%5csecret", "/nothing"):
        assert b" 404 " in asyncio.run(ask(path)).splitlines()[0]
