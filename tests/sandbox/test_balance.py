"""Stripe's balance transactions: the books as its settlement tells them."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Sandbox


async def _settled(sdk: stripe.StripeClient, charge: str, refund: str | None = None) -> list[Any]:
    """The transactions of a charge and its refund, newest first."""
    found: list[Any] = []
    for source in filter(None, (refund, charge)):
        found += (await sdk.v1.balance_transactions.list_async({"source": source})).data
    return found


async def test_charges_and_refunds_with_their_signs(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """A charge comes in, a refund goes out, without fees, and a hold is no transaction."""
    paid = await create(confirm=True, payment_method="pm_card_visa")
    charge = str(paid.latest_charge)
    refund = await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1200})
    found = await _settled(sdk, charge, refund.id)
    told = [(each.type, each.reporting_category, each.amount, each.fee, each.net, each.source) for each in found]
    assert told == [("refund", "refund", -1200, 0, -1200, refund.id), ("charge", "charge", 4200, 0, 4200, charge)]
    assert {each.currency for each in found} == {"usd"}
    held = await create(confirm=True, payment_method="pm_card_visa", capture_method="manual")
    assert await _settled(sdk, str(held.latest_charge)) == []
    captured = await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 3000})
    (transaction,) = await _settled(sdk, str(captured.latest_charge))
    assert (transaction.type, transaction.amount) == ("charge", 3000)


async def test_refund_that_came_back(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A failed refund is a second transaction of the same refund, with the money coming in again."""
    paid = await create(confirm=True, payment_method="pm_card_refundFail")
    refund = await sdk.v1.refunds.create_async({"payment_intent": paid.id})
    await browser.post("/sandbox/settle")
    found = (await sdk.v1.balance_transactions.list_async({"source": refund.id})).data
    assert [(each.type, each.amount) for each in found] == [("refund_failure", 4200), ("refund", -4200)]


async def test_narrowed_and_expanded(sdk: stripe.StripeClient, create: CreateIntent) -> None:
    """A list is narrowed by type and time, and its sources expand to the charge or the refund."""
    paid = await create(confirm=True, payment_method="pm_card_visa")
    refund = await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 100})
    created: Any = {"gte": refund.created, "lt": refund.created + 60}
    params: Any = {"type": "refund", "created": created, "expand": ["data.source.payment_intent"]}
    (found,) = [each for each in (await sdk.v1.balance_transactions.list_async(params)).data if each.amount == -100]
    assert isinstance(found.source, stripe.Refund)
    assert isinstance(found.source.payment_intent, stripe.PaymentIntent)
    assert found.source.payment_intent.id == paid.id
    one = await sdk.v1.balance_transactions.retrieve_async(found.id, {"expand": ["source"]})
    assert isinstance(one.source, stripe.Refund)
    early: Any = {"created": {"lte": paid.created - 3600}}
    assert (await sdk.v1.balance_transactions.list_async(early)).data == []
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.balance_transactions.retrieve_async("txn_none")


async def test_pages(fresh: Sandbox) -> None:
    """Cursors walk the transactions forwards and backwards without gaps or repeats."""
    sdk = fresh.sdk()
    for amount in range(1001, 1006):
        params: Any = {"amount": amount, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
        await sdk.v1.payment_intents.create_async(params)
    walked = [each async for each in (await sdk.v1.balance_transactions.list_async({"limit": 2})).auto_paging_iter()]
    assert [each.amount for each in walked] == [1005, 1004, 1003, 1002, 1001]
    back = await sdk.v1.balance_transactions.list_async({"limit": 2, "ending_before": walked[3].id})
    assert ([each.amount for each in back.data], back.has_more) == ([1004, 1003], True)
    for wrong in ({"starting_after": "txn_none"}, {"limit": 0}):
        with pytest.raises(stripe.InvalidRequestError):
            await sdk.v1.balance_transactions.list_async(wrong)  # type: ignore[arg-type]
