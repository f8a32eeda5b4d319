"""A server on the wire that answers as it is told: for answers that no well-behaved Stripe would give."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

SILENCE = b""
"""Take the request and never answer."""

CUT = b"cut"
"""Take the request and cut the connection."""


@dataclass
class ScriptedServer:
    """Answers request after request with `answers`, the last one for ever, and remembers the requests."""

    answers: list[bytes] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    url: str = ""
    connections: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = field(default_factory=dict)

    def tell(self, *answers: bytes) -> None:
        """What to answer from now on."""
        self.answers[:] = answers
        self.requests.clear()

    def received(self) -> list[tuple[dict[str, str], bytes]]:
        """Each request's headers, their names in lower case, and its raw body."""
        heads_and_bodies = [request.split("\r\n\r\n", 1) for request in self.requests]
        return [
            ({n.lower(): v for n, v in (line.split(": ", 1) for line in head.split("\r\n")[1:])}, body.encode())
            for head, body in heads_and_bodies
        ]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections[asyncio.current_task()] = writer
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).decode():
                length = next(
                    (line.split(":")[1] for line in head.lower().split("\r\n") if "content-length" in line), 0
                )
                self.requests.append(head + (await reader.readexactly(int(length))).decode())
                self.arrived.set()
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                if answer == SILENCE:
                    await reader.read()
                    return
                if answer == CUT:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            del self.connections[asyncio.current_task()]
            writer.close()

    async def hang_up(self) -> None:
        """End every connection; left open they would be cut down, with complaints, when the loop ends."""
        tasks = [task for task in self.connections if task is not None]
        for writer in self.connections.values():
            writer.close()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> bytes:
    """One HTTP answer; `body` as JSON unless it is text."""
    text = body if isinstance(body, str) else json.dumps(body)
    lines = [f"HTTP/1.1 {status} Said", f"Content-Length: {len(text.encode())}", "Request-Id: req_1"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", text]).encode()


def error(status: int, headers: dict[str, str] | None = None, /, **words: Any) -> bytes:
    """Stripe's error object."""
    return answer(status, {"error": {"type": "invalid_request_error", "message": "No.", **words}}, headers)


@asynccontextmanager
async def scripted_server() -> AsyncIterator[ScriptedServer]:
    """A server of its own on a free port."""
    script = ScriptedServer()
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        server.close()
        await script.hang_up()
