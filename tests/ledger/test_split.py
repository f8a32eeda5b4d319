"""Split checkouts on the books: recorded whole or not at all, and walked over like every other."""

import secrets
from dataclasses import replace
from datetime import timedelta

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.checkout import SPLIT, CaptureMode, Checkout
from domain.errors import BooksError, OrderExistsError
from domain.money import Money
from domain.split import split_terms
from domain.timeline import Entry, terms_of
from ledger.books import Books
from ledger.contract import CheckoutFilter
from ledger.operations import Operations
from ledger.verify import verify
from tests.ledger.samples import checkout, created


def split() -> tuple[Checkout, list[Checkout]]:
    """A split checkout with two legs."""
    whole = checkout(gateway=SPLIT)
    amounts = (3000, 1200)
    legs = [
        replace(
            whole,
            id=f"chk_{secrets.token_hex(6)}",
            amount=Money(amount, "EUR"),
            gateway="stripe",
            capture=CaptureMode.ON_CONFIRM,
            parent_id=whole.id,
            leg=number,
        )
        for number, amount in enumerate(amounts, start=1)
    ]
    return whole, legs


def first_rows(whole: Checkout, legs: list[Checkout]) -> list[Entry]:
    """The first rows of both."""
    return [replace(created(), details=d) for d in (split_terms(whole, legs), *(terms_of(leg) for leg in legs))]


async def test_whole_and_legs_are_recorded_together(books: Books, engine: AsyncEngine) -> None:
    """Each has its first row; the legs come in their order; the order's checkout is the whole."""
    whole, legs = split()
    records = await books.create_split(whole, legs, first_rows(whole, legs))
    assert [record.checkout for record in records] == [whole, *legs]
    assert [leg.checkout for leg in await books.legs(whole.id)] == legs
    found = await books.find_by_order(whole.order_id)
    assert found is not None
    assert found.checkout == whole
    for one in (whole, *legs):
        assert [row.key for row in await books.timeline(one.id)] == ["created"]
        assert (await verify(engine, one.id)).breach is None


async def test_an_order_that_has_a_checkout_gets_no_legs(books: Books) -> None:
    """A second split checkout of one order leaves nothing behind, not even its legs."""
    whole, legs = split()
    await books.create_split(whole, legs, first_rows(whole, legs))
    other, others = split()
    other, others = replace(other, order_id=whole.order_id), [replace(leg, order_id=whole.order_id) for leg in others]
    with pytest.raises(OrderExistsError) as caught:
        await books.create_split(other, others, first_rows(other, others))
    assert caught.value.checkout_id == whole.id
    assert await books.legs(other.id) == ()
    assert await books.get(others[0].id) is None


async def test_a_leg_that_cannot_be_recorded_takes_the_whole_with_it(books: Books) -> None:
    """All or none: two legs in one place are refused, and the order stays free."""
    whole, legs = split()
    twice = [legs[0], replace(legs[1], leg=1)]
    with pytest.raises(BooksError):
        await books.create_split(whole, twice, first_rows(whole, twice))
    assert await books.find_by_order(whole.order_id) is None
    await books.create_split(whole, legs, first_rows(whole, legs))


async def test_a_listing_leaves_the_legs_out(books: Books) -> None:
    """A split checkout stands for its legs."""
    whole, legs = split()
    await books.create_split(whole, legs, first_rows(whole, legs))
    page = await books.list(CheckoutFilter(order_id=whole.order_id))
    assert [record.checkout.id for record in page.data] == [whole.id]


async def test_a_split_checkout_is_unopened_until_one_of_its_legs_did_something(
    books: Books, engine: AsyncEngine
) -> None:
    """Its legs are started by its workflow alone, so they are never looked for; their operations tell of it."""
    whole, legs = split()
    await books.create_split(whole, legs, first_rows(whole, legs))

    async def unopened() -> set[str]:
        found = await books.find_unopened(timedelta(seconds=1), 1000)
        return {record.checkout.id for record in found} & {whole.id, *(leg.id for leg in legs)}

    assert await unopened() == {whole.id}
    await Operations(engine).begin(f"{legs[1].id}:create:1", legs[1].id, "stripe", "create", {})
    assert await unopened() == set()


async def test_a_changed_tender_is_found(fresh_engine: AsyncEngine, fresh_owner: asyncpg.Connection) -> None:
    """A leg's amount and place are in its first row: whoever changes them in the table is found out."""
    whole, legs = split()
    await Books(fresh_engine).create_split(whole, legs, first_rows(whole, legs))
    await fresh_owner.execute("ALTER TABLE checkouts DISABLE TRIGGER ALL")
    await fresh_owner.execute("UPDATE checkouts SET leg = 3 WHERE id = $1", legs[1].id)
    breach = (await verify(fresh_engine, legs[1].id)).breach
    assert breach is not None
    assert "leg is 3" in breach.reason
