"""What each event adds to the totals of its day.

Money is added by what has become of the cumulative amounts that every event tells, not by the kind of event: whatever
moved it, the totals are those of the books. A split checkout's whole has no money of its own and is passed over; its
tenders are counted, each at its own gateway.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from domain.checkout import SPLIT
from domain.timeline import EventType
from events.contract import Event
from events.subscribers.payloads import details_of, number_of, text_of
from ledger.analytics import Addition, Analytics, Known, Told

COUNTED: Mapping[str, str] = {
    EventType.CHECKOUT_CREATED: "created",
    EventType.PAYMENT_DECLINED: "declined",
    EventType.PAYMENT_CANCELED: "canceled",
    EventType.PAYMENT_EXPIRED: "expired",
    EventType.REFUND_FAILED: "refund_failed",
    EventType.DISPUTE_OPENED: "dispute_opened",
    EventType.DISPUTE_WON: "dispute_won",
    EventType.DISPUTE_LOST: "dispute_lost",
}
"""The outcomes that are counted by events alone."""
_PAID = frozenset({EventType.PAYMENT_AUTHORIZED, EventType.PAYMENT_SUCCEEDED})


@dataclass(frozen=True)
class DailyTotals:
    """The subscriber `analytics`."""

    analytics: Analytics
    name: str = "analytics"
    wanted: frozenset[EventType] = frozenset(EventType) - {EventType.WEBHOOK_ENDPOINT_DISABLED}

    async def handle(self, event: Event) -> None:
        """Add it to the totals, once. Raises PoisonError for what is no event of a checkout."""
        gateway, currency = text_of(event, "gateway"), text_of(event, "currency")
        if gateway == SPLIT:
            return
        judged = _Judged(event, number_of(event, "amount_captured"), number_of(event, "amount_refunded"))
        told = Told(event.id, event.time, text_of(event, "checkout_id"), event.sequence, gateway, currency)
        await self.analytics.add(told, judged.against)

    async def forget(self, since: datetime) -> None:
        """Drop the totals of that day and of those after it: its events are added anew, from the day's beginning."""
        await self.analytics.forget(since.astimezone(UTC).date())


@dataclass(frozen=True)
class _Judged:
    event: Event
    captured_minor: int
    refunded_minor: int

    def against(self, known: Known) -> tuple[Known, tuple[Addition, ...]]:
        """What is known after the event, and what it adds to what was known before."""
        additions = (*self._counted(), *self._paid(known), *self._moved(known))
        return self._after(known), additions

    def _counted(self) -> Iterator[Addition]:
        outcome = COUNTED.get(self.event.type)
        if outcome is not None:
            yield Addition(outcome, amount_minor=self._disputed() if outcome.startswith("dispute_") else 0)

    def _disputed(self) -> int:
        amount = details_of(self.event).get("amount")
        return amount if type(amount) is int else 0

    def _paid(self, known: Known) -> Iterator[Addition]:
        """Once for each checkout, with the time that its customer took."""
        if self.event.type in _PAID and known.paid_at is None:
            since = known.created_at or self.event.time
            took = max(0, round((self.event.time - since).total_seconds() * 1000))
            yield Addition("authorized", milliseconds=took)

    def _moved(self, known: Known) -> Iterator[Addition]:
        if self.event.sequence <= known.last_sequence:
            # A later event has told of all this already.
            return
        for outcome, now, before in (
            ("captured", self.captured_minor, known.captured_minor),
            ("refunded", self.refunded_minor, known.refunded_minor),
        ):
            if now != before:
                yield Addition(outcome, amount_minor=now - before)

    def _after(self, known: Known) -> Known:
        event = self.event
        if event.type == EventType.CHECKOUT_CREATED:
            known = replace(known, created_at=event.time)
        if event.type in _PAID and known.paid_at is None:
            known = replace(known, paid_at=event.time)
        if event.sequence <= known.last_sequence:
            return known
        return replace(
            known,
            last_sequence=event.sequence,
            captured_minor=self.captured_minor,
            refunded_minor=self.refunded_minor,
        )
