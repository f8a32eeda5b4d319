# ruff: noqa: S608 (the statements are made of this file's own constants)
"""Verification: it passes what is right and names the first row of whatever was tampered with behind the guards."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.checkout import CheckoutStatus
from domain.postings import capture_failed, refund_failed
from domain.states import CheckoutState
from domain.timeline import Entry, terms_of
from ledger.books import Books
from ledger.contract import Verification
from ledger.engine import APP_ROLE, create_engine, dsn
from ledger.verify import verify
from tests.conftest import new_database
from tests.ledger.samples import NOW, PRICE, checkout, created, opened, whole_life

GUARDED = ("checkouts", "timeline", "transactions", "postings")


@pytest.fixture(scope="module")
async def spoilt_url(server_url: str, template_database: str) -> AsyncIterator[str]:
    """A database that this module's tests share, each spoiling a checkout of its own."""
    async with new_database(server_url, template_database) as url:
        yield url


@pytest.fixture(scope="module")
async def spoilt(spoilt_url: str) -> AsyncIterator[AsyncEngine]:
    """A pool on the spoilt database."""
    pool = create_engine(spoilt_url)
    yield pool
    await pool.dispose()


@pytest.fixture(scope="module")
async def spoiler(spoilt_url: str) -> AsyncIterator[asyncpg.Connection]:
    """A superuser there who has switched every guard off."""
    connection = await asyncpg.connect(dsn(spoilt_url))
    await _switch_guards_off(connection)
    yield connection
    await connection.close()


@pytest.fixture
async def tampering(fresh_owner: asyncpg.Connection) -> asyncpg.Connection:
    """A superuser who has switched every guard off."""
    await _switch_guards_off(fresh_owner)
    return fresh_owner


async def _switch_guards_off(connection: asyncpg.Connection) -> None:
    for table in GUARDED:
        await connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")


async def test_right_books_hold(fresh_engine: AsyncEngine) -> None:
    """Everything is counted, over more checkouts than one batch holds, and one alone can be asked for."""
    books = Books(fresh_engine)
    assert await verify(fresh_engine) == Verification(0, 0, 0, None)
    whole = [await whole_life(books) for _ in range(3)]
    for _ in range(200):
        await books.create_checkout(checkout(), created())
    assert await verify(fresh_engine) == Verification(203, 215, 9, None)
    assert await verify(fresh_engine, whole[0].id) == Verification(1, 5, 3, None)


async def test_an_unknown_checkout_is_no_success(fresh_engine: AsyncEngine) -> None:
    """Asked for a checkout that is not there, it does not say that all is well."""
    found = await verify(fresh_engine, "chk_none")
    assert found.breach is not None
    assert found.breach.checkout_id == "chk_none"


ROW = "checkout_id = $1 AND sequence"
ID = "checkout_id = $1"


