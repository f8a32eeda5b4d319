"""The relay's loop on real books, with a broker in memory that fails on demand."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Iterable

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from events.broker.contract import BrokerDownError, Message
from events.relay import relaying as loop
from events.relay.meter import RelayMeter
from ledger.books import Books
from ledger.outbox_store import Backlog, Outbox
from tests.events.relay.conftest import first_seen, published, relaying, until
from tests.events.relay.memory import MemoryBroker
from tests.ledger.samples import whole_life

Tell = Callable[[str, Iterable[int]], Awaitable[None]]


async def test_what_is_on_the_books_reaches_the_broker(engine: AsyncEngine) -> None:
    """A checkout's events, in their order, whole and as CloudEvents, and then they are marked as published."""
    broker = MemoryBroker()
    async with relaying(engine, broker):
        made = await whole_life(Books(engine))
        await until(lambda: published(engine))
    assert [message.topic for message in broker.taken] == [
        "checkout.created",
        "checkout.opened",
        "payment.succeeded",
        "refund.created",
        "refund.succeeded",
    ]
    sent = [json.loads(message.body) for message in broker.taken]
    assert [event["sequence"] for event in sent] == [f"{number:010}" for number in range(1, 6)]
    assert {event["subject"] for event in sent} == {message.key for message in broker.taken} == {made.id}
    assert sent[2]["data"]["amount_captured"] == made.amount.minor


async def test_it_wakes_by_the_commit(engine: AsyncEngine, owner: asyncpg.Connection, told: Tell) -> None:
    """An event is published at once when it is committed, not by the look every half minute, and never before."""
    broker = MemoryBroker()
    async with relaying(engine, broker):
        await told("a", [1])
        await until(lambda: broker.ids() == ["a:1"], 5)
        async with owner.transaction():
            await told("a", [2])
            await asyncio.sleep(0.5)
            assert broker.ids() == ["a:1"]
        await until(lambda: broker.ids() == ["a:1", "a:2"], 5)


async def test_what_is_rolled_back_is_never_told(engine: AsyncEngine, owner: asyncpg.Connection, told: Tell) -> None:
    """An event whose transaction fails is nobody's news."""
    broker = MemoryBroker()
    async with relaying(engine, broker):
        transaction = owner.transaction()
        await transaction.start()
        await told("a", [1])
        await transaction.rollback()
        await told("b", [1])
        await until(lambda: published(engine))
    assert broker.ids() == ["b:1"]


async def test_a_lost_connection_to_listen_on_is_made_anew(
    engine: AsyncEngine, owner: asyncpg.Connection, told: Tell
) -> None:
    """The listening connection may be cut at any time: what is committed after that still wakes the relay at once."""
    broker = MemoryBroker()
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
    async with relaying(engine, broker):
        for number in range(1, 4):
            await told("a", [number])
            await until(lambda number=number: len(broker.taken) == number, 5)
            await until(lambda: _listens(owner))
            assert await owner.fetch(f"{cut} AND query LIKE 'LISTEN%'")
            await asyncio.sleep(0.3)
    assert broker.ids() == ["a:1", "a:2", "a:3"]


