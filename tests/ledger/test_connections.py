"""Connections that break: nothing half written, a typed error, and the next call works."""

import asyncio

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.books import Books
from ledger.contract import StoreUnavailableError
from ledger.engine import APP_ROLE, create_engine, dsn
from ledger.failures import translated
from ledger.keys import ApiKeys
from ledger.verify import verify
from tests.ledger.samples import checkout, created, opened, paid
from tests.ledger.test_inbox import cut_others


async def somebody_waits(connection: asyncpg.Connection) -> None:
    """Until a statement of another connection waits for a lock."""
    waiting = "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
    waiting += " WHERE NOT granted AND d.datname = current_database()"
    async with asyncio.timeout(20):
        while not await connection.fetchval(waiting):  # noqa: ASYNC110 - Postgres tells nobody of it.
            await asyncio.sleep(0.02)


async def test_a_write_cut_off_leaves_nothing(fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection) -> None:
    """When the connection dies in the middle of an append, none of its rows stand and the same append then works."""
    books = Books(fresh_engine)
    made = checkout()
    await books.create_checkout(made, created())
    entries = [opened("pi_1"), paid("pi_1")]
    change = fresh_owner.transaction()
    await change.start()
    await fresh_owner.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    appending = asyncio.create_task(books.append(made.id, entries))
    await somebody_waits(fresh_owner)
    await cut_others(fresh_owner)
    with pytest.raises(StoreUnavailableError):
        await appending
    await change.rollback()
    assert len(await books.timeline(made.id)) == 1
    assert await books.postings(made.id) == ()
    assert (await books.append(made.id, entries)).sequence == 3
    assert (await verify(fresh_engine)).breach is None


async def test_a_caller_cancelled_in_the_middle_leaves_nothing(
    fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """A cancelled append is rolled back, and its connection serves the next one."""
    books = Books(fresh_engine)
    made = checkout()
    await books.create_checkout(made, created())
    change = fresh_owner.transaction()
    await change.start()
    await fresh_owner.execute("LOCK TABLE outbox IN ACCESS EXCLUSIVE MODE")
    appending = asyncio.create_task(books.append(made.id, [opened("pi_1")]))
    await somebody_waits(fresh_owner)
    appending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await appending
    await change.rollback()
    assert len(await books.timeline(made.id)) == 1
    assert (await books.append(made.id, [opened("pi_1")])).sequence == 2


async def test_pooled_connections_that_died_cost_nothing(
    fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection
) -> None:
    """After Postgres dropped every idle connection the next calls work at once."""
    keys = ApiKeys(fresh_engine)
    await asyncio.gather(*(keys.create("shop", []) for _ in range(5)))
    for _ in range(3):
        await cut_others(fresh_owner)
        await asyncio.sleep(0.1)  # The farewell of each server process takes its moment to arrive.
        assert len(await asyncio.gather(*(keys.list() for _ in range(5)))) == 5


@pytest.mark.parametrize("url", ["postgresql://x@127.0.0.1:1/none", "postgresql://x@/none?host=/nowhere"])
async def test_no_postgres_is_a_typed_error(url: str) -> None:
    """Reads, writes and the walk say that the store is unavailable."""
    engine = create_engine(url)
    books = Books(engine)
    for call in (books.get("chk_1"), books.create_checkout(checkout(), created()), verify(engine)):
        with pytest.raises(StoreUnavailableError):
            await call
    await engine.dispose()


async def test_the_pool_runs_as_the_product_and_its_owner_when_asked(database_url: str) -> None:
    """The role is paysaga_app unless the owner's rights are asked for."""
    owner = await asyncpg.connect(dsn(database_url))
    owner_name = await owner.fetchval("SELECT current_user")
    await owner.close()
    for as_owner, expected in ((False, APP_ROLE), (True, owner_name)):
        engine = create_engine(database_url, as_owner=as_owner)
        async with engine.connect() as connection:
            assert (await connection.exec_driver_sql("SELECT current_user")).scalar_one() == expected
        await engine.dispose()


def test_an_address_is_taken_in_every_spelling() -> None:
    """The driver's name and `postgres://` lead to the same server; password and socket folder survive."""
    plain = "postgresql://me:p%40ss@db.example:5433/books"
    assert dsn("postgresql+asyncpg://me:p%40ss@db.example:5433/books") == dsn(plain) == plain
    assert dsn("postgres://me@db/books") == "postgresql://me@db/books"
    engine = create_engine("postgresql://me@/books?host=/run/my folder")
    assert (engine.url.drivername, engine.url.query["host"]) == ("postgresql+asyncpg", "/run/my folder")


async def test_a_server_that_hangs_is_a_store_that_is_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A statement without an answer ends in a named error, not in a caller that waits for ever."""
    monkeypatch.setattr("ledger.engine.STATEMENT_SECONDS", 0.2)
    engine = create_engine(database_url)
    try:
        with pytest.raises(StoreUnavailableError), translated():
            async with engine.connect() as connection:
                await connection.execute(text("SELECT pg_sleep(20)"))
    finally:
        await engine.dispose()
