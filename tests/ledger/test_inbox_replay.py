"""Stored events: listed, dispatched again when somebody asks for it, and told apart by how they came."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.contract import EventSource, InboxFilter
from ledger.cursors import encode_cursor
from ledger.inbox import Inbox
from tests.ledger.samples import NOW, delivery

MINUTE = timedelta(minutes=1)


@pytest.fixture
async def inbox(fresh_engine: AsyncEngine) -> AsyncIterator[Inbox]:
    """An inbox of the test's own, open."""
    opened = Inbox(fresh_engine)
    await opened.start()
    yield opened
    await opened.close()


async def finished(inbox: Inbox, outcome: str = "delivered", **changes: object) -> int:
    """The number of a new event that is dealt with."""
    event = delivery(**changes)
    await inbox.store(event)
    (item,) = await inbox.claim(1, MINUTE)
    assert item.event_id == event.event_id
    await inbox.finish(item, outcome)
    return item.id


async def test_what_it_is_about_and_how_it_came_are_kept(inbox: Inbox) -> None:
    """A polled event about a dispute is stored, claimed and listed as that; by default it came by webhook."""
    plain = delivery()
    polled = delivery(dispute_id="dp_1", source=EventSource.POLL, received_at=NOW + MINUTE)
    for event in (plain, polled):
        await inbox.store(event)
    first, second = await inbox.claim(2, MINUTE)
    assert (first.dispute_id, second.dispute_id) == (None, "dp_1")
    found = [await inbox.stored(item.id) for item in (first, second)]
    assert [(event.source, event.dispute_id) for event in found if event] == [
        (EventSource.WEBHOOK, None),
        (EventSource.POLL, "dp_1"),
    ]
    assert await inbox.stored(second.id + 1000) is None


async def test_a_replayed_event_comes_again(inbox: Inbox) -> None:
    """Dealt with long ago, it is due at once, as if new, and has been replayed once; others are left alone."""
    first, other = await finished(inbox), await finished(inbox)
    assert await inbox.claim(10, MINUTE) == ()
    assert await inbox.replay([first, 10**6]) == 1
    event = await inbox.stored(first)
    assert event is not None
    assert (event.processed_at, event.outcome, event.attempts, event.replays) == (None, None, 0, 1)
    (item,) = await inbox.claim(10, MINUTE)
    assert (item.id, item.attempts) == (first, 1)
    await inbox.finish(item, "again")
    again, left = await inbox.stored(first), await inbox.stored(other)
    assert again is not None
    assert left is not None
    assert (again.outcome, again.replays, left.outcome, left.replays) == ("again", 1, "delivered", 0)
    assert await inbox.replay([]) == 0


async def test_one_that_waits_is_due_now(inbox: Inbox) -> None:
    """An event that was put off for a day need not wait when somebody asks for it."""
    await inbox.store(delivery())
    (item,) = await inbox.claim(1, MINUTE)
    await inbox.postpone(item, timedelta(days=1), "not yet")
    assert await inbox.claim(1, MINUTE) == ()
    assert await inbox.replay([item.id]) == 1
    assert [one.id for one in await inbox.claim(1, MINUTE)] == [item.id]


async def test_one_that_somebody_works_on_keeps_its_lease(inbox: Inbox) -> None:
    """A replay does not hand it to a second worker at the same time."""
    await inbox.store(delivery())
    (item,) = await inbox.claim(1, MINUTE)
    assert await inbox.replay([item.id]) == 1
    assert await inbox.claim(1, MINUTE) == ()


async def test_evidence_is_not_dispatched(inbox: Inbox) -> None:
    """What was not relevant when it came is kept, and neither it nor a filter that matches it makes it due."""
    event = delivery(relevant=False)
    await inbox.store(event)
    (stored,) = await inbox.by_event_id(event.event_id)
    assert not stored.relevant
    assert await inbox.replay([stored.id]) == 0
    assert await inbox.replay_matching(InboxFilter(gateway="stripe")) == 0
    assert await inbox.claim(1, MINUTE) == ()


async def test_a_replay_wakes_whoever_waits(inbox: Inbox) -> None:
    """The dispatcher need not look again for it to come."""
    id_ = await finished(inbox)
    await inbox.wait_for_news(timedelta(seconds=0.1))
    waiting = asyncio.create_task(inbox.wait_for_news(timedelta(seconds=20)))
    await asyncio.sleep(0.2)
    assert await inbox.replay([id_]) == 1
    assert await waiting


