"""The stores on the real Postgres, as the running product has them."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.books import Books
from ledger.engine import create_engine, dsn


@pytest.fixture(scope="session")
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the shared database, running as paysaga_app."""
    pool = create_engine(database_url)
    yield pool
    await pool.dispose()


@pytest.fixture(scope="session")
def books(engine: AsyncEngine) -> Books:
    """The books on the shared database."""
    return Books(engine)


@pytest.fixture
async def fresh_engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on a database of the test's own."""
    pool = create_engine(fresh_database_url)
    yield pool
    await pool.dispose()


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the shared database as its owner, a superuser."""
    connection = await asyncpg.connect(dsn(database_url))
    yield connection
    await connection.close()


@pytest.fixture
async def fresh_owner(fresh_database_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the test's own database as its owner, a superuser."""
    connection = await asyncpg.connect(dsn(fresh_database_url))
    yield connection
    await connection.close()
