"""The inbox: what was acknowledged is stored, once; it is claimed by one at a time and comes back until dealt with."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import BooksError
from ledger.contract import InboxItem, StoreUnavailableError
from ledger.inbox import Inbox
from tests.ledger.samples import NOW, delivery

MINUTE = timedelta(minutes=1)
SOON = timedelta(seconds=5)


@pytest.fixture
async def inbox(fresh_engine: AsyncEngine) -> AsyncIterator[Inbox]:
    """An inbox of the test's own, open."""
    opened = Inbox(fresh_engine)
    await opened.start()
    yield opened
    await opened.close()


async def test_an_event_reads_as_it_was_stored(inbox: Inbox) -> None:
    """Raw body byte for byte, headers, and what the parser found."""
    event = delivery(payment_id=None, headers={"stripe-signature": "t=1,v1=é"}, body=bytes(range(256)))
    assert await inbox.store(event)
    row = await inbox.get("stripe", event.event_id)
    assert row is not None
    for name in ("type", "payment_id", "reference", "live", "relevant", "body", "headers", "received_at"):
        assert row[name] == getattr(event, name), name
    assert row["verified"]
    assert (row["attempts"], row["processed_at"], row["outcome"]) == (0, None, None)
    assert await inbox.get("paypal", event.event_id) is None


async def test_an_event_is_new_once(inbox: Inbox) -> None:
    """A repeat is not new, also with another body, and the first body stays; another gateway's same id is new."""
    event = delivery()
    assert await inbox.store(event)
    assert not await inbox.store(replace(event, body=b"other"))
    assert await inbox.store(replace(event, gateway="paypal"))
    row = await inbox.get("stripe", event.event_id)
    assert row is not None
    assert row["body"] == event.body


async def test_a_hundred_copies_at_once_are_one_event(inbox: Inbox) -> None:
    """Exactly one of a hundred simultaneous deliveries is the new one."""
    event = delivery()
    stored = await asyncio.gather(*(inbox.store(event) for _ in range(100)))
    assert sum(stored) == 1
    assert await inbox.unprocessed() == 1


async def test_deliveries_are_stored_in_batches(inbox: Inbox, fresh_owner: asyncpg.Connection) -> None:
    """Two hundred simultaneous deliveries take a few transactions, and every caller gets its own answer."""
    stored = await asyncio.gather(*(inbox.store(delivery()) for _ in range(200)))
    assert all(stored)
    assert await inbox.unprocessed() == 200
    assert await fresh_owner.fetchval("SELECT count(DISTINCT xmin::text) FROM webhook_inbox") <= 5


async def test_a_bad_row_fails_alone(inbox: Inbox) -> None:
    """Text that Postgres cannot hold fails its own delivery; all others of the same batch are stored."""
    good = [delivery() for _ in range(10)]
    bad = [delivery(type="nul \0"), delivery(reference="lone surrogate \ud800"), delivery(headers={"x": "\0"})]
    mixed = [*good[:5], bad[0], bad[1], *good[5:], bad[2]]
    results = await asyncio.gather(*(inbox.store(event) for event in mixed), return_exceptions=True)
    outcome = dict(zip((event.event_id for event in mixed), results, strict=True))
    assert all(outcome[event.event_id] is True for event in good)
    assert all(isinstance(outcome[event.event_id], BooksError) for event in bad)
    assert await inbox.unprocessed() == 10
    assert await inbox.store(delivery())


async def test_an_answer_waits_for_its_commit(inbox: Inbox, fresh_owner: asyncpg.Connection) -> None:
    """While the insert is blocked nobody is told anything."""
    change = fresh_owner.transaction()
    await change.start()
    await fresh_owner.execute("LOCK TABLE webhook_inbox IN ACCESS EXCLUSIVE MODE")
    storing = asyncio.create_task(inbox.store(delivery()))
    await asyncio.sleep(0.2)
    assert not storing.done()
    await change.rollback()
    assert await storing


async def test_a_cut_connection_loses_nothing(inbox: Inbox, fresh_owner: asyncpg.Connection) -> None:
    """When Postgres drops the writer between or within batches, the next try has a new connection."""
    assert await inbox.store(delivery())
    for _ in range(3):
        await cut_others(fresh_owner)
        assert await inbox.store(delivery())
    change = fresh_owner.transaction()
    await change.start()
    await fresh_owner.execute("LOCK TABLE webhook_inbox IN ACCESS EXCLUSIVE MODE")
    storing = asyncio.create_task(inbox.store(delivery()))
    await asyncio.sleep(0.2)
    await cut_others(fresh_owner)
    await change.rollback()
    assert await storing
    assert await inbox.unprocessed() == 5


async def cut_others(connection: asyncpg.Connection) -> None:
    """Terminate every other connection to this database."""
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )


async def test_closing_stores_what_waits_and_takes_no_more(fresh_engine: AsyncEngine) -> None:
    """Deliveries handed over before the end are stored and answered; later ones are refused openly."""
    inbox = Inbox(fresh_engine)
    with pytest.raises(StoreUnavailableError):
        await inbox.store(delivery())
    await inbox.start()
    storing = [asyncio.create_task(inbox.store(delivery())) for _ in range(20)]
    await asyncio.sleep(0)
    await inbox.close()
    assert all(await asyncio.gather(*storing))
    with pytest.raises(StoreUnavailableError):
        await inbox.store(delivery())
    assert await inbox.unprocessed() == 20


