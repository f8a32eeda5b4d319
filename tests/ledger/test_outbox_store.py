"""The outbox as the relay and the replays read it: whose turn it is, what is marked, and in which order."""

import asyncio
import secrets
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.books import Books
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine
from ledger.outbox_store import Backlog, Outbox, OutboxRow
from tests.ledger.samples import whole_life

Batch = Sequence[Sequence[OutboxRow]]
_EVERYTHING = datetime(2000, 1, 1, tzinfo=UTC)


class Taken:
    """Remembers what it was given, and confirms all of it but the rows of `refused`."""

    def __init__(self, refused: Collection[tuple[str, int]] = ()) -> None:
        self.refused = refused
        self.given: list[tuple[str, int]] = []
        self.batches: list[Batch] = []

    async def __call__(self, due: Batch) -> Collection[int]:
        """Take one batch."""
        self.batches.append(due)
        given = [row for queue in due for row in queue]
        self.given += [(row.subject, row.sequence) for row in given]
        return [row.id for row in given if (row.subject, row.sequence) not in self.refused]


async def _told(owner: asyncpg.Connection, subject: str, *sequences: int) -> None:
    """Put rows of a subject on the books that is no checkout."""
    statement = "INSERT INTO outbox (subject, sequence, type, payload) VALUES ($1, $2, 'thing.happened', '{}')"
    await owner.executemany(statement, [(subject, sequence) for sequence in sequences])


