"""Idempotency keys as Stripe's v1 API keeps them."""

import asyncio
from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Sandbox


def _params(checkout: str, **changed: Any) -> Any:
    return {"amount": 4200, "currency": "usd", "metadata": {"checkout_id": checkout}, **changed}


async def test_same_key_same_bytes(sandbox: Sandbox, checkout: str) -> None:
    """The same key and parameters give the first answer again, byte by byte, marked as a replay."""
    headers = {"Idempotency-Key": f"{checkout}:create", "Authorization": "Bearer sk_test_x"}
    form = {"amount": "4200", "currency": "usd", "metadata[checkout_id]": checkout}
    async with sandbox.browser() as browser:
        first, second = [await browser.post("/v1/payment_intents", headers=headers, data=form) for _ in range(2)]
    assert first.content == second.content
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["original-request"] == first.headers["request-id"]
    assert second.headers["idempotency-key"] == f"{checkout}:create"
    assert first.headers["request-id"] != second.headers["request-id"]


async def test_declines_are_kept(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """A decline is an answer: the same key gives it again, and no second attempt is made."""
    intent = await create()
    for _ in range(2):
        with pytest.raises(stripe.CardError):
            await sdk.v1.payment_intents.confirm_async(
                intent.id, {"payment_method": "pm_card_chargeDeclined"}, {"idempotency_key": f"{intent.id}:1"}
            )
    charges = await sdk.v1.charges.list_async({"payment_intent": intent.id})
    assert len(charges.data) == 1


async def test_other_parameters_or_endpoint(sdk: stripe.StripeClient, checkout: str) -> None:
    """A key used for something else is an idempotency error."""
    options: Any = {"idempotency_key": f"{checkout}:create"}
    await sdk.v1.payment_intents.create_async(_params(checkout), options)
    with pytest.raises(stripe.IdempotencyError) as refused:
        await sdk.v1.payment_intents.create_async(_params(checkout, amount=4300), options)
    assert refused.value.http_status == 400
    with pytest.raises(stripe.IdempotencyError):
        await sdk.v1.refunds.create_async({"payment_intent": "pi_x"}, options)


async def test_validation_failures_are_not_kept(sdk: stripe.StripeClient, checkout: str) -> None:
    """A key whose request never began may be used for a corrected one."""
    options: Any = {"idempotency_key": f"{checkout}:create"}
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.payment_intents.create_async(_params(checkout, amount=1), options)
    assert (await sdk.v1.payment_intents.create_async(_params(checkout), options)).amount == 4200


async def test_key_in_flight(sdk: stripe.StripeClient, browser: httpx.AsyncClient, checkout: str) -> None:
    """While a call is being worked on, a second one with its key is 409 and told to come back."""
    fault = {"operation": "payment_intents.create", "kind": "slow", "seconds": 2, "match": {"checkout_id": checkout}}
    assert (await browser.post("/sandbox/faults", json=fault)).status_code == 201
    options: Any = {"idempotency_key": f"{checkout}:create"}
    first = asyncio.create_task(sdk.v1.payment_intents.create_async(_params(checkout), options))
    await asyncio.sleep(0.5)
    with pytest.raises(stripe.APIError) as conflict:
        await sdk.v1.payment_intents.create_async(_params(checkout), options)
    error: Any = conflict.value.error
    headers: Any = conflict.value.headers
    assert (conflict.value.http_status, error.code) == (409, "idempotency_key_in_use")
    assert headers["stripe-should-retry"] == "true"
    created = await first
    assert (await sdk.v1.payment_intents.create_async(_params(checkout), options)).id == created.id


async def test_parallel_calls_with_one_key_charge_once(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """Twenty confirms at once with one key make one charge."""
    intent = await create()
    options: Any = {"idempotency_key": f"{intent.id}:confirm"}
    calls = [
        sdk.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"}, options) for _ in range(20)
    ]
    answers = await asyncio.gather(*calls)
    assert {answer.latest_charge for answer in answers} == {answers[0].latest_charge}
    rows = (await browser.get("/sandbox/books", params={"payment": intent.id})).json()["data"]
    assert len(rows) == 1
    assert rows[0]["idempotency_key"] == f"{intent.id}:confirm"


async def test_keys_are_forgotten_after_a_day(fresh: Sandbox) -> None:
    """A key lives 24 hours of virtual time; after that it counts as new and can do harm again."""
    sdk = fresh.sdk()
    options: Any = {"idempotency_key": "chk:create"}
    first = await sdk.v1.payment_intents.create_async(_params("chk"), options)
    async with fresh.browser() as browser:
        await browser.post("/sandbox/clock", json={"advance_seconds": 86_300})
        assert (await sdk.v1.payment_intents.create_async(_params("chk"), options)).id == first.id
        await browser.post("/sandbox/clock", json={"advance_seconds": 200})
    assert (await sdk.v1.payment_intents.create_async(_params("chk"), options)).id != first.id


async def test_too_long_a_key(sdk: stripe.StripeClient, checkout: str) -> None:
    """A key of more than 255 characters is refused."""
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.payment_intents.create_async(_params(checkout), {"idempotency_key": "k" * 256})
