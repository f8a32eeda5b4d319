"""Stripe's disputes: opened by cards and by the control interface, answered, decided, and what they do to refunds."""

from typing import Any

import httpx
import pytest
import stripe

from tests.sandbox.conftest import CreateIntent
from tests.sandbox.support import Receiver, Sandbox, eventually

DAY = 86_400


async def _paid(create: CreateIntent, card: str = "pm_card_visa") -> stripe.PaymentIntent:
    return await create(confirm=True, payment_method=card)


async def _open(browser: httpx.AsyncClient, intent: str, kind: str = "chargeback", **more: Any) -> str:
    said = await browser.post("/sandbox/disputes", json={"payment": intent, "kind": kind, **more})
    assert said.status_code == 201, said.text
    return str(said.json()["dispute"])


async def _decide(browser: httpx.AsyncClient, dispute: str, outcome: str) -> None:
    said = await browser.post(f"/sandbox/disputes/{dispute}/decide", json={"outcome": outcome})
    assert said.json() == {"dispute": dispute}


async def _booked(browser: httpx.AsyncClient, intent: str) -> list[tuple[str, int, str | None]]:
    rows = (await browser.get("/sandbox/books", params={"payment": intent})).json()["data"]
    return [(row["operation"], row["amount"], row["dispute"]) for row in rows]


async def _of(sdk: stripe.StripeClient, intent: str) -> stripe.Dispute:
    (found,) = (await sdk.v1.disputes.list_async({"payment_intent": intent})).data
    return found


@pytest.mark.parametrize(
    ("card", "status", "reason", "withdrawn"),
    [
        ("pm_card_createDispute", "needs_response", "fraudulent", [-4200]),
        ("pm_card_createDisputeProductNotReceived", "needs_response", "product_not_received", [-4200]),
        ("pm_card_createDisputeInquiry", "warning_needs_response", "general", []),
    ],
)
async def test_cards_that_dispute(
    sdk: stripe.StripeClient, create: CreateIntent, card: str, status: str, reason: str, withdrawn: list[int]
) -> None:
    """Some test cards dispute as soon as money was taken; a mere hold is not disputed."""
    dispute = await _of(sdk, (await _paid(create, card)).id)
    assert (dispute.status, dispute.reason, dispute.amount) == (status, reason, 4200)
    assert [row.amount for row in dispute.balance_transactions] == withdrawn
    assert dispute.is_charge_refundable is (not withdrawn)
    assert (await sdk.v1.charges.retrieve_async(str(dispute.charge))).disputed
    held = await create(confirm=True, payment_method=card, capture_method="manual")
    assert (await sdk.v1.disputes.list_async({"payment_intent": held.id})).data == []
    await sdk.v1.payment_intents.capture_async(held.id, {"amount_to_capture": 1000})
    assert (await _of(sdk, held.id)).amount == 1000


async def test_won(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient, receiver: Receiver, secret: str
) -> None:
    """A chargeback withdraws, a won one reinstates: in the dispute, the books, the balance and the events."""
    assert secret
    paid = await _paid(create)
    opened = await _open(browser, paid.id, amount=1500)
    await _decide(browser, opened, "won")
    dispute = await sdk.v1.disputes.retrieve_async(opened, {"expand": ["charge", "payment_intent"]})
    assert (dispute.status, dispute.is_charge_refundable) == ("won", True)
    assert [(row.amount, row.reporting_category, row.type) for row in dispute.balance_transactions] == [
        (-1500, "dispute", "adjustment"),
        (1500, "dispute_reversal", "adjustment"),
    ]
    assert isinstance(dispute.payment_intent, stripe.PaymentIntent)
    moved = [("dispute", 1500, opened), ("dispute_reversed", 1500, opened)]
    assert await _booked(browser, paid.id) == [("charge", 4200, None), *moved]
    listed = await sdk.v1.balance_transactions.list_async({"source": opened, "expand": ["data.source"]})
    assert [row.amount for row in listed.data] == [1500, -1500]
    assert {type(row.source) for row in listed.data} == {stripe.Dispute}
    told = ("created", "funds_withdrawn", "funds_reinstated", "closed")
    await eventually(lambda: {f"charge.dispute.{word}" for word in told} <= set(receiver.types(paid.id)))


async def test_lost_takes_the_money_for_good(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """What the customer got by a lost dispute is not refunded again, the rest is."""
    paid = await _paid(create)
    dispute = await _open(browser, paid.id, amount=3000)
    with pytest.raises(stripe.InvalidRequestError) as open_yet:
        await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1})
    assert open_yet.value.code == "charge_disputed"
    await _decide(browser, dispute, "lost")
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1201})
    await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1200})
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1})
    again = await browser.post(f"/sandbox/disputes/{dispute}/decide", json={"outcome": "won"})
    assert again.status_code == 409


