"""Follows one checkout by its stream of server-sent events, instead of asking again and again how it stands."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import httpx

from devstack.demo.people import Json

_AGAIN_SECONDS = 0.5
"""A stream that breaks, or cannot be had at the moment, is asked for again."""


class Follower:
    """Reads the stream of one checkout until it is closed; `told` gets every row of its timeline once, in order."""

    def __init__(self, client: httpx.AsyncClient, checkout_id: str, told: Callable[[Json], None]) -> None:
        self._client, self._path, self._told = client, f"/v1/checkouts/{checkout_id}/stream", told
        self._last_seen: str | None = None
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._follow())

    async def news(self, seconds: float) -> None:
        """Return when there is a row that nobody has waited for yet, or after that time."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        self._news.clear()

    async def close(self) -> None:
        """Read no more."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            with suppress(httpx.HTTPError):
                await self._read()
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _read(self) -> None:
        """Read until the stream ends; it goes on where the one before broke off."""
        headers = {} if self._last_seen is None else {"Last-Event-ID": self._last_seen}
        async with self._client.stream("GET", self._path, headers=headers) as answer:
            if answer.status_code != httpx.codes.OK:
                return
            async for id_, row in events_of(answer.aiter_lines()):
                self._last_seen = id_
                self._told(row)
                self._news.set()


async def events_of(lines: AsyncIterator[str]) -> AsyncIterator[tuple[str | None, Json]]:
    """Each event's id and data; comments, which only show that the other side lives, are passed over."""
    id_, data = None, ""
    async for line in lines:
        name, _, value = line.partition(":")
        if name == "id":
            id_ = value.removeprefix(" ")
        elif name == "data":
            data += value.removeprefix(" ")
        elif not line and data:
            yield id_, json.loads(data)
            data = ""
