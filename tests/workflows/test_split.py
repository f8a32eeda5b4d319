"""The story of a split checkout: every tender is taken, or every tender is given back."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.sagas import CommandRefusedError
from domain.checkout import CaptureMode
from ledger.contract import CheckoutFilter
from ledger.verify import verify
from tests.workflows.splits import (
    at_gateway,
    ended_in_order,
    first_row,
    moved,
    open_split,
    pay_all,
    record_split,
    states,
)
from tests.workflows.support import Shop, eventually

HELD: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
ASKED: dict[str, Any] = {"confirm_within_seconds": 600}
TAKEN = [{"authorization": [3000], "capture": [3000]}, {"authorization": [1200], "capture": [1200]}]
RELEASED = [{"authorization": [3000], "release": [3000]}, {"authorization": [1200], "release": [1200]}]
RETURNED = [{**took, "refund": took["capture"]} for took in TAKEN]


def soon(seconds: float) -> dict[str, Any]:
    """An expiry this far ahead."""
    return {"expires_at": datetime.now(UTC) + timedelta(seconds=seconds)}


async def test_all_tenders_paid_complete_the_checkout(shop: Shop) -> None:
    """Each tender is held, then captured, then kept; the gateways took each amount once."""
    split = await open_split(shop)
    opened, first = await shop.status(split.whole), await shop.status(split.legs[0])
    assert (opened.state, opened.next_action) == ("awaiting_payment", first.next_action)
    assert first.next_action is not None
    await pay_all(shop, split)
    await shop.until(split.whole, "completed")
    assert await states(shop, split) == ["completed"] * 3
    assert await shop.path(split.whole) == ["processing", "awaiting_payment", "authorized", "paid", "completed"]
    assert await moved(shop, split) == TAKEN
    assert await shop.books.postings(split.whole.id) == ()
    assert (await verify(shop.parts.engine, split.whole.id)).breach is None


async def test_the_events_of_a_split_checkout_name_its_sums_and_its_tenders_their_whole(shop: Shop) -> None:
    """Other services see what was taken in all, and can tell a tender's events from the whole's."""
    split = await open_split(shop)
    await pay_all(shop, split)
    await shop.until(split.whole, "completed")
    query = text("SELECT type, payload FROM outbox WHERE checkout_id = :id ORDER BY sequence")
    async with shop.parts.engine.connect() as connection:
        told = [(await connection.execute(query, {"id": c.id})).all() for c in (split.whole, split.legs[0])]
    names = ["checkout.created", "checkout.opened", "payment.authorized", "payment.succeeded", "checkout.completed"]
    assert [[row.type for row in rows] for rows in told] == [names, names]
    assert [row.payload["amount_captured"] for row in told[0]] == [0, 0, 0, 4200, 4200]
    assert {row.payload["parent_id"] for row in told[1]} == {split.whole.id}


async def test_nothing_is_taken_before_every_tender_is_held(shop: Shop) -> None:
    """One tender is paid, the other not yet: the first is only held, and the customer is shown the second."""
    split = await open_split(shop)
    await shop.pay(split.legs[0])
    second = (await shop.status(split.legs[1])).next_action
    await eventually(lambda: shop.status(split.whole), lambda s: s.next_action == second)
    assert await moved(shop, split) == [{"authorization": [3000]}, {}]
    await shop.pay(split.legs[1])
    await shop.until(split.whole, "completed")


async def test_a_gateway_that_cannot_hold_is_captured_and_kept_with_the_others(shop: Shop) -> None:
    """Tenders that are taken at once wait, taken, for the others."""
    split = await open_split(shop, held=False)
    await shop.pay(split.legs[0])
    await shop.until(split.legs[0], "paid")
    assert (await shop.status(split.whole)).state == "awaiting_payment"
    await shop.pay(split.legs[1])
    await shop.until(split.whole, "completed")
    assert await moved(shop, split) == [{"charge": [3000]}, {"charge": [1200]}]
    assert await shop.path(split.whole) == ["processing", "awaiting_payment", "paid", "completed"]


async def test_a_tender_that_expires_voids_the_other(shop: Shop) -> None:
    """Nobody pays the second tender in time: the first one's hold is released, nothing was taken."""
    split = await open_split(shop, **soon(8))
    await shop.pay(split.legs[0])
    await shop.until(split.whole, "expired", "canceled", "refunded")
    assert await states(shop, split) == ["expired", "canceled", "expired"]
    assert await moved(shop, split) == [RELEASED[0], {}]
    first = await shop.status(split.legs[0])
    assert first.failure is not None
    assert first.failure.code == "split_undone"
    undoing = await first_row(shop, split.whole, "undoing")
    assert (undoing.details["reason"], undoing.details["tender"]) == ("expired", 2)


async def test_a_tender_that_cannot_hold_is_refunded_when_another_expires(shop: Shop) -> None:
    """What was taken at once is given back."""
    split = await open_split(shop, held=False, **soon(8))
    await shop.pay(split.legs[0])
    await shop.until(split.whole, "refunded", "expired")
    assert await states(shop, split) == ["refunded", "refunded", "expired"]
    assert await moved(shop, split) == [{"charge": [3000], "refund": [3000]}, {}]


async def test_a_tender_that_the_gateway_will_not_have_declines_the_checkout(shop: Shop) -> None:
    """The second tender is declined for good at its opening: the first is made unpayable before anybody pays it."""
    split = await record_split(shop, tenders=(("stripe", 3000), ("stripe", 3)))
    assert await shop.sagas().open(split.whole, 30, split.legs)
    status = await shop.until(split.whole, "declined")
    assert status.failure is not None
    assert status.failure.message.startswith("tender 2: ")
    assert await states(shop, split) == ["declined", "canceled", "declined"]
    assert await moved(shop, split) == [{}, {}]