async def test_a_filter_replays_all_it_matches(inbox: Inbox) -> None:
    """By gateway, outcome, payment, reference and time, whatever page of them is shown."""
    for hour in range(4):
        await finished(inbox, "no_such_checkout" if hour % 2 else "delivered", **at(hour), reference=f"chk_{hour}")
    await finished(inbox, gateway="paypal", payment_id="order_1", **at(0))
    assert await inbox.replay_matching(InboxFilter(outcome="no_such_checkout", limit=1)) == 2
    assert await inbox.replay_matching(InboxFilter(gateway="paypal")) == 1
    assert await inbox.replay_matching(InboxFilter(payment_id="order_1")) == 1
    assert await inbox.replay_matching(InboxFilter(reference="chk_2")) == 1
    hours = InboxFilter(gateway="stripe", since=NOW + 60 * MINUTE, until=NOW + 180 * MINUTE)
    assert await inbox.replay_matching(hours) == 2
    replayed = {event.reference: event.replays for event in (await inbox.listed(InboxFilter(gateway="stripe"))).data}
    assert replayed == {"chk_0": 0, "chk_1": 2, "chk_2": 2, "chk_3": 1}


def at(hour: int) -> dict[str, datetime]:
    """The moment a delivery was received, some hours on."""
    return {"received_at": NOW + hour * 60 * MINUTE}


async def test_pages_of_events(inbox: Inbox) -> None:
    """Newest first, every one once, and what comes meanwhile shifts nothing."""
    ids = [await finished(inbox) for _ in range(5)]
    page = await inbox.listed(InboxFilter(limit=2))
    assert [event.id for event in page.data] == [ids[4], ids[3]]
    await finished(inbox)
    page = await inbox.listed(InboxFilter(limit=2, cursor=page.next_cursor))
    assert [event.id for event in page.data] == [ids[2], ids[1]]
    page = await inbox.listed(InboxFilter(limit=2, cursor=page.next_cursor))
    assert ([event.id for event in page.data], page.next_cursor) == ([ids[0]], None)


@pytest.mark.parametrize("number", ["", "x", "-1", "²", "9" * 40])
async def test_a_cursor_that_no_page_gave(inbox: Inbox, number: str) -> None:
    """Nonsense, and a word or an impossible number where an event's should be."""
    for cursor in ("x", encode_cursor(NOW, number)):
        with pytest.raises(ValueError, match="a page gave"):
            await inbox.listed(InboxFilter(cursor=cursor))


async def test_what_is_known(inbox: Inbox) -> None:
    """Of the events that a gateway lists, those that are stored for that gateway."""
    one, other = delivery(), delivery(relevant=False)
    for event in (one, other, replace(one, gateway="paypal")):
        await inbox.store(event)
    asked = [one.event_id, other.event_id, "evt_none"]
    assert await inbox.known("stripe", asked) == {one.event_id, other.event_id}
    assert await inbox.known("paypal", asked) == {one.event_id}
    assert await inbox.known("adyen", asked) == set()
    assert await inbox.known("stripe", []) == set()
    assert {event.gateway for event in await inbox.by_event_id(one.event_id)} == {"stripe", "paypal"}


async def test_sources_are_counted(inbox: Inbox) -> None:
    """By gateway and by how they came, since a moment; what is not relevant heals nothing and is not counted."""
    for event in (
        delivery(),
        delivery(),
        delivery(source=EventSource.POLL),
        delivery(source=EventSource.POLL, relevant=False),
        delivery(source=EventSource.POLL, gateway="paypal"),
        delivery(received_at=NOW - MINUTE),
    ):
        await inbox.store(event)
    assert await inbox.sources(NOW) == {
        "stripe": {EventSource.WEBHOOK: 2, EventSource.POLL: 1},
        "paypal": {EventSource.POLL: 1},
    }
    assert await inbox.sources(NOW + MINUTE) == {}


async def test_a_replay_outlives_the_dispatch_under_way(inbox: Inbox) -> None:
    """The operator was told that it is dispatched again: what the dispatch under way comes to is of before that."""
    await inbox.store(delivery())
    (item,) = await inbox.claim(1, timedelta(milliseconds=1))
    assert await inbox.replay([item.id]) == 1
    await inbox.finish(item, "already_booked")
    assert [one.id for one in await inbox.claim(1, timedelta(minutes=1))] == [item.id]
