"""A server that decides by the request what to answer, where a script of answers in a row would not do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.conftest import NoEvidence, options_for

Handler = Callable[[str], Awaitable[bytes]]
"""The request's head in, the whole answer out."""


@asynccontextmanager
async def served(handle: Handler, timeout_seconds: float = 5) -> AsyncIterator[PayPalGateway]:
    """The adapter in front of such a server."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                lengths = [
                    line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length")
                ]
                await reader.readexactly(int(lengths[0]) if lengths else 0)
                writer.write(await handle(head))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    gateway = PayPalGateway(options_for(base, timeout_seconds=timeout_seconds), NoEvidence())
    try:
        yield gateway
    finally:
        await gateway.close()
        server.close()
