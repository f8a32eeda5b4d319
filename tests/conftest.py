"""What every test folder shares: one Postgres for the whole run."""

import asyncio
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy.engine import make_url

from devstack import postgres
from ledger.engine import dsn
from ledger.migrate import migrate

TEMPLATE = "paysaga_template"
_CLOCK = time.monotonic


_LONG = ("broker", "relay", "subscribers", "workflows")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Those first that wait for brokers and sagas: they take longest, and what is left for the end should be short."""
    items.sort(key=lambda item: not any(folder in item.path.parts for folder in _LONG))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    """A test may move its subject's clock, never the process's: the servers that all share would wait for hours."""
    result = yield
    assert time.monotonic is _CLOCK, "this test changed time.monotonic itself, which the event loop reads too"
    return result


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """The URL of a Postgres of this run's own, or of PAYSAGA_TEST_DATABASE_URL; tests make their databases there."""
    if given := os.environ.get("PAYSAGA_TEST_DATABASE_URL"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="paysaga-tests-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)  # Else the server's own user could not enter when root runs the tests.
        unsafe_but_fast = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
        try:
            yield postgres.start(Path(folder), unsafe_but_fast)
        finally:
            postgres.remove(Path(folder))


@pytest.fixture(scope="session")
def template_database(server_url: str) -> Iterator[str]:
    """The name of a migrated database that nobody connects to: copying it is faster than migrating again."""
    name = f"{TEMPLATE}_{secrets.token_hex(4)}"
    asyncio.run(_command(server_url, f"CREATE DATABASE {name}"))
    asyncio.run(migrate(in_database(server_url, name)))
    yield name
    asyncio.run(_command(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def database_url(server_url: str, template_database: str) -> Iterator[str]:
    """The URL (as the owner) of a migrated database that the whole run shares: tests tell their rows apart by ids."""
    name = f"paysaga_{secrets.token_hex(4)}"
    asyncio.run(_command(server_url, f"CREATE DATABASE {name} TEMPLATE {template_database}"))
    yield in_database(server_url, name)
    asyncio.run(_command(server_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def fresh_database_url(server_url: str, template_database: str) -> AsyncIterator[str]:
    """The URL (as the owner) of an empty migrated database for one test, for those that count or break things."""
    async with new_database(server_url, template_database) as url:
        yield url


@asynccontextmanager
async def new_database(server_url: str, template: str = "template1") -> AsyncIterator[str]:
    """The URL of a database of one's own, removed at the end."""
    name = f"paysaga_{secrets.token_hex(4)}"
    await _command(server_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield in_database(server_url, name)
    finally:
        await _command(server_url, f"DROP DATABASE {name} WITH (FORCE)")


def in_database(url: str, name: str) -> str:
    """The same server's URL with another database."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


async def _command(url: str, sql: str) -> None:
    connection = await asyncpg.connect(dsn(url))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()
