"""An HTTP client that costs little: the load must not eat the cores that it measures."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import urlsplit

import httptools

_ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: bytes


class _Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        self.alive = True
        self._waiting: asyncio.Future[Answer] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are of no class of asyncio's.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, part: bytes) -> None:
        """The parser found a part of the body."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """The parser found the answer's end."""
        answer = Answer(self._parser.get_status_code(), b"".join(self._body))
        self.alive = self.alive and self._parser.should_keep_alive()
        waiting, self._waiting = self._waiting, None
        self._begin()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.alive = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(exc or ConnectionError("the server closed the connection"))

    async def send(self, request: bytes) -> Answer:
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        async with asyncio.timeout(_ANSWER_SECONDS):
            return await self._waiting


class Http:
    """Connections to one server, kept open and used again."""

    def __init__(self, origin: str, headers: Mapping[str, str] | None = None) -> None:
        place = urlsplit(origin)
        assert place.hostname is not None
        self._host, self._port = place.hostname, place.port or 80
        fixed = {"Host": place.netloc} | dict(headers or {})
        self._head = _lines(fixed)
        self._idle: list[_Connection] = []

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Send one request. Raises OSError, TimeoutError."""
        head = f"POST {path} HTTP/1.1\r\n{self._head}{_lines(headers)}Content-Length: {len(body)}\r\n\r\n"
        return await self._exchange(head.encode("ascii") + body)

    async def get(self, path: str) -> Answer:
        """Send one request. Raises OSError, TimeoutError."""
        return await self._exchange(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode("ascii"))

    def close(self) -> None:
        """Close what is open."""
        while self._idle:
            self._idle.pop().transport.close()

    async def _exchange(self, request: bytes) -> Answer:
        connection = await self._connection()
        try:
            answer = await connection.send(request)
        except BaseException:
            connection.transport.close()
            raise
        if connection.alive:
            self._idle.append(connection)
        else:
            connection.transport.close()
        return answer

    async def _connection(self) -> _Connection:
        while self._idle:
            connection = self._idle.pop()
            if connection.alive:
                return connection
        _, made = await asyncio.get_running_loop().create_connection(_Connection, self._host, self._port)
        return made


def _lines(headers: Mapping[str, str]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