async def test_a_lost_notification_costs_a_look(
    engine: AsyncEngine, owner: asyncpg.Connection, told: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What nobody was told of is found by the look that comes anyway."""
    monkeypatch.setattr(loop, "LOOK_AGAIN", loop.LOOK_AGAIN / 60)
    broker = MemoryBroker()
    async with relaying(engine, broker):
        await told("a", [1])
        await until(lambda: published(engine))
        await owner.execute("ALTER TABLE outbox DISABLE TRIGGER told")
        await told("a", [2])
        await until(lambda: broker.ids() == ["a:1", "a:2"], 5)


async def test_a_subject_stops_at_its_first_failure(
    engine: AsyncEngine, told: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    """What follows in its subject waits for it; other subjects go on; what was confirmed before is marked."""
    broker = MemoryBroker()
    refused = {"a:2"}

    def refuse(message: Message) -> None:
        if message.id in refused:
            raise ValueError(message.id)

    broker.before = refuse
    await told("a", [1, 2, 3])
    await told("b", [1, 2])
    async with relaying(engine, broker):
        await until(lambda: len(broker.taken) == 3)
        await until(lambda: _unpublished(engine, 2))
        assert first_seen(broker.ids()) == {"a": [1], "b": [1, 2]}
        assert "a:2 was not taken" in caplog.text
        refused.clear()
        await told("b", [3])
        await until(lambda: published(engine))
    assert first_seen(broker.ids()) == {"a": [1, 2, 3], "b": [1, 2, 3]}
    assert len(broker.taken) == 6


async def test_a_broker_that_goes_keeps_what_it_confirmed(
    engine: AsyncEngine, told: Tell, caplog: pytest.LogCaptureFixture
) -> None:
    """When it goes in the middle of a batch, nothing is sent twice, left out or reordered; the log has two lines."""
    broker, meter = MemoryBroker(), RelayMeter()

    def goes(_: Message) -> None:
        if len(broker.taken) == 5:
            broker.up = False
            raise BrokerDownError("gone")

    broker.before = goes
    for name in "abc":
        await told(name, range(1, 5))
    with caplog.at_level(logging.INFO):
        async with relaying(engine, broker, meter):
            await until(lambda: broker.asked >= 3)
            assert await Outbox(engine).backlog() != Backlog(0, None)
            broker.before, broker.up = lambda message: None, True
            await until(lambda: published(engine))
    assert first_seen(broker.ids()) == {name: [1, 2, 3, 4] for name in "abc"}
    assert len(broker.taken) == 12
    assert [r.getMessage().split(":")[0].split(" after")[0] for r in caplog.records] == [
        "the broker is down",
        "the broker is back",
    ]
    assert meter.registry.get_sample_value("paysaga_relay_published_total") == 12
    assert meter.registry.get_sample_value("paysaga_relay_publish_failures_total") >= 1


async def test_a_broker_that_is_down_locks_no_rows(engine: AsyncEngine, owner: asyncpg.Connection, told: Tell) -> None:
    """While it is known to be down no transaction is open, however often the relay tries, also from the start on."""
    broker = MemoryBroker()
    broker.up = False
    await told("a", [1])
    open_ones = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    async with relaying(engine, broker):
        for tries in range(1, 4):
            await until(lambda tries=tries: broker.started >= tries)
            assert await owner.fetchval(f"{open_ones} AND pid <> pg_backend_pid() AND query LIKE '%outbox%'") == 0
        broker.up = True
        await until(lambda: broker.ids() == ["a:1"])


async def test_a_broker_that_answers_but_takes_nothing_is_tried_with_one_event(engine: AsyncEngine, told: Tell) -> None:
    """After an outage a single event shows whether events are taken again, before whole batches are claimed."""
    broker, tried = MemoryBroker(), []

    def full(message: Message) -> None:
        tried.append(message.id)
        raise BrokerDownError("the disk is full")

    broker.before = full
    for name in "abcdef":
        await told(name, [1])
    async with relaying(engine, broker):
        await until(lambda: broker.asked >= 3 and len(tried) >= 9)
        assert sorted(tried[:6]) == [f"{name}:1" for name in "abcdef"]
        assert set(tried[6:]) == {"a:1"}
        broker.before = lambda message: None
        await until(lambda: published(engine))
    assert sorted(broker.ids()) == [f"{name}:1" for name in "abcdef"]


async def test_being_told_to_stop_finishes_what_is_on_its_way(engine: AsyncEngine, told: Tell) -> None:
    """What the broker has by then is marked, nothing more is begun, and the next relay takes over without doubles."""
    broker = MemoryBroker()
    broker.gate.clear()
    await told("a", [1, 2, 3])
    async with relaying(engine, broker) as (stop, task):
        await broker.arrived.wait()
        stop.set()
        await asyncio.sleep(0.1)
        assert not task.done()
        broker.gate.set()
        async with asyncio.timeout(5):
            await task
    assert broker.ids() == ["a:1"]
    assert await _unpublished(engine, 2)
    async with relaying(engine, broker):
        await until(lambda: published(engine))
    assert broker.ids() == ["a:1", "a:2", "a:3"]


async def test_a_pause_does_not_delay_the_stop(engine: AsyncEngine, told: Tell) -> None:
    """Whoever waits for a broker that is down ends at once when told to."""
    broker = MemoryBroker()
    broker.up = False
    async with relaying(engine, broker) as (stop, task):
        await until(lambda: broker.started >= 6)
        stop.set()
        async with asyncio.timeout(0.5):
            await task


async def test_a_batch_is_short_even_where_the_broker_is_slow(
    engine: AsyncEngine, told: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch begins nothing after its time: its transaction must not stay open for as long as the queue is."""
    monkeypatch.setattr("events.relay.passing.LONGEST_BATCH", 0.2)
    broker = MemoryBroker()
    await told("a", range(1, 30))
    broker.gate.clear()
    async with relaying(engine, broker):
        await broker.arrived.wait()
        await asyncio.sleep(0.3)
        broker.gate.set()
        await until(lambda: published(engine))
    assert first_seen(broker.ids()) == {"a": list(range(1, 30))}
    assert len(broker.taken) == 29


async def test_the_database_may_go_and_come_back(
    engine: AsyncEngine,
    owner: asyncpg.Connection,
    told: Tell,
    server_url: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While nobody gets a connection the relay waits, with two lines in the log, and then goes on by itself."""
    broker = MemoryBroker()
    other = await asyncpg.connect(server_url)
    name = await owner.fetchval("SELECT current_database()")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> $2"
    try:
        async with relaying(engine, broker):
            await told("a", [1])
            await until(lambda: published(engine))
            await until(lambda: _listens(owner))
            await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            await other.fetch(cut, name, owner.get_server_pid())
            await told("a", [2])
            await asyncio.sleep(1.5)
            assert broker.ids() == ["a:1"]
            await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
            await until(lambda: broker.ids() == ["a:1", "a:2"])
    finally:
        await other.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        await other.close()
    of_relay = [record.getMessage() for record in caplog.records if record.name == "events.outage"]
    assert [message.split(":")[0].split(" after")[0] for message in of_relay] == [
        "the database is down",
        "the database is back",
    ]


async def _unpublished(engine: AsyncEngine, number: int) -> bool:
    return (await Outbox(engine).backlog()).unpublished == number


async def _listens(owner: asyncpg.Connection) -> bool:
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
    return await owner.fetchval(query) == 1
