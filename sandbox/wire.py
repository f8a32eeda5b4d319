"""What only the connection itself can do: never answer, cut it, or answer drop by drop."""

import asyncio
import socket
import struct

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_TRANSPORT = "sandbox.transport"
_LINGER_ZERO = struct.pack("ii", 1, 0)


class WireProtocol(HttpToolsProtocol):
    """uvicorn's protocol that also hands its transport to the application, which may then cut the connection."""

    def on_message_begin(self) -> None:
        """Start a request as uvicorn does, and remember whose connection it came on."""
        super().on_message_begin()
        self.scope["state"][_TRANSPORT] = self.transport


class Hanging:
    """Requests that are never answered, so that a stopping server can let go of them."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Transport] = set()
        self._stopping = False

    async def hang(self, scope: Scope, receive: Receive) -> None:
        """Say nothing until the client has gone or the server stops."""
        transport: asyncio.Transport = scope["state"][_TRANSPORT]
        if self._stopping:
            transport.abort()
        self._waiting.add(transport)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self._waiting.discard(transport)

    def stop(self) -> None:
        """Cut every connection that waits for an answer it will not get."""
        self._stopping = True
        for transport in tuple(self._waiting):
            transport.abort()


async def reset(scope: Scope, receive: Receive) -> None:
    """Cut the connection with a TCP reset: no status line, no closing handshake."""
    transport: asyncio.Transport = scope["state"][_TRANSPORT]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def drip(send: Send, body: bytes, seconds: float) -> None:
    """Send a body byte by byte over about `seconds`; the response must have been started."""
    pause = seconds / max(len(body), 1)
    # Below a hundredth of a second the event loop's own overhead dominates, so several bytes share a pause.
    step = max(1, int(0.01 / pause)) if pause > 0 else len(body)
    for at in range(0, len(body), step):
        await send({"type": "http.response.body", "body": body[at : at + step], "more_body": True})
        await asyncio.sleep(pause * step)
    await send({"type": "http.response.body", "body": b""})
