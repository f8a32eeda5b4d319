"""The figures behind `/metrics`, read from the database, and remembered for a moment: scrapers come in swarms."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from domain.case import CaseKind
from ledger.contract import EventSource
from ledger.figures import Figures
from ledger.inbox import Inbox

REMEMBER_SECONDS = 5.0
WINDOW = timedelta(days=1)
"""Of which time the events are counted: what was healed last month says nothing of today's webhooks."""


@dataclass(frozen=True, eq=False)
class Reading(Collector):
    """The figures of one moment."""

    at: datetime
    figures: Figures
    sources: Mapping[str, Mapping[EventSource, int]]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """All of them, by their names in Prometheus."""
        yield from self._events()
        yield self._cases()
        seen = self.figures
        yield _gauge("inbox_unprocessed", "Stored events that wait to be dispatched", seen.unprocessed)
        yield self._age("inbox_oldest_unprocessed", "the event that waits longest", seen.oldest_unprocessed_at)
        yield self._age("case_oldest_open", "the case that is open longest", seen.oldest_case_at)
        yield _gauge("checkouts_stuck", "Checkouts that cannot get on, an unknown outcome among them", seen.stuck)
        yield self._age("checkout_oldest_stuck", "the checkout that is stuck longest", seen.oldest_stuck_at)
        yield _gauge("refunds_pending", "Refunds that are not final", seen.refunds_pending)
        yield self._age("refund_oldest_pending", "the refund that is pending longest", seen.oldest_refund_at)
        yield _gauge("disputes_open", "Disputes that are not decided", seen.disputes_open)

    def _events(self) -> Iterable[GaugeMetricFamily]:
        told = "Relevant events that came in within a day, by how: the gateway's webhook, or our poll of its own list"
        events = GaugeMetricFamily("paysaga_inbox_events", told, labels=["gateway", "source"])
        told = "Share of the day's relevant events that no webhook told of and the poll found"
        healed = GaugeMetricFamily("paysaga_inbox_healed_by_poll_ratio", told, labels=["gateway"])
        for gateway, counts in sorted(self.sources.items()):
            for source in EventSource:
                events.add_metric([gateway, source], counts.get(source, 0))
            total = sum(counts.values())
            healed.add_metric([gateway], counts.get(EventSource.POLL, 0) / total if total else 0.0)
        return events, healed

    def _cases(self) -> GaugeMetricFamily:
        cases = GaugeMetricFamily("paysaga_cases_open", "Cases that wait for a person", labels=["kind"])
        for kind in CaseKind:
            cases.add_metric([kind], self.figures.cases_open.get(kind, 0))
        return cases

    def _age(self, name: str, whose: str, since: datetime | None) -> GaugeMetricFamily:
        seconds = max(0.0, (self.at - since).total_seconds()) if since else 0.0
        return _gauge(f"{name}_seconds", f"Age of {whose}; 0 when there is none", seconds)


class Meter:
    """Answers scrapes. `read` gives the figures that are not the inbox's own matter."""

    def __init__(
        self, read: Callable[[], Awaitable[Figures]], inbox: Inbox, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._read, self._inbox, self._clock = read, inbox, clock
        self._lock = asyncio.Lock()
        self._text, self._until = b"", 0.0

    async def text(self) -> bytes:
        """The figures in Prometheus' text format, at most five seconds old. Raises StoreUnavailableError."""
        async with self._lock:
            if not self._text or self._clock() >= self._until:
                self._text = await self._measured()
                self._until = self._clock() + REMEMBER_SECONDS
            return self._text

    async def _measured(self) -> bytes:
        now = datetime.now(UTC)
        reading = Reading(now, await self._read(), await self._inbox.sources(now - WINDOW))
        registry = CollectorRegistry(auto_describe=False)
        registry.register(reading)
        return generate_latest(registry)


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"paysaga_{name}", told, value=value)
