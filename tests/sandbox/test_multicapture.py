"""Holds that are captured in parts: what is taken, what stays held, what is released."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Receiver, Sandbox, eventually

ASKED: Any = {"card": {"request_multicapture": "if_available"}}
WEEK = 7 * 86_400


async def _held(create: CreateIntent, card: str = "pm_card_visa", **changed: Any) -> stripe.PaymentIntent:
    how = {"capture_method": "manual", "payment_method_options": ASKED, **changed}
    return await create(confirm=True, payment_method=card, **how)


async def _booked(browser: httpx.AsyncClient, intent: str) -> list[tuple[str, int]]:
    rows = (await browser.get("/sandbox/books", params={"payment": intent})).json()["data"]
    return [(row["operation"], row["amount"]) for row in rows]


async def _part(sdk: stripe.StripeClient, intent: str, amount: int) -> stripe.PaymentIntent:
    return await sdk.v1.payment_intents.capture_async(intent, {"amount_to_capture": amount, "final_capture": False})


async def test_two_parts_and_a_final_one(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """Parts keep the rest held; the final capture releases it and ends the payment."""
    held = await _held(create)
    charge = await sdk.v1.charges.retrieve_async(str(held.latest_charge))
    details: Any = charge.payment_method_details
    assert details.card.multicapture.status == "available"
    first = await _part(sdk, held.id, 1000)
    assert (first.status, first.amount_received, first.amount_capturable) == ("requires_capture", 1000, 3200)
    second = await _part(sdk, held.id, 500)
    assert (second.amount_received, second.amount_capturable) == (1500, 2700)
    charge = await sdk.v1.charges.retrieve_async(str(held.latest_charge))
    assert (charge.captured, charge.amount_captured) == (False, 1500)
    last = await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 700})
    assert (last.status, last.amount_received, last.amount_capturable) == ("succeeded", 2200, 0)
    parts = [("capture", 1000), ("capture", 500), ("capture", 700)]
    assert await _booked(browser, held.id) == [("authorization", 4200), *parts, ("release", 2000)]


async def test_capturing_nothing_releases_the_rest(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A final capture of zero ends a hold of which something was taken; of an untouched one it is refused."""
    held = await _held(create)
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 0})
    await _part(sdk, held.id, 1000)
    with pytest.raises(stripe.InvalidRequestError):
        await _part(sdk, held.id, 0)
    ended = await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 0, "final_capture": True})
    assert (ended.status, ended.amount_received) == ("succeeded", 1000)
    assert (await _booked(browser, held.id))[1:] == [("capture", 1000), ("release", 3200)]


async def test_parts_are_never_more_than_the_hold(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """What was captured already counts."""
    held = await _held(create)
    await _part(sdk, held.id, 4000)
    for final in (True, False):
        with pytest.raises(stripe.InvalidRequestError) as beyond:
            await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 201, "final_capture": final})
        assert beyond.value.code == "amount_too_large"


@pytest.mark.parametrize(
    ("card", "options"), [("pm_card_jcb", ASKED), ("pm_card_visa", {"card": {"request_multicapture": "never"}})]
)
async def test_where_there_is_no_multicapture(
    sdk: stripe.StripeClient, create: CreateIntent, card: str, options: Any
) -> None:
    """A card that has none, or a payment that did not ask, takes one capture, which is the final one."""
    held = await _held(create, card, payment_method_options=options)
    with pytest.raises(stripe.InvalidRequestError) as no:
        await _part(sdk, held.id, 1000)
    assert no.value.param == "final_capture"
    taken = await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 1000})
    assert (taken.status, taken.amount_received) == ("succeeded", 1000)


async def test_a_partly_captured_hold_is_refunded_but_not_canceled(
    sdk: stripe.StripeClient, create: CreateIntent
) -> None:
    """What was taken can be given back before the end; the charge counts as refunded only after it."""
    held = await _held(create)
    await _part(sdk, held.id, 1000)
    with pytest.raises(stripe.InvalidRequestError) as no:
        await sdk.v1.payment_intents.cancel_async(held.id)
    assert no.value.code == "payment_intent_unexpected_state"
    await sdk.v1.refunds.create_async({"payment_intent": held.id, "amount": 1000})
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.refunds.create_async({"payment_intent": held.id, "amount": 1})
    assert not (await sdk.v1.charges.retrieve_async(str(held.latest_charge))).refunded
    await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 0})
    assert (await sdk.v1.charges.retrieve_async(str(held.latest_charge))).refunded


async def test_events_of_parts(sdk: stripe.StripeClient, create: CreateIntent, receiver: Receiver, secret: str) -> None:
    """Every capture tells what is still capturable; only the final one tells of captured and succeeded."""
    assert secret
    held = await _held(create)
    await _part(sdk, held.id, 1000)
    await eventually(lambda: receiver.types(held.id).count("payment_intent.amount_capturable_updated") == 2)
    assert "charge.updated" in receiver.types(held.id)
    assert "charge.captured" not in receiver.types(held.id)
    await sdk.v1.payment_intents.capture_async(held.id)
    await eventually(lambda: {"charge.captured", "payment_intent.succeeded"} <= set(receiver.types(held.id)))
    updates = [one.event["data"] for one in receiver.of(held.id) if one.event["type"].endswith("capturable_updated")]
    left = sorted((each["object"]["amount_capturable"], each.get("previous_attributes")) for each in updates if each)
    assert [amount for amount, _ in left] == [0, 3200, 4200]
    assert {"amount_capturable": 3200} in [before for _, before in left]


async def test_a_partly_captured_hold_lapses(fresh: Sandbox) -> None:
    """After seven days what was taken stays, the rest is let go, and the payment has succeeded."""
    sdk = fresh.sdk()
    params: Any = {"amount": 4200, "currency": "usd", "capture_method": "manual", "payment_method_options": ASKED}
    params |= {"confirm": True, "payment_method": "pm_card_visa"}
    held = await sdk.v1.payment_intents.create_async(params)
    await _part(sdk, held.id, 1000)
    async with fresh.browser() as browser:
        moved = (await browser.post("/sandbox/clock", json={"advance_seconds": WEEK + 1})).json()["moved"]
        assert moved == [held.id]
        assert (await _booked(browser, held.id))[-1] == ("release", 3200)
    ended = await sdk.v1.payment_intents.retrieve_async(held.id)
    assert (ended.status, ended.amount_received, ended.amount_capturable) == ("succeeded", 1000, 0)
    charge = await sdk.v1.charges.retrieve_async(str(held.latest_charge))
    assert (charge.captured, charge.amount_captured, charge.refunded) == (True, 1000, False)


async def test_a_canceled_hold_is_no_refund(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """Releasing a hold leaves the charge neither captured nor refunded."""
    held = await _held(create)
    await sdk.v1.payment_intents.cancel_async(held.id)
    charge = await sdk.v1.charges.retrieve_async(str(held.latest_charge))
    assert (charge.captured, charge.refunded, charge.amount_refunded) == (False, False, 0)
