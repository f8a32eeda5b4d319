"""A hold is taken in parts: each part once, one after the other, and the rest of the hold is let go."""

import asyncio

import pytest
from sqlalchemy import text

from api.sagas import CommandRefusedError
from domain.saga import SagaPolicy
from domain.timeline import EventType
from tests.workflows.agreement import agree
from tests.workflows.captures import IN_PARTS, capture, held, refusal
from tests.workflows.splits import open_split, pay_all
from tests.workflows.support import Shop, eventually

EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=60)


async def events(shop: Shop, checkout_id: str) -> list[str]:
    """What other services were told of the checkout, in order."""
    query = text("SELECT type FROM outbox WHERE checkout_id = :id ORDER BY sequence")
    async with shop.parts.engine.connect() as connection:
        return [row.type for row in await connection.execute(query, {"id": checkout_id})]


@pytest.mark.parametrize("gateway", ["stripe", "paypal", "adyen"])
async def test_a_final_part_is_the_sale(shop: Shop, gateway: str) -> None:
    """The shop takes 10 of 42 dollars and no more: the sale is over 10, nothing stays held."""
    checkout = await held(shop, gateway)
    assert await capture(shop, checkout, 1000) == "completed"
    status = await agree(shop, checkout, (1000,))
    assert (status.captured_minor, status.failure, status.waiting_for) == (1000, None, None)
    assert (await shop.path(checkout))[-3:] == ["authorized", "paid", "completed"]


@pytest.mark.parametrize("gateway", IN_PARTS)
async def test_parts_and_then_the_rest(shop: Shop, gateway: str) -> None:
    """Two shipments and the shop's yes to the rest: three captures, one sale over all of it."""
    checkout = await held(shop, gateway)
    assert await capture(shop, checkout, 1000, final=False) == "partially_captured"
    status = await shop.status(checkout)
    assert (status.captured_minor, status.waiting_for) == (1000, "the shop to capture or release the rest")
    assert await capture(shop, checkout, 700, final=False) == "partially_captured"
    assert await shop.sagas().confirm(checkout, 20)
    assert (await shop.status(checkout)).state == "completed"
    await agree(shop, checkout, (1000, 700, 2500))
    told = await events(shop, checkout.id)
    assert told.count(EventType.PAYMENT_PARTIALLY_CAPTURED) == 2
    assert told[-2:] == [EventType.PAYMENT_SUCCEEDED, EventType.ORDER_CONFIRMED]


@pytest.mark.parametrize("gateway", IN_PARTS)
async def test_the_rest_is_released(shop: Shop, gateway: str) -> None:
    """After a part the shop wants no more: what is left of the hold is let go, what was taken stays sold."""
    checkout = await held(shop, gateway)
    await capture(shop, checkout, 1000, final=False)
    assert await capture(shop, checkout, 0) == "completed"
    assert (await agree(shop, checkout, (1000,))).captured_minor == 1000


@pytest.mark.parametrize("gateway", IN_PARTS)
async def test_orders_at_once_are_carried_out_one_after_the_other(shop: Shop, gateway: str) -> None:
    """Three captures and the last word come in the same moment: all are made, in the order in which they came."""
    checkout = await held(shop, gateway)
    parts = [asyncio.ensure_future(capture(shop, checkout, minor, final=False)) for minor in (100, 200, 300)]
    states = await asyncio.gather(*parts)
    assert set(states) == {"partially_captured"}
    assert await capture(shop, checkout) == "completed"
    taken = [row["amount"] for row in await shop.gateway_rows(checkout) if row["operation"] == "capture"]
    assert (sorted(taken), taken[-1], sum(taken)) == ([100, 200, 300, 3600], 3600, 4200)


async def test_a_part_that_leaves_nothing_is_the_last(shop: Shop) -> None:
    """Said to be one of several, it takes all there is: the sale is made."""
    checkout = await held(shop)
    assert await capture(shop, checkout, 4200, final=False) == "completed"
    assert (await agree(shop, checkout)).captured_minor == 4200


async def test_what_cannot_be_taken_is_refused_with_the_field(shop: Shop) -> None:
    """More than is left, less than nothing, a release with nothing taken: refused, and nothing happens."""
    checkout = await held(shop)
    for minor, final in ((4201, True), (-1, True), (0, True), (0, False)):
        kind, words = await refusal(shop, checkout, minor, final)
        assert (kind, words.partition(":")[0]) == ("InvalidCapture", "amount")
    await capture(shop, checkout, 4000, final=False)
    assert await refusal(shop, checkout, 201) == (
        "InvalidCapture",
        "amount: 2.01 USD is more than the 2.00 USD that is left",
    )
    assert await refusal(shop, checkout, 0, final=False) != ("", "")
    await capture(shop, checkout, 0)
    await agree(shop, checkout, (4000,))


