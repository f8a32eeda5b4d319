"""What the relay's tests share: the books of one test, and relays that end with it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from events.broker.contract import Broker
from events.relay.meter import RelayMeter
from events.relay.relaying import Relay
from ledger.engine import create_engine, dsn
from ledger.listener import Listener
from ledger.outbox_store import CHANNEL, Backlog, Outbox


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the test's own database."""
    pool = create_engine(fresh_database_url)
    yield pool
    await pool.dispose()


@pytest.fixture
async def owner(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's own database as its owner."""
    connection = await asyncpg.connect(dsn(fresh_database_url))
    yield connection
    await connection.close()


@pytest.fixture
def told(owner: asyncpg.Connection) -> Callable[[str, Iterable[int]], Awaitable[None]]:
    """Puts events of a subject that is no checkout on the books, in one transaction."""
    statement = "INSERT INTO outbox (subject, sequence, type, payload) VALUES ($1, $2, 'thing.happened', '{\"n\": 1}')"

    async def tell(subject: str, sequences: Iterable[int]) -> None:
        await owner.executemany(statement, [(subject, sequence) for sequence in sequences])

    return tell


@asynccontextmanager
async def relaying(
    engine: AsyncEngine, broker: Broker, meter: RelayMeter | None = None
) -> AsyncIterator[tuple[asyncio.Event, asyncio.Task[None]]]:
    """A relay at work; gives what stops it, and its task. It is stopped at the end."""
    news, stop = Listener(engine, CHANNEL), asyncio.Event()
    task = asyncio.create_task(Relay(Outbox(engine), news, broker, ("orders",), meter).run(stop))
    try:
        yield stop, task
    finally:
        stop.set()
        await task
        await news.close()


async def until(done: Callable[[], bool | Awaitable[bool]], seconds: float = 20) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(seconds):
        while True:
            answer = done()
            if answer if isinstance(answer, bool) else await answer:
                return
            await asyncio.sleep(0.02)


async def published(engine: AsyncEngine) -> bool:
    """Whether nothing waits."""
    return await Outbox(engine).backlog() == Backlog(0, None)


def first_seen(ids: Iterable[str]) -> dict[str, list[int]]:
    """For each subject the sequences of its events, in the order in which they were first seen."""
    seen: dict[str, list[int]] = {}
    for id_ in ids:
        subject, _, sequence = id_.rpartition(":")
        known = seen.setdefault(subject, [])
        if int(sequence) not in known:
            known.append(int(sequence))
    return seen
