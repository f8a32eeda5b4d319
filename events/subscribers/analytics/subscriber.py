"""What each event adds to the totals of its day.

Money is added by what has become of the cumulative amounts that every event tells, not by the kind of event: whatever
moved it, the totals are those of the books. A split checkout's whole has no money of its own and is passed over; its
tenders are counted, each at its own gateway.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from domain.checkout import SPLIT
from domain.timeline import EventType
from events.contract import Event
from events.subscribers.payloads import details_of, number_of, text_of
from ledger.analytics import Addition, Analytics, Known, Told

COUNTED: Mapping[str, str] = {
    EventType.CHECKOUT_CREATED: "created",
    EventType.PAYMENT_DECLINED: "declined",
    EventType.PAYMENT_SUCCEEDED: "succeeded",
    EventType.PAYMENT_CANCELED: "canceled",
    EventType.PAYMENT_EXPIRED: "expired",
    EventType.REFUND_FAILED: "refund_failed",
    EventType.DISPUTE_OPENED: "dispute_opened",
    EventType.DISPUTE_WON: "dispute_won",
    EventType.DISPUTE_LOST: "dispute_lost",
}
"""The outcomes that are counted by events alone."""
_DISPUTES = frozenset({EventType.DISPUTE_OPENED, EventType.DISPUTE_WON, EventType.DISPUTE_LOST})
_PAID = frozenset({EventType.PAYMENT_AUTHORIZED, EventType.PAYMENT_SUCCEEDED})


@dataclass(frozen=True)
class DailyTotals:
    """The subscriber `analytics`."""

    analytics: Analytics
    name: str = "analytics"
    wanted: frozenset[EventType] = frozenset(EventType) - {EventType.WEBHOOK_ENDPOINT_DISABLED}

    async def handle(self, event: Event) -> None:
        """Add it to the totals, once. Raises PoisonError for what is no event of a checkout."""
        if text_of(event, "gateway") == SPLIT:
            return
        told = Told(event.subject, event.sequence, event.type, event.time, event.data)
        await self.analytics.add(told, judged)

    async def forget(self, since: datetime) -> None:
        """Drop the totals of that day and of those after it: its events are added anew, from the day's beginning."""
        await self.analytics.forget(since.astimezone(UTC).date())


def judged(known: Known, told: Told) -> tuple[Known, tuple[Addition, ...]]:
    """What is known after the event, and what it adds to what was known before. Raises PoisonError."""
    gateway, currency = text_of(told, "gateway"), text_of(told, "currency")
    captured, refunded = number_of(told, "amount_captured"), number_of(told, "amount_refunded")
    after = replace(known, captured_minor=captured, refunded_minor=refunded)
    if told.type == EventType.CHECKOUT_CREATED:
        after = replace(after, created_at=told.at)
    if told.type in _PAID and known.paid_at is None:
        after = replace(after, paid_at=told.at)
    added = (*_counted(told), *_paid(known, after), *_moved(known, after))
    return after, tuple(Addition(gateway, currency, *one) for one in added)


_Added = tuple[str, int, int, int]
"""Outcome, count, amount in minor units, milliseconds."""


def _counted(told: Told) -> Iterator[_Added]:
    outcome = COUNTED.get(told.type)
    if outcome is not None:
        yield outcome, 1, _disputed(told) if told.type in _DISPUTES else 0, 0


def _disputed(told: Told) -> int:
    """What is disputed, as far as it can be added to the totals: a bank may ask for another currency."""
    details = details_of(told)
    amount = details.get("amount")
    return amount if type(amount) is int and details.get("currency") == told.data.get("currency") else 0


def _paid(known: Known, after: Known) -> Iterator[_Added]:
    """Once for each checkout, with the time that its customer took."""
    if known.paid_at is None and after.paid_at is not None:
        took = after.paid_at - (after.created_at or after.paid_at)
        yield "authorized", 1, 0, max(0, took // timedelta(milliseconds=1))


def _moved(known: Known, after: Known) -> Iterator[_Added]:
    """What came or went; a capture or refund that came to nothing after all is taken off again, in number too."""
    for outcome, now, before in (
        ("captured", after.captured_minor, known.captured_minor),
        ("refunded", after.refunded_minor, known.refunded_minor),
    ):
        if now != before:
            yield outcome, 1 if now > before else -1, now - before, 0
