"""The shared database, as the books see it."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from ledger.books import Books
from ledger.engine import create_engine


@pytest.fixture
async def engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the shared database."""
    pool = create_engine(database_url)
    yield pool
    await pool.dispose()


@pytest.fixture
def books(engine: AsyncEngine) -> Books:
    """The books there."""
    return Books(engine)