async def test_a_subjects_rows_come_together_and_in_order(
    fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """Every subject's unpublished rows, in their order, counted from 1; once marked, they are not given again."""
    for subject, sequence in (("b", 2), ("a", 3), ("b", 7), ("a", 4)):
        await _told(fresh_owner, subject, sequence)
    taken = Taken()
    assert await Outbox(fresh_engine).pass_on(taken) == 4
    assert taken.given == [("a", 3), ("a", 4), ("b", 2), ("b", 7)]
    assert [[row.ordinal for row in queue] for queue in taken.batches[0]] == [[1, 2], [1, 2]]
    assert await Outbox(fresh_engine).pass_on(taken) == 0
    await _told(fresh_owner, "b", 9)
    await Outbox(fresh_engine).pass_on(taken)
    assert [(row.sequence, row.ordinal) for row in taken.batches[1][0]] == [(9, 3)]


async def test_only_what_was_confirmed_is_marked(fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection) -> None:
    """A row that was not confirmed is the first of its subject in the next batch."""
    await _told(fresh_owner, "a", 1, 2, 3)
    taken = Taken({("a", 2), ("a", 3)})
    await Outbox(fresh_engine).pass_on(taken)
    await Outbox(fresh_engine).pass_on(taken)
    assert taken.given == [("a", 1), ("a", 2), ("a", 3), ("a", 2), ("a", 3)]


async def test_a_batch_is_bounded_and_starves_nobody(
    fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """Long queues are cut, the subjects that have waited longest come first, and each of them gets its first row."""
    await _told(fresh_owner, "long", *range(1, 301))
    for name in ("b", "c", "d"):
        await _told(fresh_owner, name, 1)
    taken = Taken()
    assert await Outbox(fresh_engine).pass_on(taken, subjects=3, rows=10) == 10
    assert taken.given == [("b", 1), ("c", 1), *(("long", number) for number in range(1, 9))]
    assert await Outbox(fresh_engine).pass_on(taken) == 101


async def test_whoever_has_the_first_row_has_the_subject(
    fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """While one works on a subject, another gets neither its rows nor those that are added; afterwards it does."""
    await _told(fresh_owner, "a", 1, 2)
    outbox, second = Outbox(fresh_engine), Taken()

    async def slow(due: Batch) -> Collection[int]:
        await _told(fresh_owner, "a", 3)
        await _told(fresh_owner, "b", 1)
        await Outbox(fresh_engine).pass_on(second)
        return [due[0][0].id]

    await outbox.pass_on(slow)
    assert second.given == [("b", 1)]
    await outbox.pass_on(second)
    assert second.given == [("b", 1), ("a", 2), ("a", 3)]


async def test_who_dies_in_between_has_published_nothing(
    fresh_database_url: str, fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """A connection that is lost after the broker's answer leaves the rows unpublished, and the outbox says so."""
    await _told(fresh_owner, "a", 1)
    pool = create_engine(fresh_database_url, 1)

    async def cut_off(due: Batch) -> Collection[int]:
        ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE state = 'idle in transaction'"
        assert await fresh_owner.fetchval(f"{ended} AND datname = current_database()")
        return [row.id for queue in due for row in queue]

    with pytest.raises(StoreUnavailableError):
        await Outbox(pool).pass_on(cut_off)
    await pool.dispose()
    taken = Taken()
    await Outbox(fresh_engine).pass_on(taken)
    assert taken.given == [("a", 1)]


async def test_several_at_once_give_every_row_in_order(
    fresh_database_url: str, fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """Of four that work at once while rows are added, none gives a row away before its predecessor is confirmed."""
    given: dict[str, list[int]] = {}
    pool = create_engine(fresh_database_url, 4)

    async def publish(due: Batch) -> Collection[int]:
        confirmed = []
        for queue in due:
            for row in queue[:2]:
                await asyncio.sleep(0)
                given.setdefault(row.subject, []).append(row.sequence)
                confirmed.append(row.id)
        return confirmed

    async def write() -> None:
        for number in range(1, 41):
            for subject in "abcdefgh":
                await _told(fresh_owner, subject, number)

    writing = asyncio.create_task(write())

    async def pass_on() -> None:
        while not writing.done() or await Outbox(pool).backlog() != Backlog(0, None):
            await Outbox(pool).pass_on(publish, subjects=3)

    await asyncio.gather(*(pass_on() for _ in range(4)))
    await writing
    await pool.dispose()
    assert given == {subject: list(range(1, 41)) for subject in "abcdefgh"}


async def test_the_backlog_is_counted(fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection) -> None:
    """How many wait, and for how long the oldest does; nothing and None where none waits."""
    outbox = Outbox(fresh_engine)
    assert await outbox.backlog() == Backlog(0, None)
    await _told(fresh_owner, "a", 1)
    await asyncio.sleep(0.05)
    await _told(fresh_owner, "a", 2)
    backlog = await outbox.backlog()
    assert backlog.unpublished == 2
    assert backlog.oldest is not None
    assert timedelta(seconds=0.05) <= backlog.oldest < timedelta(seconds=10)
    await outbox.pass_on(Taken())
    assert await outbox.backlog() == Backlog(0, None)


async def test_the_past_can_be_read_again(fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection) -> None:
    """From a moment on, up to another, of some types only: in the books' order, published or not, over many pages."""
    statement = (
        "INSERT INTO outbox (subject, sequence, type, payload, created_at) SELECT 's' || n % 7, n, "
        "CASE WHEN n % 2 = 0 THEN 'even' ELSE 'odd' END, '{}', timestamptz '2026-01-01Z' + n * interval '1 minute' "
        "FROM generate_series(1, 2500) AS n"
    )
    await fresh_owner.execute(statement)
    outbox = Outbox(fresh_engine)
    await outbox.pass_on(Taken())
    everything = [row async for row in outbox.since(_EVERYTHING)]
    assert [row.sequence for row in everything] == list(range(1, 2501))
    assert [row.ordinal for row in everything if row.subject == "s3"] == list(range(1, 358))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    some = outbox.since(start + timedelta(minutes=10), {"even"}, start + timedelta(minutes=21))
    assert [row.sequence async for row in some] == [10, 12, 14, 16, 18, 20]
    assert [row async for row in outbox.since(start + timedelta(days=3))] == []


async def test_a_subjects_times_are_in_the_order_of_its_events(
    books: Books, engine: AsyncEngine, owner: asyncpg.Connection
) -> None:
    """A writer that began earlier and had to wait does not date its event before that of the one it waited for."""
    made = await whole_life(books)
    subject = f"thing_{secrets.token_hex(4)}"
    async with owner.transaction():
        await owner.execute("SELECT now()")
        await asyncio.sleep(0.02)
        async with engine.begin() as other:
            insert = "INSERT INTO outbox (subject, sequence, type, payload) VALUES ($1, 1, 'thing.happened', '{}')"
            await other.exec_driver_sql(insert, (subject,))
        await _told(owner, subject, 2)
    query = "SELECT sequence FROM outbox WHERE subject = $1 ORDER BY created_at"
    assert [row[0] for row in await owner.fetch(query, subject)] == [1, 2]
    times = await owner.fetch("SELECT created_at FROM outbox WHERE subject = $1 ORDER BY sequence", made.id)
    assert times == sorted(times)


async def test_a_long_backlog_is_passed_on_without_reading_all_of_it(
    fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """Of 100,000 events that wait behind as many that are published, a batch touches no more blocks than it must."""
    await fresh_owner.execute(
        "INSERT INTO outbox (subject, sequence, type, payload, published_at) SELECT 's' || n % 20000, n, 't', '{}', "
        "CASE WHEN n <= 100000 THEN now() END FROM generate_series(1, 200000) AS n"
    )
    await fresh_owner.execute("ANALYZE outbox")  # The database's own housekeeping does so within a minute.
    before = await _blocks(fresh_owner)
    assert await Outbox(fresh_engine).pass_on(Taken()) == 1000
    # Looking once at each of what waits would come to 400,000.
    assert await _blocks(fresh_owner) - before < 60_000
    assert (await Outbox(fresh_engine).backlog()).unpublished == 99_000


async def _blocks(owner: asyncpg.Connection) -> int:
    """How many blocks of the table and its indices have been asked for so far."""
    await asyncio.sleep(1.2)  # Postgres hands its counts on at most once a second.
    query = "SELECT heap_blks_hit + heap_blks_read + idx_blks_hit + idx_blks_read FROM pg_statio_user_tables"
    return int(await owner.fetchval(f"{query} WHERE relname = 'outbox'"))
