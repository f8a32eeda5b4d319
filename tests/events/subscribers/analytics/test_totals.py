"""Daily totals: each event counts once, money is what the books have, and a rebuild comes to the same."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.timeline import EventType as T
from events.contract import Event, event_id
from events.outbox import event_of
from events.subscribers.analytics.subscriber import DailyTotals
from events.subscribers.contract import PoisonError
from ledger.analytics import Analytics, Total
from ledger.books import Books
from ledger.engine import create_engine
from ledger.outbox_store import Outbox
from tests.ledger.samples import whole_life

DAY = date(2026, 11, 21)
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
LONG_AGO = NOON - timedelta(days=300)


@dataclass
class Desk:
    """The subscriber on books of its own."""

    engine: AsyncEngine
    analytics: Analytics
    subscriber: DailyTotals

    async def hear(self, *events: Event) -> None:
        """Handle these."""
        for event in events:
            await self.subscriber.handle(event)

    async def totals(self, day: date = DAY) -> dict[str, tuple[int, int]]:
        """Count and amount by outcome on one day, of one gateway and currency."""
        return {one.outcome: (one.count, one.amount_minor) for one in await self.analytics.daily(day, day)}

    async def everything(self) -> list[Total]:
        """All totals there are."""
        return list(await self.analytics.daily(DAY - timedelta(days=400), DAY + timedelta(days=400)))


@pytest.fixture
async def desk(fresh_database_url: str) -> AsyncIterator[Desk]:
    """Empty tables."""
    engine = create_engine(fresh_database_url, pool_size=4)
    analytics = Analytics(engine)
    yield Desk(engine, analytics, DailyTotals(analytics))
    await engine.dispose()


def told(type_: T, sequence: int, captured: int = 0, refunded: int = 0, at: datetime = NOON, **changes: Any) -> Event:
    """An event of a checkout over 42 euros at Stripe."""
    details = changes.pop("details", {})
    data = {
        "checkout_id": "chk_a",
        "gateway": "stripe",
        "currency": "EUR",
        "amount": 4200,
        "amount_captured": captured,
        "amount_refunded": refunded,
        "details": details,
    }
    data |= changes
    subject = str(data["checkout_id"])
    return Event(event_id(subject, sequence), type_, subject, sequence, at, data)


def sale() -> Iterable[Event]:
    """Created, declined once, paid 30 seconds later, partly refunded, disputed."""
    yield told(T.CHECKOUT_CREATED, 1)
    yield told(T.PAYMENT_DECLINED, 2)
    yield told(T.PAYMENT_SUCCEEDED, 3, 4200, at=NOON + timedelta(seconds=30))
    yield told(T.REFUND_SUCCEEDED, 4, 4200, 1200)
    yield told(T.DISPUTE_OPENED, 5, 4200, 1200, details={"amount": 3000, "currency": "EUR"})


async def test_a_sale_is_counted_with_its_money(desk: Desk) -> None:
    """By outcome, with what was captured, refunded and disputed, and how long the customer took."""
    await desk.hear(*sale())
    assert await desk.totals() == {
        "created": (1, 0),
        "declined": (1, 0),
        "authorized": (1, 0),
        "succeeded": (1, 0),
        "captured": (1, 4200),
        "refunded": (1, 1200),
        "dispute_opened": (1, 3000),
    }
    (authorized,) = [one for one in await desk.everything() if one.outcome == "authorized"]
    assert authorized.milliseconds == 30_000


async def test_an_event_counts_once(desk: Desk) -> None:
    """However often it comes, and whoever handles it at the same time."""
    await asyncio.gather(*(desk.hear(*sale()) for _ in range(4)))
    once = await desk.everything()
    await desk.hear(*sale())
    assert await desk.everything() == once
    assert {one.count for one in once} == {1}


async def test_money_on_a_later_day_is_that_days(desk: Desk) -> None:
    """And only what is new of it."""
    await desk.hear(*sale(), told(T.REFUND_SUCCEEDED, 6, 4200, 4200, at=NOON + timedelta(days=2)))
    assert await desk.totals(DAY + timedelta(days=2)) == {"refunded": (1, 3000)}


async def test_money_that_goes_away_again_is_taken_off(desk: Desk) -> None:
    """A capture that failed after all, and a refund that came back, are no captures and no refunds any more."""
    await desk.hear(
        told(T.PAYMENT_SUCCEEDED, 1, 4200),
        told(T.REFUND_SUCCEEDED, 2, 4200, 700),
        told(T.REFUND_FAILED, 3, 4200),
        told(T.CASE_OPENED, 4),
    )
    totals = await desk.totals()
    assert (totals["captured"], totals["refunded"], totals["refund_failed"]) == ((0, 0), (0, 0), (1, 0))


async def test_late_money_that_goes_back_sums_to_nothing(desk: Desk) -> None:
    """It was captured after the end and refunded: both are told, and the sale stays none."""
    await desk.hear(
        told(T.CHECKOUT_CREATED, 1),
        told(T.PAYMENT_EXPIRED, 2),
        told(T.REFUND_CREATED, 3, 4200),
        told(T.REFUND_SUCCEEDED, 4, 4200, 4200),
    )
    assert await desk.totals() == {
        "created": (1, 0),
        "expired": (1, 0),
        "captured": (1, 4200),
        "refunded": (1, 4200),
    }


async def test_what_was_left_is_counted_where_it_happened(desk: Desk) -> None:
    """The decline at the gateway that was asked first, the money at the one that took it."""
    await desk.hear(
        told(T.CHECKOUT_CREATED, 1),
        told(T.PAYMENT_DECLINED, 2),
        told(T.PAYMENT_SUCCEEDED, 3, 4200, gateway="adyen"),
    )
    seen = {(one.gateway, one.outcome) for one in await desk.everything()}
    assert seen == {("stripe", "created"), ("stripe", "declined")} | {
        ("adyen", outcome) for outcome in ("succeeded", "authorized", "captured")
    }


async def test_an_amount_in_another_currency_is_not_added(desk: Desk) -> None:
    """A bank may dispute in its customer's currency: the dispute counts, its amount is not known in ours."""
    await desk.hear(told(T.DISPUTE_OPENED, 1, details={"amount": 3000, "currency": "USD"}))
    assert await desk.totals() == {"dispute_opened": (1, 0)}


