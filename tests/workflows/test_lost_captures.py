"""Captured money that goes away again: no sale is made of it, and where one was made somebody hears of it."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from temporalio import activity
from temporalio.service import RPCError

import worker
from domain.checkout import CaptureMode, Checkout, CheckoutStatus
from domain.payment import PaymentSnapshot, PaymentStatus
from domain.saga import Fact, SagaPolicy
from ledger.contract import InboxItem
from tests.workflows.agreement import agree
from tests.workflows.splits import open_split, reset, states
from tests.workflows.support import Shop, eventually

BOUNCED = {"authorization": [4200], "capture": [4200], "capture_failure": [4200]}
RELEASED = BOUNCED | {"release": [4200]}


async def pay_with_bouncing_capture(shop: Shop, checkout: Checkout) -> None:
    """The customer's card pays, its capture is told as done, and will be rejected when it settles."""
    await shop.pay(checkout, method="capture_fails")


async def bounced_after_the_sale(shop: Shop) -> tuple[Checkout, CheckoutStatus]:
    """A checkout whose money went away when it was completed and its workflow closed."""
    checkout = await shop.open(gateway="adyen")
    await pay_with_bouncing_capture(shop, checkout)
    await shop.until(checkout, "completed")
    await shop.handle(checkout).result()
    await shop.world("adyen").settle()
    return checkout, await shop.until(checkout, "needs_review")


async def outcomes(shop: Shop, checkout: Checkout) -> dict[str, str]:
    """What became of each kind of event about the checkout."""
    query = text("SELECT type, outcome FROM webhook_inbox WHERE reference = :reference")
    async with shop.parts.engine.connect() as connection:
        rows = await connection.execute(query, {"reference": checkout.id})
        return {row.type: row.outcome for row in rows}


async def test_money_that_bounces_after_the_sale_is_a_case(shop: Shop) -> None:
    """The sale was made: the books lose the money at once, a person is asked, and closes it as completed."""
    checkout, status = await bounced_after_the_sale(shop)
    assert (status.captured_minor, status.waiting_for) == (0, "a person (capture_lost)")
    assert status.failure is not None
    assert status.failure.code == "capture_lost"
    assert await shop.moved(checkout) == BOUNCED
    await eventually(lambda: outcomes(shop, checkout), lambda seen: seen.get("CAPTURE_FAILED") == "late")
    await agree(shop, checkout)
    late = shop.parts.client.get_workflow_handle(f"late/{checkout.id}")
    await late.signal("retry_now")
    await late.result()
    status = await shop.status(checkout)
    assert (status.state, status.stuck, status.failure) == ("completed", False, None)
    assert (await shop.path(checkout))[-3:] == ["completed", "needs_review", "completed"]


async def test_the_case_of_a_sale_outlives_a_reset(shop: Shop) -> None:
    """An operator resets the workflow that asks: it asks again, and gives nothing back of what was sold."""
    checkout, _ = await bounced_after_the_sale(shop)
    await reset(shop, f"late/{checkout.id}")
    late = shop.parts.client.get_workflow_handle(f"late/{checkout.id}")
    assert (await shop.status(checkout)).state == "needs_review"

    async def asked_again() -> str:
        # A word from before the question counts for nothing, so it is said until it is heard.
        with suppress(RPCError):
            await late.signal("retry_now")
        return str((await shop.status(checkout)).state)

    await eventually(asked_again, lambda state: state == "completed")
    await late.result()
    assert await shop.moved(checkout) == BOUNCED


async def test_money_that_bounces_while_the_shop_thinks_is_no_sale(shop: Shop) -> None:
    """Paid, not confirmed yet, and gone: it ends as declined, what is held again is released, no word can sell it."""
    checkout = await shop.open(gateway="adyen", confirm_within_seconds=600)
    await pay_with_bouncing_capture(shop, checkout)
    await shop.until(checkout, "paid")
    await shop.world("adyen").settle()
    status = await shop.until(checkout, "declined")
    assert status.failure is not None
    assert (status.failure.code, status.captured_minor) == ("capture_lost", 0)
    assert await shop.moved(checkout) == RELEASED
    await agree(shop, checkout)


