"""The events of a run as the books have them, and who has dealt with which of them."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from devstack.demo.claims import Claim, claim
from devstack.demo.people import StoryError
from devstack.demo.stage import eventually
from events.contract import event_id
from events.subscribers.analytics.subscriber import DailyTotals
from events.subscribers.notifications.subscriber import Notifications
from events.subscribers.orders.subscriber import Orders
from events.subscribers.webhooks.subscriber import Webhooks
from ledger.tables import consumed_events, outbox

WANTED: Mapping[str, Collection[str]] = {
    each.name: each.wanted for each in (Orders, Notifications, DailyTotals, Webhooks)
}
"""The types that each subscriber acts on."""
_QUIET_SECONDS = 60.0


@dataclass(frozen=True)
class ToldEvent:
    """One event on the books; `published_at` is None while the broker does not have it."""

    id: str
    subject: str
    type: str
    payload: Mapping[str, Any]
    created_at: datetime
    published_at: datetime | None

    @property
    def order_id(self) -> str | None:
        """The order it is about, where it is about one."""
        return self.payload.get("order_id")

    @property
    def is_tenders(self) -> bool:
        """Whether it is about one tender of a split checkout."""
        return "parent_id" in self.payload


@dataclass(frozen=True)
class EventsTold:
    """All events since a run began, in the order of the books, and by subscriber when it was done with which."""

    events: tuple[ToldEvent, ...]
    consumed: Mapping[str, Mapping[str, datetime]]

    def missing(self, subscriber: str) -> list[str]:
        """The events that it should have dealt with and has not."""
        done = self.consumed.get(subscriber, {})
        return [each.id for each in self.events if each.type in WANTED[subscriber] and each.id not in done]

    def unpublished(self) -> list[str]:
        """The events that the broker does not have."""
        return [each.id for each in self.events if each.published_at is None]


async def told_since(engine: AsyncEngine, begun: datetime) -> EventsTold:
    """Read it from the books."""
    o, c = outbox.c, consumed_events.c
    shown = (o.subject, o.sequence, o.type, o.payload, o.created_at, o.published_at)
    async with engine.connect() as connection:
        rows = (await connection.execute(select(*shown).where(o.created_at >= begun).order_by(o.id))).all()
        marks = await connection.execute(select(c.subscriber, c.event_id, c.at).where(c.occurred_at >= begun))
        consumed: dict[str, dict[str, datetime]] = {}
        for subscriber, event, at in marks:
            consumed.setdefault(subscriber, {})[event] = at
    events = (ToldEvent(event_id(row.subject, row.sequence), row.subject, *row[2:]) for row in rows)
    return EventsTold(tuple(events), consumed)


async def told_and_heard(engine: AsyncEngine, begun: datetime, subscribers: Collection[str]) -> EventsTold:
    """The same, once everything is published and every subscriber has dealt with its part, or a while has passed."""

    async def look() -> EventsTold:
        return await told_since(engine, begun)

    def is_quiet(told: EventsTold) -> bool:
        return not told.unpublished() and not any(told.missing(name) for name in subscribers)

    try:
        return await eventually(look, is_quiet, "every event to be heard", _QUIET_SECONDS)
    except StoryError:
        # What is missing is named by the claims.
        return await look()


def published(told: EventsTold) -> Claim:
    """Nothing stays behind in the outbox."""
    trouble = (f"{event} is not published" for event in told.unpublished())
    waits = sorted(each.published_at - each.created_at for each in told.events if each.published_at)
    half, longest = (waits[len(waits) // 2], waits[-1]) if waits else (timedelta(), timedelta())
    subjects = len({each.subject for each in told.events})
    found = f"{len(told.events)} events about {subjects} checkouts and tenders"
    waited = (
        f"half of them within {half.total_seconds() * 1000:.0f} ms, the last within {longest.total_seconds():.1f} s"
    )
    return claim("every event of the outbox has been published", f"{found}, {waited}", trouble)


def consumed(told: EventsTold, subscribers: Collection[str]) -> Iterator[Claim]:
    """Every subscriber has dealt with each event that it acts on."""
    for name in sorted(subscribers):
        trouble = [f"{event} was never dealt with" for event in told.missing(name)]
        known = {each.id for each in told.events if each.type in WANTED[name]}
        trouble += [
            f"{event} was dealt with and is not on the books" for event in {*told.consumed.get(name, {})} - known
        ]
        yield claim(f"{name} has dealt with each of its events", f"{len(known)} of {len(told.events)}", trouble)
