"""Sending again, on each broker: dead letters one by one, and events of the books."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from events.broker.contract import Broker, Channel, Message, channel_to, dead_letters_of
from events.broker.registry import connect
from events.replaying import dead_letters, send_again
from events.subscribers.consuming import WHY
from events.wire import from_message
from ledger.books import Books
from ledger.engine import create_engine
from ledger.outbox_store import Outbox
from tests.events.servers import Server
from tests.ledger.samples import whole_life

NAME = "orders"
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
LETTERS = tuple(
    Message(f"chk_{subject}:{number}", f"chk_{subject}", "payment.succeeded", b"{}", ((WHY, f"why {subject}"),))
    for number in (1, 2)
    for subject in ("a", "b", "c")
)


@pytest.fixture
def connecting(server: Server, prefix: str) -> Callable[[], Broker]:
    """Makes connections to each kind of broker."""
    return lambda: connect(server.url, (NAME,), prefix)


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    """Books of the test's own."""
    pool = create_engine(fresh_database_url, pool_size=3)
    yield pool
    await pool.dispose()


@asynccontextmanager
async def started(broker: Broker) -> AsyncIterator[Broker]:
    """The broker while it is connected."""
    await broker.start()
    try:
        yield broker
    finally:
        await broker.close()


async def heard(broker: Broker, channel: Channel, count: int) -> list[Message]:
    """What the subscriber gets there, so many messages."""
    got: asyncio.Queue[Message] = asyncio.Queue()
    broker.listen(channel, NAME, got.put)
    async with started(broker), asyncio.timeout(60):
        return [await got.get() for _ in range(count)]


async def test_dead_letters_are_shown_and_sent_again(connecting: Callable[[], Broker]) -> None:
    """Showing loses none; sent again they lie there no more, and the subscriber gets them as they were."""
    async with started(connecting()) as broker:
        for letter in LETTERS:
            await broker.publish(dead_letters_of(NAME), letter)
    expected = sorted((letter.id, letter.topic, dict(letter.headers)[WHY]) for letter in LETTERS)
    for again in (False, True):
        seen = await dead_letters(connecting, NAME, again)
        assert sorted((one.id, one.topic, one.why) for one in seen) == expected
    assert await dead_letters(connecting, NAME, again=False) == []
    assert await dead_letters(connecting, NAME, again=True) == []
    sent = await heard(connecting(), channel_to(NAME), len(LETTERS))
    for subject in ("a", "b", "c"):
        ids = [one.id for one in sent if one.key == f"chk_{subject}"]
        assert ids == [f"chk_{subject}:1", f"chk_{subject}:2"]
    assert {(one.topic, one.body) for one in sent} == {("payment.succeeded", b"{}")}
    assert all(name != WHY for one in sent for name, _ in one.headers)


async def test_events_of_the_books_are_sent_to_one_subscriber(
    connecting: Callable[[], Broker], engine: AsyncEngine
) -> None:
    """From a moment on and before another, each checkout's in order, as the relay sends them."""
    for _ in range(4):
        await whole_life(Books(engine))
    rows = [row async for row in Outbox(engine).since(LONG_AGO)]
    first, last = rows[5].created_at, rows[-1].created_at + timedelta(seconds=1)
    async with started(connecting()) as broker:
        assert await send_again(Outbox(engine), broker, NAME, first, last) == len(rows) - 5
        assert await send_again(Outbox(engine), broker, NAME, last) == 0
    events = [from_message(one) for one in await heard(connecting(), channel_to(NAME), len(rows) - 5)]
    assert {event.id for event in events} == {f"{row.subject}:{row.sequence}" for row in rows[5:]}
    for subject in {event.subject for event in events}:
        sequences = [event.sequence for event in events if event.subject == subject]
        assert sequences == sorted(sequences)