async def test_a_caller_that_gave_up_disturbs_nobody(inbox: Inbox) -> None:
    """A request cut off while its delivery is written leaves the batch and the others alone."""
    storing = [asyncio.create_task(inbox.store(delivery())) for _ in range(10)]
    await asyncio.sleep(0)
    storing[3].cancel()
    results = await asyncio.gather(*storing, return_exceptions=True)
    assert [result for n, result in enumerate(results) if n != 3] == [True] * 9
    assert await inbox.store(delivery())


async def test_an_irrelevant_event_is_kept_and_done(inbox: Inbox) -> None:
    """It is evidence, and nobody is bothered with it."""
    event = delivery(relevant=False)
    assert await inbox.store(event)
    row = await inbox.get("stripe", event.event_id)
    assert row is not None
    assert (row["processed_at"] is not None, row["outcome"]) == (True, "not_relevant")
    assert await inbox.claim(10, MINUTE) == ()


async def test_claims_come_oldest_first_and_once(inbox: Inbox) -> None:
    """A claimed event is not given again while its lease holds; the attempt is counted."""
    events = [delivery(received_at=NOW + timedelta(seconds=n)) for n in (2, 0, 1)]
    for event in events:
        await inbox.store(event)
    first = await inbox.claim(2, MINUTE)
    assert [item.event_id for item in first] == [events[1].event_id, events[2].event_id]
    assert {item.attempts for item in first} == {1}
    assert first[0] == InboxItem(
        first[0].id, "stripe", events[1].event_id, events[1].type, "pi_1", "chk_1", events[1].received_at, 1
    )
    assert [item.event_id for item in await inbox.claim(9, MINUTE)] == [events[0].event_id]
    assert await inbox.claim(9, MINUTE) == ()
    assert await inbox.unprocessed() == 3


async def test_two_claimers_share_without_overlap(inbox: Inbox) -> None:
    """Claiming at the same time, nobody gets the same event and none is left out."""
    await asyncio.gather(*(inbox.store(delivery()) for _ in range(60)))
    claims = await asyncio.gather(*(inbox.claim(10, MINUTE) for _ in range(8)))
    while more := await inbox.claim(10, MINUTE):
        claims.append(more)
    ids = [item.id for claim in claims for item in claim]
    assert len(ids) == len(set(ids)) == 60


async def test_a_claimer_that_died_loses_its_lease(inbox: Inbox) -> None:
    """After the lease the event is claimed again, with one attempt more."""
    await inbox.store(delivery())
    await inbox.claim(1, timedelta(seconds=1))
    assert await inbox.claim(1, MINUTE) == ()
    await asyncio.sleep(1.1)
    assert [item.attempts for item in await inbox.claim(1, MINUTE)] == [2]


async def test_a_finished_event_never_comes_back(inbox: Inbox) -> None:
    """It keeps its first outcome, also when somebody whose lease ran out answers late."""
    event = delivery()
    await inbox.store(event)
    [item] = await inbox.claim(1, timedelta(0))
    await inbox.finish(item, "delivered")
    await inbox.finish(item, "late")
    await inbox.postpone(item, timedelta(0), "late")
    assert await inbox.claim(1, MINUTE) == ()
    row = await inbox.get("stripe", event.event_id)
    assert row is not None
    assert row["outcome"] == "delivered"
    assert await inbox.unprocessed() == 0


async def test_a_postponed_event_comes_back_when_due(inbox: Inbox) -> None:
    """Not before its time, whatever lease it had, and with its attempts counted on."""
    event = delivery()
    await inbox.store(event)
    [item] = await inbox.claim(1, MINUTE)
    await inbox.postpone(item, MINUTE, "not yet")
    assert await inbox.claim(1, MINUTE) == ()
    await inbox.postpone(item, timedelta(0), "not yet")
    assert [again.attempts for again in await inbox.claim(1, MINUTE)] == [2]
    row = await inbox.get("stripe", event.event_id)
    assert row is not None
    assert row["outcome"] == "not yet"


async def test_news_wakes_who_waits(inbox: Inbox) -> None:
    """A stored event ends the wait at once; a repeat and an irrelevant one do not; with nothing the time runs out."""
    await inbox.wait_for_news(SOON)  # The first wait begins to listen and tells to look once.
    assert not await inbox.wait_for_news(timedelta(milliseconds=50))
    event = delivery()
    waiting = asyncio.create_task(inbox.wait_for_news(SOON))
    await inbox.store(event)
    assert await waiting
    await inbox.store(event)
    await inbox.store(delivery(relevant=False))
    assert not await inbox.wait_for_news(timedelta(milliseconds=100))


async def test_a_cut_listener_listens_again(inbox: Inbox, fresh_owner: asyncpg.Connection) -> None:
    """After the connection broke, whoever waits is told to look, and hears the next event."""
    await inbox.wait_for_news(SOON)
    await cut_others(fresh_owner)
    assert await inbox.wait_for_news(SOON)
    while await inbox.wait_for_news(timedelta(milliseconds=100)):
        pass
    waiting = asyncio.create_task(inbox.wait_for_news(SOON))
    await inbox.store(delivery())
    assert await waiting