async def test_a_gateway_that_takes_once_refuses_a_part_of_several(shop: Shop) -> None:
    """Where a capture releases the rest, a part that is not the last is refused before anything is asked for."""
    checkout = await held(shop, "adyen")
    kind, words = await refusal(shop, checkout, 1000, final=False)
    assert (kind, words) == ("InvalidCapture", "final: adyen takes one capture only, which releases the rest")
    assert await shop.moved(checkout) == {"authorization": [4200]}
    await shop.sagas().cancel(checkout, 20)


async def test_after_a_part_there_is_no_way_back(shop: Shop) -> None:
    """What is taken is sold: cancel and reject are refused, and after the last word a capture is too."""
    checkout = await held(shop)
    await capture(shop, checkout, 1000, final=False)
    for wish in (shop.sagas().cancel(checkout, 20), shop.sagas().reject(checkout, "no", 20)):
        with pytest.raises(CommandRefusedError, match="partially_captured"):
            await wish
    assert await capture(shop, checkout, 0) == "completed"
    await shop.handle(checkout).result()
    await agree(shop, checkout, (1000,))


async def test_only_a_hold_that_the_shop_decides_about_is_captured(shop: Shop) -> None:
    """Before it is held, where the money is taken at once, and of a tender, nothing can be captured by the shop."""
    unpaid = await shop.open(capture="on_confirm", confirm_within_seconds=600)
    assert (await refusal(shop, unpaid))[0] == "NotAllowed"
    at_once = await shop.open(confirm_within_seconds=600)
    await shop.pay(at_once)
    await shop.until(at_once, "paid")
    assert (await refusal(shop, at_once))[0] == "NotAllowed"
    split = await open_split(shop, capture="on_confirm", confirm_within_seconds=600)
    await pay_all(shop, split)
    await shop.until(split.whole, "authorized")
    for checkout in (split.whole, split.legs[0]):
        assert (await refusal(shop, checkout, 100))[0] == "NotAllowed"
    await shop.sagas().cancel(split.whole, 20)


@pytest.mark.parametrize("gateway", IN_PARTS)
@pytest.mark.parametrize("fault", ["timeout_after", "timeout_before", "error_500_after"])
async def test_a_part_whose_answer_is_lost_is_taken_once(shop: Shop, gateway: str, fault: str) -> None:
    """Nobody knows whether the second part was taken: it is looked at by its total, and taken once."""
    checkout = await held(shop, gateway)
    await capture(shop, checkout, 1000, final=False)
    await shop.strike("capture", fault, checkout)
    assert await capture(shop, checkout, 1000, final=False) == "partially_captured"
    assert await capture(shop, checkout, 0) == "completed"
    await agree(shop, checkout, (1000, 1000))


@pytest.mark.parametrize("gateway", IN_PARTS)
async def test_an_operator_can_give_the_parts_back(shop: Shop, gateway: str) -> None:
    """The workflow is cancelled after a part: the rest is released, the part refunded."""
    checkout = await held(shop, gateway)
    await capture(shop, checkout, 1000, final=False)
    await shop.handle(checkout).cancel()
    status = await shop.until(checkout, "refunded")
    assert (status.captured_minor, status.refunded_minor) == (1000, 1000)
    await agree(shop, checkout, (1000,))


async def test_the_rest_taken_in_the_gateways_own_pages_makes_the_sale(shop: Shop) -> None:
    """Somebody captures the rest at the gateway itself: the sale is over what is taken there."""
    checkout = await held(shop)
    await capture(shop, checkout, 1000, final=False)
    payment_id = (await shop.status(checkout)).payment_id
    answer = await shop.sandbox.post(
        f"/v1/payment_intents/{payment_id}/capture", headers={"Authorization": "Bearer sk_test_x"}
    )
    assert answer.is_success, answer.text
    await shop.until(checkout, "completed")
    await agree(shop, checkout, (1000, 3200))


async def test_a_declined_part_leaves_the_shop_its_choice(shop: Shop) -> None:
    """The card's bank knows no captures in parts: the order fails, and the shop may still take all, or cancel."""
    checkout = await shop.open(capture="on_confirm", confirm_within_seconds=600)
    await shop.pay(checkout, method="pm_card_jcb")
    await shop.until(checkout, "authorized")
    kind, _ = await refusal(shop, checkout, 1000, final=False)
    assert kind == "CaptureDeclined"
    status = await shop.status(checkout)
    assert (status.state, status.captured_minor) == ("authorized", 0)
    assert status.failure is not None
    assert await shop.sagas().cancel(checkout, 20)
    await eventually(lambda: shop.status(checkout), lambda seen: seen.state == "canceled")
    await agree(shop, checkout)
