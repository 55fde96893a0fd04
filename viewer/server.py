"""viser's server as this project opens it: on this computer alone, quiet, and closed to what no page here needs."""

from __future__ import annotations

import asyncio
import io
import socket
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import viser
from viser import _messages, infra
from websockets.exceptions import ConnectionClosed

HOST, PORT = "127.0.0.1", 8080
"""Where the page is, unless another place is asked for."""
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
"""Names under which a computer knows itself, the last two with and without brackets."""
NAME = "ANYmal"
"""Over the panel."""
KEYS = Path(__file__).with_name("keys.js")
"""What makes the browser's keys drive the robot and not the camera."""
UNWANTED = (
    _messages.ShareUrlRequest, _messages.ShareUrlDisconnect, _messages.FileTransferStartUpload,
    _messages.FileTransferPart,
)  # fmt: skip
"""What a page could ask of viser that this one never does: to publish it on the internet, and to take any file."""


EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}
"""What listens at all addresses of this computer -> one at which it finds itself."""


def open_server(host: str = HOST, port: int = PORT) -> viser.ViserServer:
    """A server at this address, or a ValueError if somebody else listens there; port 0 means any that is free."""
    require_free(host, port)
    with redirect_stdout(io.StringIO()):
        server = viser.ViserServer(host=host, port=port, label=NAME, verbose=False)
    lock_up(server._websock_server, host)
    server.gui.configure_theme(dark_mode=False, show_logo=False, show_share_button=False, control_width="medium")
    server._websock_server.queue_message(_messages.RunJavascriptMessage(KEYS.read_text(encoding="utf-8")))
    return server


def require_free(host: str, port: int) -> None:
    """Raise a ValueError if nobody can listen at this address: viser would take another port."""
    if not 0 <= port < 2**16:
        raise ValueError(f"A port is a number from 0 to {2**16 - 1}, not {port}.")
    try:
        with socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET):
            pass
    except OSError as error:
        raise ValueError(
            f"The page cannot listen at {in_url(host)}:{port} ({error.strerror}): name another with --port."
        ) from error


def lock_up(server: infra.WebsockServer, bound: str) -> None:
    """Take no messages but those that this page needs, and none from pages of other sites; `bound` is its address."""
    for message in UNWANTED:
        server._incoming_handlers.pop(message, None)
    handlers = server._incoming_handlers
    handlers[_messages.GuiUpdateMessage] = [only_values(handle) for handle in handlers[_messages.GuiUpdateMessage]]
    admit_own(server, bound)


def admit_own(server: infra.WebsockServer, bound: str) -> None:
    """Hear those alone whom this server has sent its page; who came before they could be told apart comes again.

    viser answers every handshake. A stranger is judged before anything that it has sent is looked at, and what it
    sends while its connection closes reaches nobody.
    """
    admitted, hear = set[int](), server._handle_incoming_message

    async def judge(client: infra.WebsockClientConnection) -> None:
        connection = server._live_connections[client.client_id]
        if connection.request is not None and comes_from_here(connection.request.headers, bound):
            admitted.add(client.client_id)
            return
        client._handle_incoming_message = ignore
        await connection.close(1008, "This page belongs to another site.")

    async def hear_own(client_id: infra.ClientId, message: infra.Message) -> None:
        if client_id in admitted:
            await hear(client_id, message)

    server._handle_incoming_message = hear_own
    server._client_connect_cb = [*server._client_connect_cb, judge]
    server.disconnect_all_clients()


async def ignore(client_id: infra.ClientId, message: infra.Message) -> None:
    """Do nothing."""


def take_files(
    server: viser.ViserServer, button: viser.GuiUploadButtonHandle, largest: int, refuse: Callable[[], None]
) -> None:
    """Let pages send files of at most so many bytes to this button, and to no other control; `refuse` larger ones."""
    meant = button._impl.uuid

    def start(client: Any, message: _messages.FileTransferStartUpload) -> None:
        if message.source_component_uuid != meant:
            return
        if message.part_count == 1 and message.size_bytes <= largest:
            server.gui._handle_file_transfer_start(client, message)
        else:
            refuse()

    def go_on(client: Any, message: _messages.FileTransferPart) -> None:
        if message.source_component_uuid == meant and len(message.content) <= largest:
            server.gui._handle_file_transfer_part(client, message)

    server._websock_server.register_handler(_messages.FileTransferStartUpload, start)
    server._websock_server.register_handler(_messages.FileTransferPart, go_on)


def arrives(server: viser.ViserServer, client: viser.ClientHandle, seconds: float) -> bool:
    """Whether a browser has taken all that was sent to it by now, which may last so many s."""
    sockets, until = server._websock_server, time.monotonic() + seconds
    state = sockets._client_state_from_id.get(client.client_id)
    connection = sockets._live_connections.get(client.client_id)
    if state is None or connection is None:
        return False
    while state.message_buffer.message_from_id:
        if time.monotonic() > until or client.client_id not in sockets._live_connections:
            return False
        time.sleep(0.05)

    async def answer() -> None:
        await (await connection.ping())  # which comes after all that was sent

    asked = asyncio.run_coroutine_threadsafe(answer(), server.get_event_loop())
    try:
        asked.result(max(0.0, until - time.monotonic()))
    except (TimeoutError, ConnectionClosed):
        asked.cancel()
        return False
    return True


def only_values(handle: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    """A handler that hears of new values of controls alone: viser would set any attribute of theirs."""

    async def heard(client: Any, message: Any) -> None:
        if set(message.updates) == {"value"}:
            await handle(client, message)

    return heard


def comes_from_here(headers: Any, bound: str) -> bool:
    """Whether the page that opens a connection was sent by this server; programs name no origin.

    At `bound`, where this computer alone is heard, it must have been asked for by a name of this computer: the name
    of another site may be made to lead here. A tunnel may bring it from any port.
    """
    origin, host = headers.get("Origin"), headers.get("Host", "")
    return (origin is None or urlsplit(origin).netloc == host) and (is_here(host) or not is_here(bound))


def is_here(host: str) -> bool:
    """Whether a host, with a port or without, is this computer as it names itself."""
    return host.rpartition(":")[0] in LOOPBACK or host in LOOPBACK


def address(server: viser.ViserServer) -> str:
    """Where a browser finds the page."""
    host = server.get_host()
    return f"http://{EVERYWHERE.get(host, in_url(host))}:{server.get_port()}"


def in_url(host: str) -> str:
    """A name or number of a computer as addresses have it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host
