"""A reader of server-sent events, which reads the wire as it is."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass(frozen=True)
class Told:
    """One event."""

    id: str
    event: str
    data: dict[str, Any]


@dataclass
class Reader:
    """What a stream has told so far, and its comments."""

    response: httpx.Response
    told: list[Told] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        """Read to the stream's end."""
        fields: dict[str, str] = {}
        async for line in self.response.aiter_lines():
            if line.startswith(":"):
                self.comments.append(line[1:].strip())
            elif line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                self.told.append(Told(fields["id"], fields["event"], json.loads(fields["data"])))
                fields = {}
            self.changed.set()
        self.ended.set()

    async def events(self, count: int, within: float = 20.0) -> list[Told]:
        """The first so many events, when they are here."""
        async with asyncio.timeout(within):
            while len(self.told) < count:
                self.changed.clear()
                await self.changed.wait()
        return self.told[:count]

    async def end(self, within: float = 20.0) -> list[Told]:
        """All events, when the stream has ended as it should."""
        await asyncio.wait_for(self.ended.wait(), within)
        return self.told


async def eventually(condition: Callable[[], bool], within: float = 20.0) -> None:
    """Wait until this is so."""
    last = time.monotonic() + within
    while not condition():
        assert time.monotonic() < last, "it did not become so in time"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def reading(
    client: httpx.AsyncClient, checkout_id: str, *, after: str | None = None, **options: Any
) -> AsyncIterator[Reader]:
    """Follow a checkout for as long as this goes on."""
    headers: Mapping[str, str] = {} if after is None else {"Last-Event-ID": after}
    headers |= options.pop("headers", {})
    async with client.stream("GET", f"/v1/checkouts/{checkout_id}/stream", headers=headers, params=options) as response:
        assert response.status_code == 200, await response.aread()
        reader = Reader(response)
        task = asyncio.create_task(reader.read())
        try:
            yield reader
        finally:
            task.cancel()
            await asyncio.wait((task,))
