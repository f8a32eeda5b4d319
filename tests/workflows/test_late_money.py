"""Money that moves after a checkout has ended is put on the books, and given back once where there was no sale."""

from datetime import UTC, datetime, timedelta
from typing import Any

from domain.checkout import Checkout, CheckoutStatus
from ledger.inbox import Inbox
from tests.workflows.support import Shop, eventually


async def ended(shop: Shop) -> tuple[Checkout, CheckoutStatus]:
    """A checkout that expired unpaid."""
    checkout = await shop.open(expires_at=datetime.now(UTC) + timedelta(seconds=1))
    status = await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    return checkout, status


async def pay_late(shop: Shop, status: CheckoutStatus) -> None:
    """The gateway takes the customer's money for a payment that had been ended."""
    answer = await shop.sandbox.post(f"/sandbox/payments/{status.payment_id}/pay_late")
    assert answer.is_success, answer.text


async def test_money_that_comes_after_the_expiry_is_given_back_once(shop: Shop) -> None:
    """The late path captures it on the books, refunds it once, and says why."""
    checkout, status = await ended(shop)
    await pay_late(shop, status)
    status = await shop.until(checkout, "refunded")
    assert (status.captured_minor, status.refunded_minor) == (4200, 4200)
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}
    assert await shop.path(checkout) == ["processing", "awaiting_payment", "expired", "refunding", "refunded"]
    causes = await shop.causes(checkout)
    assert any(key.endswith(":refunding") and cause.startswith("webhook:evt_") for key, cause in causes.items())


async def test_the_same_late_event_a_hundred_times_refunds_once(shop: Shop) -> None:
    """Deliveries of one event, doubled and resent, end in one refund."""
    checkout, status = await ended(shop)
    await shop.fault("webhook", "duplicate", checkout, count=50)
    await pay_late(shop, status)
    for _ in range(20):
        await shop.sandbox.post(f"/sandbox/payments/{status.payment_id}/resend")
    await shop.until(checkout, "refunded")
    await shop.all_dispatched(status.payment_id)
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}


async def test_a_refund_that_fails_after_the_end_comes_back_as_a_case(shop: Shop) -> None:
    """Refunded, ended, and then the refund fails: the books are corrected by adding, and a person is asked."""
    checkout = await shop.open(confirm_within_seconds=600)
    await shop.pay(checkout, method="pm_card_refundFail")
    await shop.until(checkout, "paid")
    await shop.sagas().reject(checkout, "out of stock", 20)
    await shop.until(checkout, "refunded")
    await shop.handle(checkout).result()
    await shop.sandbox.post("/sandbox/settle")
    status = await shop.until(checkout, "needs_review")
    assert status.refunded_minor == 0
    assert status.failure is not None
    assert status.failure.code == "refund_failed"
    await shop.parts.client.get_workflow_handle(f"late/{checkout.id}").signal("retry_now")
    await eventually(
        lambda: shop.gateway_rows(checkout), lambda rows: sum(row["operation"] == "refund" for row in rows) == 2
    )


async def test_a_refund_made_at_the_gateway_itself_is_put_on_the_books(shop: Shop) -> None:
    """Somebody refunds in the gateway's own pages: the sale stays a sale, the books follow."""
    checkout = await shop.open()
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    answer = await shop.sandbox.post(
        "/v1/refunds",
        data={"payment_intent": status.payment_id, "amount": "1000"},
        headers={"Authorization": "Bearer sk_test_x"},
    )
    assert answer.is_success, answer.text
    status = await eventually(lambda: shop.status(checkout), lambda s: s.refunded_minor == 1000)
    assert status.state == "completed"


async def test_an_event_for_an_unknown_payment_waits_and_is_flagged(shop: Shop) -> None:
    """A payment that no checkout knows: the event waits for our own commit, and nothing is started for it."""
    answer = await shop.sandbox.post(
        "/v1/payment_intents",
        data={"amount": "4200", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"},
        headers={"Authorization": "Bearer sk_test_x"},
    )
    assert answer.is_success, answer.text
    payment_id = answer.json()["id"]
    inbox = Inbox(shop.parts.engine)

    async def events() -> list[dict[str, Any]]:
        rows = (await shop.sandbox.get("/v1/events", headers={"Authorization": "Bearer sk_test_x"})).json()["data"]
        ours = [row for row in rows if row["data"]["object"]["id"] == payment_id]
        found = [await inbox.get("stripe", row["id"]) for row in ours]
        return [row for row in found if row is not None and row["relevant"]]

    rows = await eventually(events, lambda seen: bool(seen) and all(row["attempts"] >= 2 for row in seen))
    assert {row["outcome"] for row in rows} == {"not_yet"}
    assert all(row["processed_at"] is None for row in rows)