@pytest.mark.parametrize(
    ("statement", "sequence", "reason"),
    [
        (f"UPDATE timeline SET cause = 'operator' WHERE {ROW} = 2", 2, "hash does not match"),
        (f"UPDATE timeline SET details = '{{}}' WHERE {ROW} = 3", 3, "hash does not match"),
        (f"UPDATE timeline SET details = '[]' WHERE {ROW} = 3", 3, "no object"),
        (f"UPDATE timeline SET at = at + interval '1 microsecond' WHERE {ROW} = 1", 1, "hash does not match"),
        (f"UPDATE timeline SET key = 'other' WHERE {ROW} = 4", 4, "hash does not match"),
        (f"UPDATE timeline SET state = 'completed' WHERE {ROW} = 2", 2, "does not go from"),
        (f"UPDATE timeline SET state = 'rich' WHERE {ROW} = 2", 2, "rich"),
        (f"UPDATE timeline SET hash = repeat('a', 64) WHERE {ROW} = 3", 3, "hash does not match"),
        (f"UPDATE timeline SET previous_hash = repeat('a', 64) WHERE {ROW} = 3", 3, "previous hash"),
        (f"DELETE FROM timeline WHERE {ROW} = 2", 3, "sequence 3 stands where 2 should"),
        (f"DELETE FROM timeline WHERE {ROW} = 1", 2, "sequence 2 stands where 1 should"),
        (f"DELETE FROM timeline WHERE {ROW} = 5", 5, "money moved in a row that is not there"),
        (f"DELETE FROM timeline WHERE {ID}", None, "no timeline"),
        ("UPDATE postings SET amount_minor = amount_minor * 2 WHERE transaction_id = $1 || '/3/0'", 3, "hash does not"),
        ("UPDATE postings SET amount_minor = 1 WHERE transaction_id = $1 || '/4/0' AND position = 0", 4, "sum to zero"),
        ("UPDATE postings SET account = 'x' WHERE transaction_id = $1 || '/3/0' AND position = 1", 3, "hash does not"),
        (
            "UPDATE postings SET currency = 'USD' WHERE transaction_id = $1 || '/5/0'",
            5,
            "not in the checkout's currency",
        ),
        ("DELETE FROM postings WHERE transaction_id = $1 || '/3/0'", 3, "does not sum to zero"),
        (f"UPDATE transactions SET reference = 'pi_other' WHERE {ROW} = 3", 3, "hash does not match"),
        (f"UPDATE transactions SET kind = 'gift' WHERE {ROW} = 3", 3, "no known kind"),
        ("UPDATE checkout_status SET state = 'paid' WHERE " + ID, 5, "not that of the timeline's last row"),
        ("UPDATE checkout_status SET last_sequence = 6 WHERE " + ID, 5, "not that of the timeline's last row"),
        ("UPDATE checkout_status SET captured_minor = 4201 WHERE " + ID, 5, "4201 captured, the postings 4200"),
        ("UPDATE checkout_status SET refunded_minor = 0 WHERE " + ID, 5, "0 refunded, the postings 4200"),
        ("DELETE FROM checkout_status WHERE " + ID, 5, "no status"),
        ("UPDATE checkouts SET currency = 'USD' WHERE id = $1", 3, "not in the checkout's currency"),
    ],
)
async def test_tampering_is_found_and_named(
    spoilt: AsyncEngine, spoiler: asyncpg.Connection, statement: str, sequence: int | None, reason: str
) -> None:
    """Whatever a superuser changes is found, with the row and what is wrong with it."""
    victim = await whole_life(Books(spoilt))
    assert (await verify(spoilt, victim.id)).breach is None
    await spoiler.execute(statement, victim.id)
    breach = (await verify(spoilt, victim.id)).breach
    assert breach is not None
    assert (breach.checkout_id, breach.sequence) == (victim.id, sequence)
    assert reason in breach.reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("amount_minor = 1", "amount is 1, its first row says 4200"),
        ("currency = 'USD'", "currency is USD, its first row says EUR"),
        ("gateway = 'other'", "gateway is other, its first row says stripe"),
        ("capture = 'on_confirm'", "capture is on_confirm, its first row says automatic"),
        ("on_hold_expiry = 'capture'", "on_hold_expiry is capture, its first row says cancel"),
    ],
)
async def test_what_was_asked_for_cannot_be_rewritten(
    spoilt: AsyncEngine, spoiler: asyncpg.Connection, change: str, reason: str
) -> None:
    """The chain begins with the terms: a checkout whose own row says something else is found."""
    victim = checkout()
    await Books(spoilt).create_checkout(victim, replace(created(), details=terms_of(victim)))
    assert (await verify(spoilt, victim.id)).breach is None
    await spoiler.execute(f"UPDATE checkouts SET {change} WHERE id = $1", victim.id)
    breach = (await verify(spoilt, victim.id)).breach
    assert breach is not None
    assert (breach.sequence, breach.reason) == (1, f"the checkout's {reason}")


async def test_one_spoilt_checkout_among_many_is_named(
    fresh_engine: AsyncEngine, tampering: asyncpg.Connection
) -> None:
    """A walk over everything ends at the one row that does not hold."""
    books = Books(fresh_engine)
    victim = [await whole_life(books) for _ in range(3)][1]
    await tampering.execute(f"UPDATE timeline SET cause = 'operator' WHERE {ROW} = 2", victim.id)
    breach = (await verify(fresh_engine)).breach
    assert breach is not None
    assert (breach.checkout_id, breach.sequence) == (victim.id, 2)