async def test_tenders_are_given_back_in_reverse_order(shop: Shop) -> None:
    """Three of four are held when the second is ended at the gateway: the others follow, the last first."""
    split = await open_split(shop, tenders=[("stripe", 1000)] * 4)
    for leg in (split.legs[0], split.legs[1], split.legs[3]):
        await shop.pay(leg)
        await shop.until(leg, "authorized")
    await at_gateway(shop, split.legs[1], "cancel")
    await shop.until(split.whole, "canceled")
    assert await ended_in_order(shop, split) == [2, 4, 3, 1]
    keys = [row.key for row in await shop.timeline(split.whole)]
    ends = [key for key in keys if key.endswith("_canceled")]
    assert ends == ["tender_2_canceled", "tender_4_canceled", "tender_3_canceled", "tender_1_canceled"]
    assert keys.index("undoing") == keys.index("tender_2_canceled") + 1


async def test_a_capture_that_fails_refunds_what_was_captured_before(shop: Shop) -> None:
    """The second tender's hold is gone when it is to be captured: the first, captured already, is refunded."""
    split = await open_split(shop, **HELD)
    await pay_all(shop, split)
    await shop.until(split.whole, "authorized")
    await shop.fault("webhook", "lose", split.legs[1], count=20)
    await at_gateway(shop, split.legs[1], "cancel")
    await shop.sagas().confirm(split.whole, 20)
    status = await shop.until(split.whole, "refunded", "canceled", "declined", "completed")
    assert await states(shop, split) == ["refunded", "refunded", "declined"]
    assert await moved(shop, split) == [RETURNED[0], RELEASED[1]]
    assert status.failure is not None
    assert status.failure.message.startswith("tender 2: ")
    assert await shop.path(split.whole) == [
        *("processing", "awaiting_payment", "authorized", "refunding", "refunded"),
    ]


async def test_a_held_split_checkout_is_captured_when_the_shop_confirms(shop: Shop) -> None:
    """`on_confirm`: every tender is held until the shop says yes."""
    split = await open_split(shop, **HELD)
    await pay_all(shop, split)
    status = await shop.until(split.whole, "authorized")
    assert status.waiting_for == "the shop to confirm the order"
    await asyncio.sleep(0.5)
    assert await moved(shop, split) == [{"authorization": [3000]}, {"authorization": [1200]}]
    assert await shop.sagas().confirm(split.whole, 20)
    assert await states(shop, split) == ["completed"] * 3
    assert await moved(shop, split) == TAKEN


async def test_a_paid_split_checkout_is_kept_when_the_shop_confirms(shop: Shop) -> None:
    """`confirmation`: every tender is taken, and none completed before the shop says yes."""
    split = await open_split(shop, **ASKED)
    await pay_all(shop, split)
    await shop.until(split.whole, "paid")
    assert await states(shop, split) == ["paid"] * 3
    assert await shop.sagas().confirm(split.whole, 20)
    assert await states(shop, split) == ["completed"] * 3


async def test_the_shop_rejects_what_is_paid(shop: Shop) -> None:
    """The shop's no refunds every tender, once, the last first."""
    split = await open_split(shop, **ASKED)
    await pay_all(shop, split)
    await shop.until(split.whole, "paid")
    await shop.sagas().reject(split.whole, "out of stock", 20)
    status = await shop.until(split.whole, "refunded")
    assert status.failure is not None
    assert (status.failure.code, status.failure.message) == ("rejected_by_shop", "out of stock")
    assert await moved(shop, split) == RETURNED
    assert await ended_in_order(shop, split) == [2, 1]


async def test_the_silence_of_the_shop_releases_what_is_held(shop: Shop) -> None:
    """No answer in time is a no."""
    split = await open_split(shop, capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=1)
    await pay_all(shop, split)
    status = await shop.until(split.whole, "canceled")
    assert status.failure is not None
    assert status.failure.code == "not_confirmed_in_time"
    assert await moved(shop, split) == RELEASED


async def test_the_shop_cancels(shop: Shop) -> None:
    """Given up with one tender held: it is released, the other made unpayable; a second cancel changes nothing."""
    split = await open_split(shop)
    await shop.pay(split.legs[0])
    await shop.until(split.legs[0], "authorized")
    assert await shop.sagas().cancel(split.whole, 20)
    assert await states(shop, split) == ["canceled"] * 3
    assert await moved(shop, split) == [RELEASED[0], {}]
    assert (await shop.causes(split.whole))["undoing"] == "api"
    assert (await shop.causes(split.legs[0]))["canceled"] == "split"


async def test_a_tender_takes_no_commands_of_its_own(shop: Shop) -> None:
    """What becomes of a tender is decided with the whole."""
    split = await open_split(shop, **HELD)
    with pytest.raises(CommandRefusedError):
        await shop.sagas().cancel(split.legs[0], 20)
    await pay_all(shop, split)
    await shop.until(split.whole, "authorized")
    with pytest.raises(CommandRefusedError):
        await shop.sagas().confirm(split.legs[0], 20)
    with pytest.raises(CommandRefusedError):
        await shop.sagas().reject(split.legs[0], "no", 20)
    await shop.sagas().cancel(split.whole, 20)


async def test_a_listing_shows_the_whole_and_not_its_tenders(shop: Shop) -> None:
    """A split checkout is one checkout to the shop."""
    split = await record_split(shop)
    page = await shop.books.list(CheckoutFilter(order_id=split.whole.order_id))
    assert [record.checkout.id for record in page.data] == [split.whole.id]
    await shop.sagas().open(split.whole, 30, split.legs)
    await shop.sagas().cancel(split.whole, 30)