async def test_events_are_added_in_their_order_however_they_come(desk: Desk) -> None:
    """What is missing before an event is taken from the books, and counts no second time when it comes itself."""
    for _ in range(3):
        await whole_life(Books(desk.engine))
    events = [event_of(row) async for row in Outbox(desk.engine).since(LONG_AGO)]
    await desk.hear(*events[-1:])
    assert sum(one.count for one in await desk.everything() if one.outcome == "created") == 1
    await desk.hear(*reversed(events))
    backwards = await desk.everything()
    assert await desk.analytics.differences() == []
    await desk.subscriber.forget(LONG_AGO)
    await desk.hear(*events)
    assert await desk.everything() == backwards


async def test_a_rebuild_beside_new_events_comes_to_the_same(desk: Desk) -> None:
    """While old events are sent again, new ones of the same checkouts are heard, on a later day than the old."""
    await desk.hear(*sale(), *(told(T.CHECKOUT_CREATED, 1, checkout_id=f"chk_{n}") for n in range(5)))
    for _ in range(5):
        await whole_life(Books(desk.engine))
    events = [event_of(row) async for row in Outbox(desk.engine).since(LONG_AGO)]
    old = [event for event in events if event.sequence < 4]
    await desk.hear(*events)
    before = await desk.everything()

    async def anew() -> None:
        await desk.subscriber.forget(events[0].time)
        await desk.hear(*old)

    await asyncio.gather(anew(), desk.hear(*events), desk.hear(*reversed(events)))
    await desk.hear(*events)
    assert await desk.everything() == before


