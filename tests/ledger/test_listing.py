"""Listings: filters, pages that neither skip nor repeat, and cursors that cannot be made up."""

import base64
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.states import CheckoutState
from ledger.books import Books
from ledger.contract import CheckoutFilter
from tests.ledger.samples import NOW, checkout, created, opened


async def ids(books: Books, wanted: CheckoutFilter) -> list[str]:
    """The ids of the one page."""
    return [record.checkout.id for record in (await books.list(wanted)).data]


async def test_filters_select_and_newest_comes_first(fresh_engine: AsyncEngine) -> None:
    """Each filter alone and all together."""
    books = Books(fresh_engine)
    plain, other, stuck = (
        checkout(created_at=NOW),
        checkout(created_at=NOW + timedelta(seconds=1), gateway="paypal"),
        checkout(created_at=NOW + timedelta(seconds=2)),
    )
    for made in (plain, other, stuck):
        await books.create_checkout(made, created())
    entry = opened("pi_stuck")
    await books.append(stuck.id, [replace(entry, status=replace(entry.status, stuck=True))])
    assert await ids(books, CheckoutFilter()) == [stuck.id, other.id, plain.id]
    assert await ids(books, CheckoutFilter(state=CheckoutState.PROCESSING)) == [other.id, plain.id]
    assert await ids(books, CheckoutFilter(gateway="paypal")) == [other.id]
    assert await ids(books, CheckoutFilter(order_id=plain.order_id)) == [plain.id]
    assert await ids(books, CheckoutFilter(stuck=True)) == [stuck.id]
    assert await ids(books, CheckoutFilter(stuck=False)) == [other.id, plain.id]
    everything = CheckoutFilter(CheckoutState.AWAITING_PAYMENT, "stripe", stuck.order_id, True)
    assert await ids(books, everything) == [stuck.id]
    assert await ids(books, replace(everything, gateway="paypal")) == []


async def test_pages_neither_skip_nor_repeat(fresh_engine: AsyncEngine) -> None:
    """Checkouts of one moment are told apart by id, and new ones made while somebody pages shift nothing."""
    books = Books(fresh_engine)
    made = [checkout(created_at=NOW + timedelta(seconds=n // 4)) for n in range(11)]
    for each in made:
        await books.create_checkout(each, created())
    seen: list[str] = []
    cursor, pages = None, 0
    while pages == 0 or cursor is not None:
        page = await books.list(CheckoutFilter(limit=4, cursor=cursor))
        seen += [record.checkout.id for record in page.data]
        cursor, pages = page.next_cursor, pages + 1
        await books.create_checkout(checkout(created_at=NOW + timedelta(hours=1)), created())
    newest_first = sorted(made, key=lambda each: (each.created_at, each.id), reverse=True)
    assert seen == [each.id for each in newest_first]
    assert pages == 3


async def test_a_full_last_page_has_no_next(fresh_engine: AsyncEngine) -> None:
    """A next cursor promises at least one more row."""
    books = Books(fresh_engine)
    for _ in range(2):
        await books.create_checkout(checkout(), created())
    page = await books.list(CheckoutFilter(limit=2))
    assert len(page.data) == 2
    assert page.next_cursor is None


def _packed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "é",
        "AAAA",
        _packed("[]"),
        _packed("{}"),
        _packed("1"),
        _packed('["x", "chk_1"]'),
        _packed('["2026-01-01T00:00:00", "chk_1"]'),
        _packed('["2026-01-01T00:00:00+00:00", 7]'),
        _packed('["2026-01-01T00:00:00+00:00", "a\\u0000"]'),
        _packed('["2026-01-01T00:00:00+00:00", "\\ud800"]'),
        _packed('["0001-01-01T00:00:00+23:59", "chk_1"]'),
        _packed('["9999-12-31T23:59:59-23:59", "chk_1"]'),
        _packed("[" * 100_000),
    ],
)
async def test_a_made_up_cursor_is_refused(books: Books, cursor: str) -> None:
    """Whatever stands in it, the answer is a ValueError that says what is wrong."""
    with pytest.raises(ValueError, match="next_cursor"):
        await books.list(CheckoutFilter(cursor=cursor))
