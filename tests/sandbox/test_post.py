"""The small HTTP client that carries webhooks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from sandbox.post import Poster, PostError

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def poster() -> AsyncIterator[Poster]:
    """A client with little patience."""
    client = Poster(1.0)
    yield client
    client.close()


async def _server(serve: Serve) -> tuple[asyncio.Server, str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook?a=b"


def _answering(answer: bytes, seen: list[bytes]) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                seen.append(head + await reader.readexactly(2))
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return serve


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
    ],
)
async def test_answers_of_every_framing(poster: Poster, answer: bytes) -> None:
    """Sized, chunked and closing answers give their status, and the next request works as well."""
    seen: list[bytes] = []
    server, url = await _server(_answering(answer, seen))
    for _ in range(2):
        assert await poster.post(url, {"X-Name": "value"}, b"{}") == 202
    assert len(seen) == 2
    assert seen[0].startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert b"X-Name: value\r\n" in seen[0]
    assert seen[0].endswith(b"\r\n\r\n{}")
    server.close()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n\r\n"])
async def test_no_answer(poster: Poster, answer: bytes) -> None:
    """Silence ends with the patience, something that is not HTTP at once; both are errors."""
    server, url = await _server(_answering(answer, []))
    with pytest.raises(PostError):
        await poster.post(url, {}, b"{}")
    server.close()


async def test_cut_and_refused(poster: Poster) -> None:
    """A connection that is cut without an answer, and one that is refused, are errors."""

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()

    server, url = await _server(cut)
    with pytest.raises(PostError, match=r"cut|closed"):
        await poster.post(url, {}, b"{}")
    server.close()
    await server.wait_closed()
    with pytest.raises(PostError, match="no connection"):
        await poster.post(url, {}, b"{}")
    with pytest.raises(PostError):
        await poster.post("http://127.0.0.1:99999/", {}, b"{}")
