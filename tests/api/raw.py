"""HTTP by hand, for what no client would send."""

import asyncio
from contextlib import suppress
from urllib.parse import urlsplit


async def answer_to(url: str, head: bytes, chunk: bytes = b"", repeat: int = 0) -> bytes:
    """All the server says to these bytes until it closes; what it no longer wants to hear is not sent."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    # Read while writing: a server that closes early resets the connection, which could discard an unread answer.
    answer = asyncio.create_task(_all_of(reader))
    try:
        writer.write(head)
        with suppress(ConnectionError):
            for _ in range(repeat):
                writer.write(chunk)
                await writer.drain()
        return await asyncio.wait_for(answer, 20)
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def _all_of(reader: asyncio.StreamReader) -> bytes:
    answer = b""
    with suppress(ConnectionError):
        while part := await reader.read(65_536):
            answer += part
    return answer
