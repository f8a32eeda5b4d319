"""Migrations: from nothing, again, several at once, and with the tables that the stores think they have."""

import asyncio
import os
import sys

import asyncpg
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from ledger.engine import create_engine, dsn
from ledger.migrate import migrate
from ledger.tables import metadata
from tests.conftest import new_database


async def test_the_tables_are_those_the_stores_know(database_url: str) -> None:
    """What the migrations make and what the code describes differ in nothing."""

    def differences(connection: Connection) -> list[object]:
        return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))

    engine = create_engine(database_url, as_owner=True)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_several_at_once_migrate_once(server_url: str) -> None:
    """Processes that migrate one database, and another on the same server, at the same moment all succeed."""
    async with new_database(server_url) as one, new_database(server_url) as other:
        outcomes = await asyncio.gather(*(command(url) for url in (one, one, other)))
        assert outcomes == [(0, "")] * 3
        await migrate(one)
        for url in (one, other):
            connection = await asyncpg.connect(dsn(url))
            assert [row[0] for row in await connection.fetch("SELECT version_num FROM alembic_version")] == ["0009"]
            assert await connection.fetchval("SELECT count(*) FROM timeline") == 0
            await connection.close()


async def test_what_is_on_the_books_stays_as_it_was(server_url: str) -> None:
    """A database of before the shop could refund, with rows in it: they are there still, and mean the same."""
    async with new_database(server_url) as url:
        await migrate(url, "0004")
        connection = await asyncpg.connect(dsn(url))
        await connection.execute(
            "INSERT INTO checkouts VALUES ('chk_old', 'order', 4200, 'EUR', 'stripe', 'automatic', NULL, now(), now())"
        )
        await connection.execute(
            "INSERT INTO webhook_inbox (gateway, event_id, type, live, relevant, body, headers, verified, received_at) "
            "VALUES ('stripe', 'evt_old', 't', false, true, '', '{}', true, now())"
        )
        await migrate(url)
        assert await connection.fetchval("SELECT on_hold_expiry FROM checkouts") == "cancel"
        row = await connection.fetchrow("SELECT dispute_id, source, replays FROM webhook_inbox")
        assert row is not None
        assert tuple(row) == (None, "webhook", 0)
        await connection.close()


async def test_the_command_says_what_it_lacks() -> None:
    """Without DATABASE_URL it names the variable and fails, without a trace of code."""
    code, said = await command("")
    assert code == 2
    assert "DATABASE_URL" in said
    assert "Traceback" not in said


async def command(database_url: str) -> tuple[int | None, str]:
    """`python -m ledger.migrate` on this database: its exit code and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ledger.migrate",
        env=os.environ | {"DATABASE_URL": database_url},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaints = await process.communicate()
    return process.returncode, complaints.decode()
