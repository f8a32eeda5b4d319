"""One batch on its way to the broker: subjects beside one another, the events of each one after the other."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime

from events.broker.contract import EVENTS, Broker, BrokerDownError
from events.outbox import event_of
from events.relay.meter import RelayMeter
from events.wire import to_message
from ledger.outbox_store import OutboxRow

_log = logging.getLogger(__name__)

LONGEST_BATCH = 5.0
"""Seconds after which a batch begins nothing more: its transaction is open meanwhile, and keeps rows from others."""


class Passing:
    """Publishes one batch; afterwards `down` says whether and how the broker failed."""

    def __init__(
        self, broker: Broker, stop: asyncio.Event, meter: RelayMeter, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._broker, self._stop, self._meter, self._clock = broker, stop, meter, clock
        self._confirmed: list[int] = []
        self.down: BrokerDownError | None = None

    @property
    def confirmed(self) -> int:
        """How many events the broker has for good."""
        return len(self._confirmed)

    async def publish(self, queues: Sequence[Sequence[OutboxRow]]) -> Collection[int]:
        """Publish the rows of each queue in order; answers the ids of those that are confirmed. Never raises."""
        until = self._clock() + LONGEST_BATCH
        async with asyncio.TaskGroup() as group:
            for queue in queues:
                group.create_task(self._one_by_one(queue, until))
        return self._confirmed

    async def _one_by_one(self, queue: Sequence[OutboxRow], until: float) -> None:
        for row in queue:
            if self.down is not None or self._stop.is_set() or self._clock() > until:
                return
            if not await self._publish(row):
                return

    async def _publish(self, row: OutboxRow) -> bool:
        event = event_of(row)
        try:
            await self._broker.publish(EVENTS, to_message(event))
        except BrokerDownError as error:
            self.down = self.down or error
        except Exception:  # noqa: BLE001 - One event, whatever is wrong with it, must not keep other subjects' back.
            _log.exception("%s was not taken by the broker", event.id)
        else:
            self._confirmed.append(row.id)
            self._meter.published(datetime.now(UTC) - event.time)
            return True
        self._meter.failed()
        return False