async def test_a_tender_whose_money_bounces_takes_the_whole_with_it(shop: Shop) -> None:
    """All or nothing: one tender's capture fails before the sale is made, so the other is given back."""
    split = await open_split(shop, tenders=(("adyen", 3000), ("stripe", 1200)), confirm_within_seconds=600)
    await pay_with_bouncing_capture(shop, split.legs[0])
    await shop.pay_with(split.legs[1], "good")
    await shop.until(split.whole, "paid")
    await shop.world("adyen").settle()
    await shop.until(split.whole, "refunded")
    assert await states(shop, split) == ["refunded", "canceled", "refunded"]
    for leg in split.legs:
        await agree(shop, leg)


@pytest.mark.parametrize("older", [PaymentStatus.AUTHORIZED, PaymentStatus.PROCESSING, PaymentStatus.CANCELED])
async def test_an_older_look_is_no_loss(shop: Shop, older: PaymentStatus) -> None:
    """A dispatcher that read the payment before the capture tells of it late: the gateway is asked, nothing moves."""
    checkout = await shop.open(confirm_within_seconds=600)
    await shop.pay(checkout)
    payment_id = (await shop.until(checkout, "paid")).payment_id
    assert payment_id is not None
    now = await shop.parts.gateways["stripe"].lookup(payment_id)
    assert now is not None
    before = replace(now, status=older, captured=now.amount.zero())
    await shop.sagas().deliver(checkout, Fact(before, "webhook:evt_older"))
    await shop.sagas().confirm(checkout, 20)
    assert (await shop.until(checkout, "completed")).captured_minor == 4200
    assert {row.kind for row in await shop.books.postings(checkout.id)} == {"capture"}
    await agree(shop, checkout)


