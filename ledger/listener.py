"""Waits for Postgres notifications on a connection of its own, which is made anew whenever it breaks."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.engine import connect
from ledger.failures import DRIVER_ERRORS

_log = logging.getLogger(__name__)

Hear = Callable[[str | None], None]
"""Gets each notification's text while somebody waits; None when some may have been missed."""


class Listener:
    """Hears one channel. Notifications are a hint to look sooner: whoever waits must also look after the time-out."""

    def __init__(self, engine: AsyncEngine, channel: str, hear: Hear | None = None) -> None:
        self._engine = engine
        self._channel = channel
        self._hear = hear or (lambda _: None)
        self._news = asyncio.Event()
        self._connection: asyncpg.Connection | None = None
        self._failing = False

    async def wait(self, timeout: timedelta) -> bool:  # noqa: ASYNC109 (running out of time is an answer, not an error)
        """Whether something was told before the time was over, since the wait before this one."""
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self._connect()
                await self._news.wait()
        except TimeoutError:
            return False
        self._news.clear()
        return True

    async def close(self) -> None:
        """Close the connection; a later wait opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            with suppress(*DRIVER_ERRORS):
                await connection.close(timeout=5)

    async def _connect(self) -> None:
        while self._connection is None or self._connection.is_closed():
            try:
                connection = await connect(self._engine)
                connection.add_termination_listener(self._lost)
                await connection.add_listener(self._channel, self._heard)
            except DRIVER_ERRORS as error:
                if not self._failing:  # Once for each time that it is down, not once a second.
                    _log.warning("cannot listen to %s: %s", self._channel, type(error).__name__)
                self._failing = True
                await asyncio.sleep(1)
                continue
            self._connection, self._failing = connection, False
            # Whatever was told while nobody listened is not told again.
            self._news.set()
            self._hear(None)

    def _heard(self, _connection: object, _process: int, _channel: str, text: str) -> None:
        self._news.set()
        self._hear(text)

    def _lost(self, _: object) -> None:
        """End the wait that goes on, so that the next one connects anew."""
        self._news.set()
