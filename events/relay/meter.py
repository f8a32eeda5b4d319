"""What there is to watch about the relay, for Prometheus."""

import asyncio
import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from domain.errors import BooksError
from events.broker.contract import EVENTS, Broker, BrokerDownError
from ledger.contract import StoreUnavailableError
from ledger.outbox_store import Outbox

_log = logging.getLogger(__name__)

REFRESH = timedelta(seconds=5)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600)


class RelayMeter:
    """Counts what is published, and shows what the books and the broker said when they were last asked."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._published = Counter("paysaga_relay_published", "Events that the broker has", registry=self.registry)
        self._failed = Counter("paysaga_relay_publish_failures", "Tries that failed", registry=self.registry)
        told = "Seconds from the books to the broker's confirmation"
        self._delay = Histogram("paysaga_relay_delay_seconds", told, buckets=_SECONDS, registry=self.registry)
        told = "Events on the books that are not published; NaN while the books cannot be asked"
        self._unpublished = Gauge("paysaga_relay_unpublished", told, registry=self.registry)
        told = "Age of the event that waits longest to be published; 0 when none waits"
        self._oldest = Gauge("paysaga_relay_oldest_unpublished_seconds", told, registry=self.registry)
        told = "Events that a subscriber has not finished; NaN while the broker cannot be asked"
        self._waiting = Gauge("paysaga_broker_waiting", told, ["subscriber"], registry=self.registry)

    def published(self, delay: timedelta) -> None:
        """One event is confirmed, so long after it went on the books."""
        self._published.inc()
        # Two machines' clocks: it may seem to have come before it went.
        self._delay.observe(max(0.0, delay.total_seconds()))

    def failed(self) -> None:
        """One try to publish failed."""
        self._failed.inc()

    async def refresh(self, outbox: Outbox, broker: Broker, subscribers: Sequence[str]) -> None:
        """Ask the books and the broker how much waits."""
        unpublished = oldest = math.nan
        with suppress(StoreUnavailableError, BooksError):
            backlog = await outbox.backlog()
            unpublished, oldest = backlog.unpublished, (backlog.oldest or timedelta()).total_seconds()
        self._unpublished.set(unpublished)
        self._oldest.set(oldest)
        for subscriber in subscribers:
            waiting = math.nan
            with suppress(BrokerDownError):
                waiting = await broker.waiting(EVENTS, subscriber)
            self._waiting.labels(subscriber).set(waiting)

    async def keep_fresh(
        self, outbox: Outbox, broker: Broker, subscribers: Sequence[str], connected: asyncio.Event
    ) -> None:
        """Ask every few seconds, for ever; the broker only once it is connected."""
        while True:
            try:
                await self.refresh(outbox, broker, subscribers if connected.is_set() else ())
            except Exception:  # noqa: BLE001 - Figures that cannot be had are no reason to stop passing events on.
                _log.exception("cannot say how much waits")
            await asyncio.sleep(REFRESH.total_seconds())