def restated(word: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """An order with every capture of it in another status."""

    def change(order: dict[str, Any]) -> dict[str, Any]:
        for unit in order["purchase_units"]:
            for capture in unit.get("payments", {}).get("captures", []):
                capture["status"] = word
        return order

    return change


def tell_otherwise(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, payment_id: str | None, change: Callable[[dict[str, Any]], Any]
) -> None:
    """From now on PayPal states this order otherwise; the sandbox knows no capture that is taken back later."""
    reader = shop.parts.gateways["paypal"]._reader  # type: ignore[attr-defined]
    read = reader.read_if_there

    async def otherwise(path: str) -> Any:
        stated = await read(path)
        return change(stated) if stated is not None and path.endswith(f"/orders/{payment_id}") else stated

    monkeypatch.setattr(reader, "read_if_there", otherwise)


@pytest.mark.parametrize("word", ["DECLINED", "PENDING"])
async def test_a_sale_whose_capture_is_restated_is_a_case(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    """Completed at PayPal, then declined, or pending again over a complaint: off the books, and a person is asked."""
    checkout = await shop.open(gateway="paypal")
    await shop.pay_with(checkout, "good")
    payment_id = (await shop.until(checkout, "completed")).payment_id
    await shop.handle(checkout).result()
    await shop.all_dispatched(payment_id)
    tell_otherwise(shop, monkeypatch, payment_id, restated(word))
    event = InboxItem(
        0, "paypal", f"WH-{word}", f"PAYMENT.CAPTURE.{word}", payment_id, checkout.id, datetime.now(UTC), 1
    )
    assert await worker.build_dispatcher(shop.parts).dispatch(event) == "late"
    status = await shop.until(checkout, "needs_review")
    assert (status.captured_minor, status.waiting_for) == (0, "a person (capture_lost)")
    monkeypatch.undo()
    await shop.parts.client.get_workflow_handle(f"late/{checkout.id}").signal("retry_now")
    await shop.until(checkout, "completed")


async def test_a_paid_order_that_is_rejected_when_its_money_is_gone_ends(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing told of the loss: the shop's no finds it, and there is nothing to give back."""
    checkout = await shop.open(gateway="paypal", confirm_within_seconds=600)
    await shop.pay_with(checkout, "good")
    payment_id = (await shop.until(checkout, "paid")).payment_id
    await shop.all_dispatched(payment_id)
    tell_otherwise(shop, monkeypatch, payment_id, restated("DECLINED"))
    await shop.sagas().reject(checkout, "out of stock", 20)
    status = await shop.until(checkout, "canceled")
    assert (status.captured_minor, status.failure and status.failure.code) == (0, "rejected_by_shop")
    assert "refund" not in await shop.moved(checkout)


async def test_a_capture_of_a_hold_that_is_declined_later_ends(shop: Shop) -> None:
    """The gateway took the capture in and declines it under a name of its own: the hold, open again, is released."""
    checkout = await shop.open(gateway="paypal", capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=600)
    await shop.pay(checkout, method="capture_pending_declined")
    await shop.until(checkout, "authorized")
    await shop.sagas().confirm(checkout, 20)
    await eventually(lambda: outcomes(shop, checkout), lambda seen: "PAYMENT.CAPTURE.PENDING" in seen)
    await shop.world("paypal").settle()
    await shop.until(checkout, "declined")
    assert await shop.moved(checkout) == {"authorization": [4200], "release": [4200]}
    await agree(shop, checkout)


async def test_an_undo_whose_void_is_refused_says_so(shop: Shop) -> None:
    """The gateway, at work on a capture, will not cancel: at the first no it is shown what the checkout waits for."""
    policy = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=5)
    checkout = await shop.open(policy, gateway="adyen")
    await shop.pay(checkout, method="capture_slow")
    await shop.until(checkout, "authorized")
    await eventually(lambda: outcomes(shop, checkout), lambda seen: "AUTHORISATION" in seen)
    await shop.handle(checkout).cancel()
    status = await eventually(lambda: shop.status(checkout), lambda seen: "release" in (seen.waiting_for or ""))
    assert not status.stuck
    await shop.world("adyen").settle()
    assert (await shop.until(checkout, "refunded")).waiting_for is None
    await agree(shop, checkout)


async def test_a_tender_that_loses_its_money_when_all_are_sold_is_a_case(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shop confirms while the loss is being looked at: the other tender is sold, so a person has to look."""
    split = await open_split(shop, tenders=(("adyen", 3000), ("stripe", 1200)), confirm_within_seconds=600)
    tender = split.legs[0]
    await pay_with_bouncing_capture(shop, tender)
    await shop.pay_with(split.legs[1], "good")
    payment_id = (await shop.until(tender, "paid")).payment_id
    await shop.until(split.whole, "paid")
    gateway, asked, go_on = shop.parts.gateways["adyen"], asyncio.Event(), asyncio.Event()
    look_up = gateway.lookup

    async def held_up(wanted: str) -> PaymentSnapshot | None:
        seen = await look_up(wanted)
        if wanted == payment_id and seen is not None and not seen.captured.minor and activity.in_activity():
            asked.set()
            await go_on.wait()
        return seen

    monkeypatch.setattr(gateway, "lookup", held_up)
    await shop.world("adyen").settle()
    await asked.wait()
    await shop.tell(split.whole, "confirm")
    await shop.until(split.legs[1], "completed")
    go_on.set()
    status = await shop.until(tender, "needs_review")
    assert (status.captured_minor, status.waiting_for) == (0, "a person (capture_lost)")
    await eventually(lambda: shop.status(split.whole), lambda seen: "capture_lost" in (seen.waiting_for or ""))
    await shop.handle(tender).signal("retry_now")
    await shop.until(split.whole, "completed")
    assert await states(shop, split) == ["completed"] * 3
