"""The stock: set aside once, given back once, never below zero, whoever asks at the same time."""

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from secrets import token_hex

import asyncpg
import pytest

from ledger.engine import create_engine, dsn
from ledger.stock import Item, Reservation, Stock, StockLevel

NOW = datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
RESERVED, REFUSED, RETURNED = Reservation.RESERVED, Reservation.REFUSED, Reservation.RETURNED


def new_sku() -> str:
    """Goods that no other test sells."""
    return f"mug-{token_hex(4)}"


def new_id() -> str:
    """A checkout that no other test has."""
    return f"chk_{token_hex(12)}"


async def level(stock: Stock, sku: str) -> tuple[int, int]:
    """How many are available, how many set aside."""
    return next((seen.available, seen.reserved) for seen in await stock.levels() if seen.sku == sku)


async def test_what_is_set_aside_is_not_available(stock: Stock) -> None:
    """Goods are taken all or not at all, and what there are too few of is refused."""
    sku = new_sku()
    await stock.put(sku, 5)
    assert await stock.reserve(new_id(), Item(sku, 3), NOW) is RESERVED
    assert await stock.reserve(new_id(), Item(sku, 3), NOW) is REFUSED
    assert await stock.reserve(new_id(), Item(sku, 2), NOW) is RESERVED
    assert await stock.reserve(new_id(), Item(new_sku(), 1), NOW) is REFUSED
    assert await level(stock, sku) == (0, 5)


async def test_a_decision_stands(stock: Stock) -> None:
    """Asked again, also for more or for other goods, and after new goods came: what was decided, and nothing moves."""
    sku, served, refused = new_sku(), new_id(), new_id()
    await stock.put(sku, 2)
    assert await stock.reserve(served, Item(sku, 2), NOW) is RESERVED
    assert await stock.reserve(refused, Item(sku, 1), NOW) is REFUSED
    await stock.put(sku, 9)
    for item in (Item(sku, 2), Item(sku, 7), Item(new_sku(), 1)):
        assert await stock.reserve(served, item, LATER) is RESERVED
        assert await stock.reserve(refused, item, LATER) is REFUSED
    assert await level(stock, sku) == (9, 2)


async def test_two_processes_never_sell_the_last_piece_twice(stock: Stock, other_stock: Stock) -> None:
    """Forty want one of seven pieces at the same moment, of two processes: seven get one."""
    sku = new_sku()
    await stock.put(sku, 7)
    wishes = ((stock, other_stock)[n % 2].reserve(new_id(), Item(sku, 1), NOW) for n in range(40))
    decisions = await asyncio.gather(*wishes)
    assert decisions.count(RESERVED) == 7
    assert await level(stock, sku) == (0, 7)


async def test_one_event_at_two_processes_takes_once(stock: Stock, other_stock: Stock) -> None:
    """Both answer the same, and the goods are taken once; given back by both, they come back once."""
    sku = new_sku()
    await stock.put(sku, 100)
    for _ in range(10):
        checkout_id = new_id()
        asked = [each.reserve(checkout_id, Item(sku, 4), NOW) for each in (stock, other_stock) * 2]
        assert set(await asyncio.gather(*asked)) == {RESERVED}
        assert await level(stock, sku) == (96, 4)
        returned = await asyncio.gather(*(each.give_back(checkout_id, LATER) for each in (stock, other_stock) * 2))
        assert returned.count(True) == 1
        assert await level(stock, sku) == (100, 0)


async def test_what_was_given_back_is_not_taken_again(stock: Stock) -> None:
    """An event that comes late finds that there is no sale; what was refused or unknown gives nothing back."""
    sku, sold, refused = new_sku(), new_id(), new_id()
    await stock.put(sku, 1)
    await stock.reserve(sold, Item(sku, 1), NOW)
    await stock.reserve(refused, Item(sku, 1), NOW)
    assert [await stock.give_back(one, LATER) for one in (sold, refused, new_id())] == [True, False, False]
    assert await stock.reserve(sold, Item(sku, 1), LATER) is RETURNED
    assert await level(stock, sku) == (1, 0)


async def test_decisions_from_a_time_on_are_undone(fresh_database_url: str) -> None:
    """What was decided before stays, and so does its return; the rest is as if it had never been asked."""
    engine = create_engine(fresh_database_url)
    stock, sku, other = Stock(engine), new_sku(), new_sku()
    await stock.put(sku, 10)
    await stock.put(other, 10)
    old, back, new, refused, gone = (new_id() for _ in range(5))
    for checkout_id, item, at in (
        (old, Item(sku, 1), NOW),
        (back, Item(sku, 2), NOW),
        (new, Item(sku, 3), LATER),
        (refused, Item(sku, 99), LATER),
        (gone, Item(other, 4), LATER),
    ):
        await stock.reserve(checkout_id, item, at)
    await stock.give_back(back, LATER)
    await stock.give_back(gone, LATER)
    assert await stock.forget(LATER) == 3
    assert await stock.levels() == tuple(sorted((StockLevel(sku, 9, 1), StockLevel(other, 10, 0)), key=lambda s: s.sku))
    assert await stock.reserve(back, Item(sku, 2), LATER) is RETURNED
    assert await stock.reserve(new, Item(sku, 3), LATER) is RESERVED
    assert await stock.reserve(refused, Item(sku, 1), LATER) is RESERVED
    assert await stock.forget(LATER + timedelta(hours=1)) == 0
    await engine.dispose()


async def test_the_database_itself_refuses_less_than_nothing(database_url: str, stock: Stock) -> None:
    """A mistake in a statement by hand does not sell what is not there."""
    sku = new_sku()
    await stock.put(sku, 1)
    connection = await asyncpg.connect(dsn(database_url))
    with pytest.raises(asyncpg.CheckViolationError, match="stock_is_there"):
        await connection.execute("UPDATE orders_stock SET available = available - 2 WHERE sku = $1", sku)
    await connection.close()


async def test_people_set_and_see_the_stock(database_url: str, stock: Stock) -> None:
    """`set` says how many may be sold and `list` shows it; what cannot be meant is refused, with the reason."""
    sku = new_sku()
    assert await command(database_url, "set", sku, "3") == (0, f"{sku}  3 available, 0 set aside or sold\n", "")
    await stock.reserve(new_id(), Item(sku, 2), NOW)
    code, said, _ = await command(database_url, "list")
    assert code == 0
    assert f"{sku}  1 available, 2 set aside or sold\n" in said
    for wrong in (("set", sku, "-1"), ("set", sku, "1.5"), ("set", " ", "1"), ("set", sku, "9" * 30), ("sell",)):
        assert (await command(database_url, *wrong))[0] == 2
    code, _, complaint = await command("", "list")
    assert (code, "DATABASE_URL" in complaint, "Traceback" in complaint) == (2, True, False)


async def command(database_url: str, *arguments: str) -> tuple[int | None, str, str]:
    """The command's exit code, what it said and what it complained of."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "events.subscribers.orders.stock", *arguments),
        env=os.environ | {"DATABASE_URL": database_url},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, complaint = await process.communicate()
    return process.returncode, said.decode(), complaint.decode()
