"""A dispatcher that always has events to take on."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from api.dispatcher import Dispatcher
from ledger.contract import InboxItem


@dataclass
class Busy:
    """Inbox, deliveries and starter in one: there is an event whenever one is asked for."""

    started: int = 0

    async def claim(self, limit: int, lease: Any) -> tuple[InboxItem, ...]:
        """One more."""
        await asyncio.sleep(0.01)
        return (InboxItem(1, "stripe", "evt_1", "shown", "pi_1", None, datetime.now(UTC), 1),)

    async def dispatch(self, item: InboxItem) -> str:
        """Done at once."""
        return "delivered"

    async def finish(self, item_id: int, outcome: str) -> None:
        """Nothing is kept."""

    async def start_unopened(self) -> None:
        """Counted."""
        self.started += 1

    async def start_refunds(self) -> None:
        """Counted."""
        self.started += 1


async def test_events_without_end_keep_nothing_from_being_started() -> None:
    """Whoever waits for the dispatcher to start it, since Temporal was down, is started under full load too."""
    busy: Any = Busy()
    running = asyncio.create_task(Dispatcher(busy, busy, busy).run())
    async with asyncio.timeout(20):
        while busy.started < 2:  # noqa: ASYNC110 - what it counts is nobody's event.
            await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert busy.started == 2
