"""Payments from creation to their end, through the official SDK."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent


async def test_automatic_payment_is_taken_at_once(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """Confirming with a good card charges the amount, and the books have exactly that one charge."""
    intent = await create()
    assert intent.status == "requires_payment_method"
    paid = await sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.amount_received, paid.amount_capturable) == ("succeeded", 4200, 0)
    charge = await sdk.v1.charges.retrieve_async(str(paid.latest_charge))
    assert (charge.status, charge.captured, charge.amount_captured) == ("succeeded", True, 4200)
    assert charge.metadata.to_dict() == intent.metadata.to_dict()
    rows = (await browser.get("/sandbox/books", params={"payment": intent.id})).json()["data"]
    assert [(row["operation"], row["amount"], row["movement_id"]) for row in rows] == [("charge", 4200, charge.id)]


async def test_created_and_confirmed_in_one_call(create: CreateIntent) -> None:
    """`confirm` at creation pays at once."""
    assert (await create(confirm=True, payment_method="pm_card_visa")).status == "succeeded"


async def test_method_without_confirm_waits_for_it(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """A payment method alone leads to requires_confirmation, and confirming needs no second one."""
    intent = await create(payment_method="pm_card_visa")
    assert intent.status == "requires_confirmation"
    assert (await sdk.v1.payment_intents.confirm_async(intent.id)).status == "succeeded"


async def test_hold_is_captured_in_part(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A manual payment is authorized, then captured in part; the rest is released in the books."""
    intent = await create(capture_method="manual", confirm=True, payment_method="pm_card_visa")
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 4200)
    taken = await sdk.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 4000})
    assert (taken.status, taken.amount_received, taken.amount_capturable) == ("succeeded", 4000, 0)
    rows = (await browser.get("/sandbox/books", params={"payment": intent.id})).json()["data"]
    moved = [(row["operation"], row["amount"]) for row in rows]
    assert moved == [("authorization", 4200), ("capture", 4000), ("release", 200)]


async def test_capture_beyond_the_hold_is_refused(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """More than was authorized cannot be captured, and the hold stays."""
    intent = await create(capture_method="manual", confirm=True, payment_method="pm_card_visa")
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await sdk.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 4201})
    assert refused.value.param == "amount_to_capture"
    assert (await sdk.v1.payment_intents.retrieve_async(intent.id)).status == "requires_capture"


async def test_canceling_a_hold_releases_it(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A canceled authorization is a release in the books, and nothing is left to capture."""
    intent = await create(capture_method="manual", confirm=True, payment_method="pm_card_visa")
    canceled = await sdk.v1.payment_intents.cancel_async(intent.id, {"cancellation_reason": "abandoned"})
    assert (canceled.status, canceled.cancellation_reason, canceled.amount_capturable) == ("canceled", "abandoned", 0)
    rows = (await browser.get("/sandbox/books", params={"payment": intent.id})).json()["data"]
    assert [row["operation"] for row in rows] == ["authorization", "release"]


@pytest.mark.parametrize(
    ("card", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
    ],
)
async def test_decline(
    sdk: stripe.StripeClient, create: CreateIntent, card: str, code: str, decline_code: str | None
) -> None:
    """A declined card answers 402 with the intent, which stays payable, and leaves a failed charge."""
    intent = await create()
    with pytest.raises(stripe.CardError) as declined:
        await sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": card})
    error: Any = declined.value.error
    assert (declined.value.http_status, error.code) == (402, code)
    assert error.to_dict().get("decline_code") == decline_code
    assert error.payment_intent.id == intent.id
    after = await sdk.v1.payment_intents.retrieve_async(intent.id)
    assert after.status == "requires_payment_method"
    assert after.last_payment_error is not None
    assert (after.last_payment_error.code, after.last_payment_error.type) == (code, "card_error")
    assert after.payment_method is None
    paid = await sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (paid.status, paid.last_payment_error) == ("succeeded", None)
    charges = await sdk.v1.charges.list_async({"payment_intent": intent.id})
    assert [charge.status for charge in charges.data] == ["succeeded", "failed"]


async def test_bank_debit_is_processing_until_it_settles(create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """A bank debit stays processing, with no money in the books, until it settles."""
    intent = await create(confirm=True, payment_method="pm_usBankAccount_success")
    assert intent.status == "processing"
    assert (await browser.get("/sandbox/books", params={"payment": intent.id})).json()["data"] == []
    assert intent.id in (await browser.post("/sandbox/settle")).json()["moved"]
    rows = (await browser.get("/sandbox/books", params={"payment": intent.id})).json()["data"]
    assert [row["operation"] for row in rows] == ["charge"]


async def test_wrong_state_carries_the_intent(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """Capturing, canceling or confirming a paid intent is refused with the intent in the error."""
    intent = await create(confirm=True, payment_method="pm_card_visa")
    calls = sdk.v1.payment_intents
    for call in (calls.capture_async, calls.cancel_async, calls.confirm_async):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            await call(intent.id)
        error: Any = refused.value.error
        assert (error.code, error.payment_intent.status) == ("payment_intent_unexpected_state", "succeeded")


async def test_money_that_arrives_after_cancel(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A canceled payment can be paid late through the control interface, once, with a charge in the books."""
    intent = await create()
    path = f"/sandbox/payments/{intent.id}/pay_late"
    assert (await browser.post(path)).status_code == 409
    await sdk.v1.payment_intents.cancel_async(intent.id)
    assert (await browser.post(path, json={"payment_method": "pm_card_visa"})).json()["status"] == "succeeded"
    assert (await browser.post(path)).status_code == 409
    rows = (await browser.get("/sandbox/books", params={"payment": intent.id})).json()["data"]
    assert [row["operation"] for row in rows] == ["charge"]


async def test_publishable_key_needs_the_client_secret(sandbox: Any, create: CreateIntent) -> None:
    """A browser's key reads and confirms one payment with its secret, and nothing else."""
    browser = sandbox.sdk("pk_test_shop")
    intent = await create()
    with pytest.raises(stripe.InvalidRequestError):
        await browser.v1.payment_intents.retrieve_async(intent.id)
    with pytest.raises(stripe.PermissionError):
        await browser.v1.payment_intents.cancel_async(intent.id)
    secret = {"client_secret": intent.client_secret}
    assert (await browser.v1.payment_intents.retrieve_async(intent.id, secret)).id == intent.id
    paid = await browser.v1.payment_intents.confirm_async(intent.id, {**secret, "payment_method": "pm_card_visa"})
    assert paid.status == "succeeded"
