"""Takes stored webhook events to their workflows, and starts the workflows that nobody started.

Nothing that was answered 200 is lost: an event stays in the inbox until this loop has written down what became of it.
It runs in every worker process; rows are claimed, so several loops share the work.
"""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta

from api.deliveries import Deliveries
from api.starting import UNSTARTED_AFTER, Starter
from domain.errors import PaysagaError
from ledger.contract import InboxItem
from ledger.inbox import Inbox

logger = logging.getLogger(__name__)

BATCH = 50
AT_ONCE = 16
# Longer than the slowest look-up and signal together; a claim whose process died is free again after it.
LEASE = timedelta(seconds=60)
PAUSE = timedelta(seconds=2)
LONGEST_DELAY = timedelta(minutes=10)


@dataclass
class Dispatcher:
    """The loop between the inbox and the workflows."""

    inbox: Inbox
    deliveries: Deliveries
    starter: Starter
    _missing_at: float = 0.0
    _refunds_at: float = 0.0

    async def run(self) -> None:
        """Work until cancelled. A database or server that is down costs a pause, never an event."""
        at_once = asyncio.Semaphore(AT_ONCE)
        while True:
            try:
                items = await self.inbox.claim(BATCH, LEASE)
                await asyncio.gather(*(self._guarded(item, at_once) for item in items))
                if not items or asyncio.get_running_loop().time() >= self._missing_at:
                    # Also where events never stop coming: nobody else starts what nobody started.
                    await self.start_missing()
                if not items:
                    await self.inbox.wait_for_news(PAUSE)
            except Exception:
                logger.exception("the dispatcher goes on after a pause")
                await asyncio.sleep(PAUSE.total_seconds())

    async def start_missing(self) -> None:
        """Start what nobody started."""
        await self.starter.start_unopened()
        now = asyncio.get_running_loop().time()
        self._missing_at = now + UNSTARTED_AFTER.total_seconds()
        if now >= self._refunds_at:
            self._refunds_at = now + UNSTARTED_AFTER.total_seconds()
            await self.starter.start_refunds()

    async def dispatch(self, item: InboxItem) -> str | None:
        """Take one event to its workflow. Answers what became of it, None: try again later."""
        return await self.deliveries.dispatch(item)

    async def _guarded(self, item: InboxItem, at_once: asyncio.Semaphore) -> None:
        async with at_once:
            try:
                outcome = await self.dispatch(item)
            except PaysagaError as error:
                logger.warning("event %s of %s waits: %s", item.event_id, item.gateway, error)
                await self._postpone(item, type(error).__name__)
            except Exception:
                logger.exception("event %s of %s waits", item.event_id, item.gateway)
                await self._postpone(item, "error")
            else:
                if outcome is None:
                    await self._postpone(item, "not_yet")
                else:
                    await self.inbox.finish(item, outcome)

    async def _postpone(self, item: InboxItem, outcome: str) -> None:
        delay = min(timedelta(seconds=0.5 * 2 ** min(item.attempts, 12)), LONGEST_DELAY)
        await self.inbox.postpone(item, delay, outcome)