async def test_the_balance_follows(fresh: Sandbox) -> None:
    """The account holds less while a chargeback has the money."""
    sdk = fresh.sdk()
    params: Any = {"amount": 4200, "currency": "usd", "confirm": True, "payment_method": "pm_card_createDispute"}
    paid = await sdk.v1.payment_intents.create_async(params)
    assert (await sdk.v1.balance.retrieve_async()).available[0].amount == 0
    async with fresh.browser() as browser:
        await _decide(browser, (await _of(sdk, paid.id)).id, "won")
    assert (await sdk.v1.balance.retrieve_async()).available[0].amount == 4200


async def test_a_refund_answers_an_inquiry(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """An inquiry closes once what it asks for is refunded, a part does not close it; nothing is withdrawn."""
    paid = await _paid(create)
    inquiry = await _open(browser, paid.id, "inquiry", amount=2000)
    await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1999})
    assert (await sdk.v1.disputes.retrieve_async(inquiry)).status == "warning_needs_response"
    await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1})
    assert (await sdk.v1.disputes.retrieve_async(inquiry)).status == "warning_closed"
    assert "dispute" not in [operation for operation, _, _ in await _booked(browser, paid.id)]


async def test_an_escalated_inquiry_fails_its_refunds(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """A refund made during an inquiry fails when that becomes a chargeback, so the customer is paid once."""
    paid = await _paid(create)
    earlier = await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 200})
    inquiry = await _open(browser, paid.id, "inquiry")
    refund = await sdk.v1.refunds.create_async({"payment_intent": paid.id, "amount": 1000})
    assert (await browser.post(f"/sandbox/disputes/{inquiry}/escalate")).json() == {"dispute": inquiry}
    failed = await sdk.v1.refunds.retrieve_async(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "charge_for_pending_refund_disputed")
    assert (await sdk.v1.refunds.retrieve_async(earlier.id)).status == "succeeded"
    moved = [("refund_failure", 1000, None), ("dispute", 4000, inquiry)]
    assert (await _booked(browser, paid.id))[-2:] == moved
    assert (await browser.post(f"/sandbox/disputes/{inquiry}/escalate")).status_code == 409
    dispute = await sdk.v1.disputes.retrieve_async(inquiry)
    details: Any = dispute.payment_method_details
    assert (dispute.status, details.card.case_type) == ("needs_response", "chargeback")


