"""Stored webhooks dispatched again: whatever they once led to, nothing happens twice."""

from typing import Any

from sqlalchemy import text

from ledger.contract import InboxFilter
from ledger.inbox import Inbox
from tests.workflows.after_sale import (
    balanced,
    dispute_handle,
    dispute_of,
    disputed,
    events,
    refund,
    refund_until,
    sold,
)
from tests.workflows.support import Shop, eventually


async def ids_of(shop: Shop, payment_id: str | None) -> list[int]:
    """The relevant events that the inbox has of this payment."""
    query = text("SELECT id FROM webhook_inbox WHERE payment_id = :id AND relevant ORDER BY id")
    async with shop.parts.engine.connect() as connection:
        return [row.id for row in await connection.execute(query, {"id": payment_id})]


async def outcomes(shop: Shop, ids: list[int]) -> list[Any]:
    """What became of them, once all have found that."""
    inbox = Inbox(shop.parts.engine)

    async def look() -> list[Any]:
        return [await inbox.stored(id_) for id_ in ids]

    return await eventually(look, lambda found: all(row.processed_at is not None for row in found), 60)


async def test_a_refunded_sale_told_again(shop: Shop) -> None:
    """Every event of a sale and its refund, twice over: the timeline, both books and the events stay as they are."""
    checkout = await sold(shop)
    record = await refund(shop, checkout, 1000)
    await refund_until(shop, record, "succeeded")
    status = await shop.status(checkout)
    await shop.all_dispatched(status.payment_id)
    ids = await ids_of(shop, status.payment_id)
    rows, told = await shop.timeline(checkout), await events(shop, checkout)
    inbox = Inbox(shop.parts.engine)
    for times in (1, 2):
        assert await inbox.replay(ids) == len(ids) > 1
        again = await outcomes(shop, ids)
        assert {row.replays for row in again} == {times}
        assert {row.outcome for row in again} == {"already_booked"}
    assert (await shop.timeline(checkout), await events(shop, checkout)) == (rows, told)
    await balanced(shop, checkout)
    assert (await shop.moved(checkout))["refund"] == [1000]


async def test_a_dispute_told_again_in_bulk(shop: Shop) -> None:
    """The events of a decided dispute start its workflow again, which finds that nothing is new."""
    checkout, dispute = await disputed(shop)
    await shop.world("stripe").decide(dispute.snapshot.dispute_id, won=True)
    await dispute_of(shop, checkout, "won")
    await dispute_handle(shop, dispute).result()
    status = await shop.status(checkout)
    await shop.all_dispatched(status.payment_id)
    rows, told = await shop.timeline(checkout), await events(shop, checkout)
    matching = InboxFilter(gateway="stripe", payment_id=status.payment_id)
    ids = await ids_of(shop, status.payment_id)
    assert await Inbox(shop.parts.engine).replay_matching(matching) == len(ids)
    assert "dispute" in {row.outcome for row in await outcomes(shop, ids)}
    await dispute_handle(shop, dispute).result()
    assert (await shop.timeline(checkout), await events(shop, checkout)) == (rows, told)
    await balanced(shop, checkout)