async def test_days_are_dropped_while_nobody_adds_to_them(desk: Desk) -> None:
    """An event that is being added at that moment is dropped whole, its total and what is known of its checkout."""
    await desk.hear(*sale())
    adding, may = asyncio.Event(), asyncio.Event()

    async def add_slowly() -> None:
        async with desk.engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock_shared(hashtext('analytics'))"))
            adding.set()
            await may.wait()

    slow = asyncio.create_task(add_slowly())
    await adding.wait()
    dropping = asyncio.create_task(desk.subscriber.forget(NOON))
    _, waits = await asyncio.wait({dropping}, timeout=0.3)
    assert waits == {dropping}
    may.set()
    await asyncio.gather(slow, dropping)
    assert await desk.everything() == []


async def test_the_whole_of_a_split_has_no_money_of_its_own(desk: Desk) -> None:
    """Its tenders have, each at its gateway."""
    await desk.hear(
        told(T.CHECKOUT_CREATED, 1, gateway="split"),
        told(T.PAYMENT_SUCCEEDED, 2, 4200, gateway="split"),
        told(T.PAYMENT_SUCCEEDED, 1, 3000, checkout_id="chk_b", parent_id="chk_a"),
        told(T.PAYMENT_SUCCEEDED, 1, 1200, checkout_id="chk_c", parent_id="chk_a", gateway="adyen"),
    )
    captured = {one.gateway: one.amount_minor for one in await desk.everything() if one.outcome == "captured"}
    assert captured == {"stripe": 3000, "adyen": 1200}


@pytest.mark.parametrize("wrong", [{"gateway": None}, {"amount_captured": True}, {"amount_refunded": "1"}])
async def test_what_is_no_event_of_a_checkout_is_poison(desk: Desk, wrong: dict[str, Any]) -> None:
    """Nothing of it is added."""
    with pytest.raises(PoisonError):
        await desk.hear(told(T.PAYMENT_SUCCEEDED, 1, 4200, **wrong))
    assert await desk.everything() == []


async def test_totals_are_those_of_the_books(desk: Desk) -> None:
    """Seen by `differences`, which names what is missing until every event has been heard."""
    for _ in range(3):
        await whole_life(Books(desk.engine))
    before = await desk.analytics.differences()
    assert {one.totals_minor for one in before} == {0}
    assert all(one.books_minor > 0 for one in before)
    await desk.hear(*[event_of(row) async for row in Outbox(desk.engine).since(LONG_AGO)])
    assert await desk.analytics.differences() == []
    await desk.hear(told(T.PAYMENT_SUCCEEDED, 1, 1))
    (more,) = await desk.analytics.differences()
    assert (more.outcome, more.totals_minor - more.books_minor) == ("captured", 1)


async def test_a_rebuild_comes_to_the_same(desk: Desk) -> None:
    """From any day on, after days that stay as they are."""
    days = [told(T.CHECKOUT_CREATED, 1), told(T.PAYMENT_PARTIALLY_CAPTURED, 2, 1000)]
    days += [told(T.PAYMENT_SUCCEEDED, 3, 4200, at=NOON + timedelta(days=1))]
    days += [told(T.REFUND_SUCCEEDED, 4, 4200, 200, at=NOON + timedelta(days=2))]
    await desk.hear(*days)
    before = await desk.everything()
    for start in (NOON + timedelta(hours=30), NOON, NOON + timedelta(days=2), LONG_AGO):
        await desk.subscriber.forget(start)
        assert {one.day for one in await desk.everything()} == {one.day for one in before if one.day < start.date()}
        await desk.hear(*days)
        assert await desk.everything() == before


async def test_a_clock_that_was_set_back_over_midnight_loses_nothing(desk: Desk) -> None:
    """A checkout's days only go forwards, so that what a rebuild forgets is what it adds again."""
    back = [told(T.CHECKOUT_CREATED, 1, at=NOON + timedelta(days=1)), told(T.PAYMENT_SUCCEEDED, 2, 4200, at=NOON)]
    await desk.hear(*back)
    before = await desk.everything()
    assert {one.day for one in before} == {DAY + timedelta(days=1)}
    await desk.subscriber.forget(NOON + timedelta(days=1))
    assert await desk.everything() == []
    await desk.hear(*back)
    assert await desk.everything() == before