async def test_evidence(sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """Evidence may be kept first; submitted it brings the dispute under review, once."""
    dispute = await _open(browser, (await _paid(create)).id)
    kept = await sdk.v1.disputes.update_async(dispute, {"evidence": {"product_description": "A lamp"}, "submit": False})
    assert (kept.status, kept.evidence_details.has_evidence, kept.evidence_details.submission_count) == (
        "needs_response",
        True,
        0,
    )
    sent = await sdk.v1.disputes.update_async(dispute, {"evidence": {"uncategorized_text": "It was delivered."}})
    assert (sent.status, sent.evidence_details.submission_count) == ("under_review", 1)
    assert sent.evidence.product_description == "A lamp"
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.disputes.update_async(dispute, {"evidence": {"uncategorized_text": "And signed for."}})
    too_long: Any = {"evidence": {"uncategorized_text": "x" * 20_001}}
    unknown: Any = {"evidence": {"story": "x"}}
    letter: Any = {"evidence": {"customer_communication": "Dear shop"}}
    other = await _open(browser, (await _paid(create)).id)
    for wrong in (too_long, unknown, letter):
        with pytest.raises(stripe.InvalidRequestError):
            await sdk.v1.disputes.update_async(other, wrong)
    assert (await sdk.v1.disputes.retrieve_async(other)).evidence_details.has_evidence is False


@pytest.mark.parametrize(
    ("kind", "words", "status"),
    [
        ("chargeback", "winning_evidence", "won"),
        ("chargeback", "losing_evidence", "lost"),
        ("inquiry", "winning_evidence", "warning_closed"),
        ("inquiry", "escalate_inquiry_evidence", "needs_response"),
    ],
)
async def test_test_words_decide(fresh: Sandbox, kind: str, words: str, status: str) -> None:
    """Stripe's own test words in the evidence bring about the end, some seconds later."""
    sdk = fresh.sdk()
    params: Any = {"amount": 4200, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
    paid = await sdk.v1.payment_intents.create_async(params)
    async with fresh.browser() as browser:
        dispute = await _open(browser, paid.id, kind)
        sent = await sdk.v1.disputes.update_async(dispute, {"evidence": {"uncategorized_text": words}})
        assert sent.status.endswith("under_review")
        assert dispute in (await browser.post("/sandbox/settle")).json()["moved"]
    assert (await sdk.v1.disputes.retrieve_async(dispute)).status == status


async def test_closing_is_losing(sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient) -> None:
    """A chargeback can be given up, once; an inquiry cannot; nothing can be said to what is over."""
    dispute = await _open(browser, (await _paid(create)).id)
    assert (await sdk.v1.disputes.close_async(dispute)).status == "lost"
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await sdk.v1.disputes.close_async(dispute)
    with pytest.raises(stripe.InvalidRequestError, match="already closed"):
        await sdk.v1.disputes.update_async(dispute, {"evidence": {"uncategorized_text": "Wait."}})
    inquiry = await _open(browser, (await _paid(create)).id, "inquiry")
    with pytest.raises(stripe.InvalidRequestError):
        await sdk.v1.disputes.close_async(inquiry)
    with pytest.raises(stripe.InvalidRequestError) as unknown:
        await sdk.v1.disputes.retrieve_async("du_none")
    assert (unknown.value.code, unknown.value.param) == ("resource_missing", "dispute")


async def test_deadlines_follow_the_clock(fresh: Sandbox) -> None:
    """Unanswered, a chargeback is lost at its deadline; an answered one waits on; an inquiry rests after 120 days."""
    sdk = fresh.sdk()
    params: Any = {"amount": 4200, "currency": "usd", "confirm": True, "payment_method": "pm_card_visa"}
    async with fresh.browser() as browser:
        silent, answered, inquiry = [
            await _open(browser, (await sdk.v1.payment_intents.create_async(params)).id, kind, days=days)
            for kind, days in (("chargeback", 10), ("chargeback", 10), ("inquiry", 5))
        ]
        assert (await sdk.v1.disputes.retrieve_async(silent)).evidence_details.due_by is not None
        await sdk.v1.disputes.update_async(answered, {"evidence": {"uncategorized_text": "It was delivered."}})
        await browser.post("/sandbox/clock", json={"advance_seconds": 10 * DAY - 60})
        assert (await sdk.v1.disputes.retrieve_async(silent)).status == "needs_response"
        moved = (await browser.post("/sandbox/clock", json={"advance_seconds": 120})).json()["moved"]
        assert moved == [silent]
        await browser.post("/sandbox/clock", json={"advance_seconds": 111 * DAY})
    said = [(await sdk.v1.disputes.retrieve_async(each)).status for each in (silent, answered, inquiry)]
    assert said == ["lost", "under_review", "warning_closed"]


async def test_what_cannot_be_disputed(
    sdk: stripe.StripeClient, create: CreateIntent, browser: httpx.AsyncClient
) -> None:
    """Nothing taken, everything returned, more than there is, and requests that say nothing clear are refused."""
    unpaid, paid = await create(), await _paid(create)
    returned = await _paid(create)
    await sdk.v1.refunds.create_async({"payment_intent": returned.id})
    wrong: list[tuple[dict[str, Any], int]] = [
        ({"payment": unpaid.id, "kind": "chargeback"}, 409),
        ({"payment": returned.id, "kind": "chargeback"}, 409),
        ({"payment": paid.id, "kind": "chargeback", "amount": 4201}, 400),
        ({"payment": paid.id, "kind": "chargeback", "amount": 0}, 400),
        ({"payment": paid.id, "kind": "question"}, 400),
        ({"payment": paid.id, "kind": "inquiry", "days": -1}, 400),
        ({"payment": paid.id, "kind": "inquiry", "reason": "x"}, 400),
        ({"payment": "pi_none", "kind": "inquiry"}, 404),
        ({"kind": "inquiry"}, 400),
    ]
    for body, status in wrong:
        assert (await browser.post("/sandbox/disputes", json=body)).status_code == status, body
    assert (await sdk.v1.disputes.list_async({"payment_intent": paid.id})).data == []
    assert (await browser.post("/sandbox/disputes/du_none/escalate")).status_code == 404
    first = await _open(browser, paid.id, amount=4000)
    second = await browser.post("/sandbox/disputes", json={"payment": paid.id, "kind": "chargeback", "amount": 201})
    assert second.status_code == 400
    assert (await browser.post(f"/sandbox/disputes/{first}/decide", json={"outcome": "draw"})).status_code == 400
