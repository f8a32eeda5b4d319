"""What there is to watch about a subscriber, for Prometheus."""

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import StrEnum

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from events.broker.contract import EVENTS, Broker, BrokerDownError

REFRESH_SECONDS = 5.0


class Outcome(StrEnum):
    """What became of an event."""

    HANDLED = "handled"
    REPEATED = "repeated"
    TRIED_AGAIN = "tried_again"
    BURIED = "buried"


class SubscriberMeter:
    """Counts what is done; the lag is the age of the event in hand, 0 while none is."""

    def __init__(self, name: str) -> None:
        self.name, self.registry = name, CollectorRegistry()
        told = "Events by what became of them: handled, repeated, tried_again, buried"
        self._events = Counter("paysaga_subscriber_events", told, ["outcome"], registry=self.registry)
        self._seconds = Histogram("paysaga_subscriber_seconds", "Seconds that an event took", registry=self.registry)
        self._since: datetime | None = None
        lag = Gauge("paysaga_subscriber_lag_seconds", "Age of the event in hand; 0 without", registry=self.registry)
        lag.set_function(self.lag)
        told = "Events that are not finished; NaN while the broker cannot be asked"
        self._waiting = Gauge("paysaga_subscriber_waiting", told, registry=self.registry)
        for outcome in Outcome:
            self._events.labels(outcome)

    def count(self, outcome: Outcome) -> None:
        """One event came to this."""
        self._events.labels(outcome).inc()

    def lag(self) -> float:
        """How old the event in hand is, in seconds."""
        return max(0.0, (datetime.now(UTC) - self._since).total_seconds()) if self._since else 0.0

    @contextmanager
    def in_hand(self, occurred_at: datetime) -> Iterator[None]:
        """This event is worked on for as long as this is entered."""
        self._since, began = occurred_at, time.monotonic()
        try:
            yield
        finally:
            self._since = None
            self._seconds.observe(time.monotonic() - began)

    async def keep_fresh(self, broker: Broker) -> None:
        """Ask the broker every few seconds how much waits, for ever."""
        while True:
            try:
                self._waiting.set(await broker.waiting(EVENTS, self.name))
            except BrokerDownError:
                self._waiting.set(math.nan)
            await asyncio.sleep(REFRESH_SECONDS)
