"""Refunds: at once, pending, failing later, canceled, and never more than was taken."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Receiver, eventually


async def _paid(create: CreateIntent, card: str = "pm_card_visa") -> stripe.PaymentIntent:
    return await create(confirm=True, payment_method=card)


async def _booked(browser: httpx.AsyncClient, intent: str) -> list[tuple[str, int]]:
    rows = (await browser.get("/sandbox/books", params={"payment": intent})).json()["data"]
    return [(row["operation"], row["amount"]) for row in rows]


async def test_in_parts_and_not_beyond(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """Parts are refunded until nothing is left; more than the rest, or anything after it, is refused."""
    intent = await _paid(create)
    first = await sdk.v1.refunds.create_async({"payment_intent": intent.id, "amount": 1200})
    assert (first.status, first.amount, first.charge) == ("succeeded", 1200, intent.latest_charge)
    with pytest.raises(stripe.InvalidRequestError) as beyond:
        await sdk.v1.refunds.create_async({"payment_intent": intent.id, "amount": 3001})
    assert beyond.value.param == "amount"
    assert "greater than unrefunded amount" in str(beyond.value)
    rest = await sdk.v1.refunds.create_async({"charge": str(intent.latest_charge)})
    assert rest.amount == 3000
    with pytest.raises(stripe.InvalidRequestError) as over:
        await sdk.v1.refunds.create_async({"payment_intent": intent.id})
    assert over.value.code == "charge_already_refunded"
    charge = await sdk.v1.charges.retrieve_async(str(intent.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (4200, True)
    assert await _booked(browser, intent.id) == [("charge", 4200), ("refund", 1200), ("refund", 3000)]


async def test_pending_refund_settles(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, receiver: Receiver, secret: str
) -> None:
    """A refund of pm_card_pendingRefund stays pending until it settles, and an event tells."""
    assert secret
    intent = await _paid(create, "pm_card_pendingRefund")
    refund = await sdk.v1.refunds.create_async({"payment_intent": intent.id, "metadata": {"refund_id": "r1"}})
    assert refund.status == "pending"
    assert refund.id in (await browser.post("/sandbox/settle")).json()["moved"]
    settled = await sdk.v1.refunds.retrieve_async(refund.id)
    assert settled.status == "succeeded"
    assert settled.metadata is not None
    assert settled.metadata.to_dict() == {"refund_id": "r1"}
    await eventually(lambda: "refund.updated" in receiver.types(intent.id))
    updated = next(one.event for one in receiver.of(intent.id) if one.event["type"] == "refund.updated")
    assert updated["data"]["previous_attributes"] == {"status": "pending"}


async def test_refund_that_fails_later(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, receiver: Receiver, secret: str
) -> None:
    """A refund of pm_card_refundFail looks done, fails later, and gives the money back to the merchant."""
    assert secret
    intent = await _paid(create, "pm_card_refundFail")
    refund = await sdk.v1.refunds.create_async({"payment_intent": intent.id})
    assert refund.status == "succeeded"
    await browser.post("/sandbox/settle")
    assert (await sdk.v1.refunds.retrieve_async(refund.id)).status == "failed"
    charge = await sdk.v1.charges.retrieve_async(str(intent.latest_charge))
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert await _booked(browser, intent.id) == [("charge", 4200), ("refund", 4200), ("refund_failure", 4200)]
    await eventually(lambda: {"refund.failed", "charge.refund.updated"} <= set(receiver.types(intent.id)))


async def test_canceled_refund(sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """A pending refund can be canceled, once, and then does not settle any more."""
    intent = await _paid(create, "pm_card_pendingRefund")
    refund = await sdk.v1.refunds.create_async({"payment_intent": intent.id})
    assert (await sdk.v1.refunds.cancel_async(refund.id)).status == "canceled"
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.refunds.cancel_async(refund.id)
    assert refund.id not in (await browser.post("/sandbox/settle")).json()["moved"]
    assert (await _booked(browser, intent.id))[-1] == ("refund_cancellation", 4200)


async def test_nothing_to_refund(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """An unpaid payment, a mere hold and an unknown one cannot be refunded, nor can two be named at once."""
    unpaid = await create()
    held = await create(confirm=True, payment_method="pm_card_visa", capture_method="manual")
    wrong: list[Any] = [
        {"payment_intent": unpaid.id},
        {"payment_intent": held.id},
        {"charge": held.latest_charge},
        {"payment_intent": "pi_none"},
        {"payment_intent": unpaid.id, "charge": "ch_x"},
        {},
    ]
    for params in wrong:
        with pytest.raises(stripe.InvalidRequestError):
            await sdk.v1.refunds.create_async(params)


async def test_lists_of_refunds(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """Refunds are found by payment and by charge, and inside an expanded charge."""
    intent = await _paid(create)
    made = [(await sdk.v1.refunds.create_async({"payment_intent": intent.id, "amount": 100})).id for _ in range(3)]
    by_payment = await sdk.v1.refunds.list_async({"payment_intent": intent.id})
    by_charge = await sdk.v1.refunds.list_async({"charge": str(intent.latest_charge)})
    assert [refund.id for refund in by_payment.data] == [refund.id for refund in by_charge.data] == made[::-1]
    expand: Any = {"expand": ["latest_charge.refunds"]}
    read: Any = await sdk.v1.payment_intents.retrieve_async(intent.id, expand)
    assert [refund.id for refund in read.latest_charge.refunds.data] == made[::-1]
    assert read.latest_charge.amount_refunded == 300