async def test_a_refund_that_comes_back_counts_no_more(engine: AsyncEngine, books: Books) -> None:
    """When a settled refund fails after all, nothing counts as refunded, whatever the writer believes."""
    made = await whole_life(books)
    believed = CheckoutStatus(CheckoutState.NEEDS_REVIEW, f"pi_{made.id}", PRICE.minor, PRICE.minor)
    money = (refund_failed("stripe", "re_1", PRICE, settled=True),)
    record = await books.append(made.id, [Entry("came-back", believed, "webhook:evt_9", NOW, {}, money)])
    assert (record.status.captured_minor, record.status.refunded_minor) == (PRICE.minor, 0)
    assert (await verify(engine, made.id)).breach is None


async def test_a_capture_that_fails_counts_no_more(engine: AsyncEngine, books: Books) -> None:
    """When captured money goes away again, nothing counts as captured, whatever the writer believes."""
    made = await whole_life(books)
    believed = CheckoutStatus(CheckoutState.NEEDS_REVIEW, f"pi_{made.id}", PRICE.minor, PRICE.minor)
    money = (capture_failed("stripe", f"pi_{made.id}", PRICE, PRICE.zero()),)
    record = await books.append(made.id, [Entry("bounced", believed, "webhook:evt_9", NOW, {}, money)])
    assert (record.status.captured_minor, record.status.refunded_minor) == (0, PRICE.minor)
    assert (await verify(engine, made.id)).breach is None


async def test_an_inserted_row_is_found(fresh_engine: AsyncEngine, tampering: asyncpg.Connection) -> None:
    """A row appended past the product, even with a number that fits, does not fit the chain."""
    made = checkout()
    books = Books(fresh_engine)
    await books.create_checkout(made, created())
    await books.append(made.id, [opened("pi_1")])
    await tampering.execute(
        "INSERT INTO timeline SELECT checkout_id, 3, 'x', state, cause, at, details, hash, repeat('b', 64) "
        "FROM timeline WHERE checkout_id = $1 AND sequence = 2",
        made.id,
    )
    breach = (await verify(fresh_engine)).breach
    assert breach is not None
    assert (breach.checkout_id, breach.sequence) == (made.id, 3)


async def test_the_command_prints_and_exits_accordingly(
    fresh_engine: AsyncEngine, fresh_database_url: str, tampering: asyncpg.Connection, server_url: str
) -> None:
    """0 and the counts when the books hold, 1 and the row when they do not, 2 without a database or its tables."""
    made = await whole_life(Books(fresh_engine))
    done = command(fresh_database_url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 checkouts, 5 timeline rows, 3 transactions" in done.stdout
    await tampering.execute("UPDATE timeline SET cause = 'x' WHERE sequence = 2")
    done = command(fresh_database_url)
    assert done.returncode == 1
    assert f"BREACH at {made.id}, row 2" in done.stdout
    async with new_database(server_url) as without_tables:
        for url, complaint in (
            ("postgresql://nobody@127.0.0.1:1/none", "cannot be reached"),
            (without_tables, "does not exist"),
        ):
            done = command(url)
            assert done.returncode == 2
            assert complaint in done.stderr
            assert "Traceback" not in done.stderr


def command(database_url: str) -> "subprocess.CompletedProcess[str]":
    """`python -m ledger.verify` on this database."""
    environment = os.environ | {"DATABASE_URL": database_url}
    return subprocess.run(
        [sys.executable, "-m", "ledger.verify"], env=environment, capture_output=True, text=True, check=False
    )


async def test_it_needs_no_more_than_the_product_has(fresh_engine: AsyncEngine) -> None:
    """The walk runs as the product's own role."""
    async with fresh_engine.connect() as connection:
        assert (await connection.exec_driver_sql("SELECT current_user")).scalar_one() == APP_ROLE
    assert (await verify(fresh_engine)).breach is None
