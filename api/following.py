"""Who follows which checkout, and one connection to Postgres that wakes them."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from api.problems import unavailable
from ledger.listener import Listener

CHANNEL = "timeline"
"""What the database tells of every new row of a timeline, by the checkout's id."""
MOST_STREAMS = 1000
_AGAIN = timedelta(hours=1)


@dataclass(frozen=True)
class Pace:
    """In seconds: how often a stream shows that it lives, looks without being told, and has its key checked."""

    ping: float = 15
    look: float = 10
    check: float = 60
    patience: float = 30
    """How long one message may wait for a reader that does not read."""


class Following:
    """The streams of this process. Listening begins with the first of them; `close` ends it."""

    def __init__(self, engine: AsyncEngine, pace: Pace | None = None, most: int = MOST_STREAMS) -> None:
        self.pace = pace or Pace()
        self._listener = Listener(engine, CHANNEL, self._told)
        self._listening: asyncio.Task[None] | None = None
        self._followers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._most, self._streams = most, 0

    @property
    def streams(self) -> int:
        """How many there are now."""
        return self._streams

    def enter(self) -> None:
        """Take a stream's place; `leave` gives it back. Raises Problem 503 when all are taken."""
        if self._streams >= self._most:
            detail = f"This process serves {self._most} streams already; come back, or ask for the timeline."
            raise unavailable("too_many_streams", detail, retry_after=10)
        self._streams += 1

    def leave(self) -> None:
        """Give a stream's place back."""
        self._streams -= 1

    @contextmanager
    def follow(self, checkout_ids: Collection[str]) -> Iterator[asyncio.Event]:
        """The event is set whenever something of these checkouts may have become known."""
        if self._listening is None or self._listening.done():
            self._listening = asyncio.create_task(self._listen())
        news = asyncio.Event()
        for each in checkout_ids:
            self._followers[each].add(news)
        try:
            yield news
        finally:
            for each in checkout_ids:
                self._followers[each].discard(news)
                if not self._followers[each]:
                    del self._followers[each]

    async def close(self) -> None:
        """Stop listening."""
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait((self._listening,))
        await self._listener.close()

    async def _listen(self) -> None:
        while True:
            await self._listener.wait(_AGAIN)

    def _told(self, checkout_id: str | None) -> None:
        """Wake those who follow the checkout; all, when nobody knows what was missed."""
        if checkout_id is None:
            told = [news for followers in self._followers.values() for news in followers]
        else:
            told = [*self._followers.get(checkout_id, ())]
        for news in told:
            news.set()
