"""What an error of Postgres tells: the product's own errors, and nothing of what was being stored."""

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.errors import BooksError
from ledger.books import Books
from ledger.contract import StoreUnavailableError
from ledger.engine import create_engine
from ledger.failures import as_store_error
from ledger.inbox import Inbox
from tests.ledger.samples import checkout, created, delivery, opened


async def test_an_error_repeats_no_value(books: Books) -> None:
    """An error's text and those of its causes go into logs and to Temporal: no client secret and no address in them."""
    first, second = checkout(), checkout()
    for made in (first, second):
        await books.create_checkout(made, created())
    await books.append(first.id, [opened(f"pi_{first.id}")])
    with pytest.raises(BooksError) as caught:
        await books.append(second.id, [opened(f"pi_{first.id}")])
    texts, cause = [], caught.value.__cause__
    while cause is not None:
        texts.append(str(cause))
        cause = cause.__cause__
    assert "one_checkout_per_payment" in str(caught.value)
    assert len(texts) > 1
    assert "_secret_" not in "".join(texts)


async def test_the_detail_line_stays_out_of_the_message(owner: asyncpg.Connection) -> None:
    """Postgres shows the whole refused row as a detail; our error has only what was wrong with it."""
    with pytest.raises(asyncpg.NotNullViolationError) as caught:
        await owner.execute("INSERT INTO api_keys (id, name, secret_hash) VALUES ('k', 'ada@shop.example', 'h')")
    assert "ada@shop.example" in str(caught.value)
    assert "ada@shop.example" not in str(as_store_error(caught.value))


async def test_a_server_that_became_a_standby_is_unavailable(
    fresh_database_url: str, fresh_owner: asyncpg.Connection
) -> None:
    """After a fail-over the old server only reads: the caller is told to come again, and later it works."""
    name = await fresh_owner.fetchval("SELECT current_database()")
    await fresh_owner.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine: AsyncEngine = create_engine(fresh_database_url)
    inbox = Inbox(engine)
    await inbox.start()
    made = checkout()
    with pytest.raises(StoreUnavailableError):
        await Books(engine).create_checkout(made, created())
    with pytest.raises(StoreUnavailableError):
        await inbox.store(delivery())
    await fresh_owner.execute("SET default_transaction_read_only = off")
    await fresh_owner.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    assert await inbox.store(delivery())
    await inbox.close()
    await engine.dispose()
