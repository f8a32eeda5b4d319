"""The background sender of webhooks: real HTTP, a bounded number at a time."""

import asyncio
import contextlib
import logging

from sandbox.part import Part
from sandbox.post import Poster, PostError
from sandbox.webhooks.deliveries import Delivery

_logger = logging.getLogger(__name__)
_AT_ONCE = 16
_PATIENCE = 10.0


class Sender:
    """Takes deliveries as they come due and carries them out."""

    def __init__(self, part: Part) -> None:
        self._part = part
        self._gateway = part.gateway
        self._queue = part.gateway.deliveries
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._sending: set[asyncio.Task[None]] = set()
        self._poster = Poster(_PATIENCE)

    async def run(self) -> None:
        """Send until cancelled; what is under way then is tried again at the next start."""
        try:
            while True:
                await self._wait()
                while deliveries := self._queue.pop(self._part.batch(), self._gateway.collects_for):
                    await self._slots.acquire()
                    task = asyncio.create_task(self._deliver(deliveries))
                    self._sending.add(task)
                    task.add_done_callback(self._sent)
        finally:
            for task in self._sending:
                task.cancel()
            await asyncio.gather(*self._sending, return_exceptions=True)
            self._poster.close()

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._slots.release()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._queue.wake.wait(), self._queue.next_due())
        self._queue.wake.clear()

    async def _deliver(self, deliveries: list[Delivery]) -> None:
        """Post what goes together to the one endpoint it goes to."""
        endpoint, variant = deliveries[0].endpoint, deliveries[0].variant
        url = self._gateway.endpoints.address(endpoint)
        texts = self._texts(deliveries)
        if url is None or not texts:
            for delivery in deliveries:
                self._queue.give_up(delivery, "the endpoint is gone" if url is None else "the event is no longer kept")
            return
        status, why = None, None
        try:
            letter = self._part.letter(endpoint, variant, texts)
            status = await self._poster.post(url, letter.headers, letter.body)
        except PostError as error:
            why = str(error)
        except Exception as error:
            # A delivery that is dropped here would come back only at the next start.
            _logger.exception("delivery %s failed", deliveries[0].id)
            why = repr(error)
        for delivery in deliveries:
            self._queue.record(delivery, status, why)

    def _texts(self, deliveries: list[Delivery]) -> list[bytes]:
        """The events as they are kept; those that are too old to be kept are left out."""
        rows = [self._gateway.store.row(delivery.event) for delivery in deliveries]
        return [row["body"].encode() for row in rows if row is not None]
