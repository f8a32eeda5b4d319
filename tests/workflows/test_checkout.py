"""The story of a checkout, from its opening to each of its ends."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.enums.v1 import EventType as HistoryEvent

from api.sagas import CommandRefusedError
from domain.checkout import CaptureMode, Checkout
from domain.money import Money
from domain.saga import SagaPolicy
from tests.workflows.support import Shop, eventually

ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}


def soon(seconds: float) -> dict[str, Any]:
    """An expiry this far ahead."""
    return {"expires_at": datetime.now(UTC) + timedelta(seconds=seconds)}


async def test_a_paid_checkout_completes(shop: Shop) -> None:
    """The customer pays, the signed webhook tells, the money is on the books, the gateway took it once."""
    checkout = await shop.open()
    opened = await shop.status(checkout)
    assert opened.state == "awaiting_payment", opened
    assert opened.next_action is not None
    assert opened.next_action.type == "confirm"
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed")
    assert (status.captured_minor, status.refunded_minor) == (4200, 0)
    assert await shop.path(checkout) == ["processing", "awaiting_payment", "paid", "completed"]
    assert (await shop.causes(checkout))["paid"].startswith("webhook:evt_")
    assert await shop.moved(checkout) == {"charge": [4200]}


async def test_a_happy_checkout_costs_at_most_27_history_events(shop: Shop) -> None:
    """History events are the currency of a Temporal server; the whole saga keeps to its budget."""
    checkout = await shop.open()
    await shop.pay(checkout)
    await shop.handle(checkout).result()
    history = await shop.handle(checkout).fetch_history()
    names = [HistoryEvent.Name(event.event_type) for event in history.events]
    assert len(names) <= 27, names


async def test_a_decline_leaves_another_try(shop: Shop) -> None:
    """After a decline the checkout is payable with another card; the decline is told once."""
    checkout = await shop.open()
    await shop.pay(checkout, "decline")
    status = await eventually(lambda: shop.status(checkout), lambda s: s.failure is not None)
    assert status.state == "awaiting_payment"
    assert status.failure is not None
    assert status.next_action is not None
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed")
    assert status.failure is None
    keys = [row.key for row in await shop.timeline(checkout)]
    assert keys == ["created", "awaiting_payment", "declined", "paid", "completed"]
    assert await shop.taken(checkout) == 1


async def test_three_d_secure_shows_the_next_step_and_then_completes(shop: Shop) -> None:
    """A card that wants authentication gives the customer a page to go to, and the sale goes on after it."""
    checkout = await shop.open()
    await shop.pay(checkout, method="pm_card_threeDSecure2Required")
    status = await eventually(
        lambda: shop.status(checkout), lambda s: s.next_action is not None and s.next_action.type == "redirect"
    )
    assert status.next_action is not None
    assert status.next_action.url is not None
    answer = await shop.sandbox.post(status.next_action.url, data={"outcome": "approve"})
    assert answer.status_code == 200, answer.text
    await shop.until(checkout, "completed")
    assert await shop.taken(checkout) == 1


async def test_an_abandoned_checkout_expires(shop: Shop) -> None:
    """Nobody pays: the gateway is asked once more, the payment is made unpayable, the checkout expires."""
    checkout = await shop.open(**soon(1.5))
    status = await shop.until(checkout, "expired")
    assert status.next_action is None
    assert await shop.moved(checkout) == {}
    assert (await shop.causes(checkout))["expired"] == "timer"
    assert status.payment_id is not None
    payment = await shop.parts.gateways["stripe"].lookup(status.payment_id)
    assert payment is not None
    assert payment.status == "canceled"


async def test_the_gateway_is_asked_before_a_checkout_expires(shop: Shop) -> None:
    """The customer paid and the webhook got lost: at the expiry the sale is found, not thrown away."""
    checkout = await shop.open(**soon(2.5))
    await shop.fault("webhook", "lose", checkout, count=20)
    await shop.pay(checkout)
    status = await shop.until(checkout, "completed", "expired", "refunded")
    assert status.state == "completed"
    assert (await shop.causes(checkout))["paid"] == "poll"


async def test_a_lost_webhook_loses_no_sale(shop: Shop) -> None:
    """No webhook comes: the poll finds the payment, and the books say that it was the poll."""
    checkout = await shop.open(SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=60))
    await shop.fault("webhook", "lose", checkout, count=20)
    await shop.pay(checkout)
    await shop.until(checkout, "completed")
    assert (await shop.causes(checkout))["paid"] == "poll"


async def test_the_shop_cancels_before_payment(shop: Shop) -> None:
    """A cancel makes the payment unpayable; asked again it stays canceled."""
    checkout = await shop.open()
    assert await shop.sagas().cancel(checkout, 20)
    status = await shop.until(checkout, "canceled")
    assert await shop.moved(checkout) == {}
    assert (await shop.causes(checkout))["canceled"] == "api"
    assert status.payment_id is not None
    page = await shop.sandbox.get("/")
    assert page.status_code == 200


async def test_money_that_comes_while_the_shop_cancels_is_given_back(shop: Shop) -> None:
    """The customer paid first, the cancel came second, the webhook not at all: refunded once."""
    checkout = await shop.open()
    await shop.fault("webhook", "lose", checkout, count=20)
    await shop.pay(checkout)
    assert await shop.sagas().cancel(checkout, 20)
    status = await shop.until(checkout, "refunded", "canceled")
    assert status.state == "refunded"
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}
    assert (status.captured_minor, status.refunded_minor) == (4200, 4200)


async def test_authorize_then_confirm_captures(shop: Shop) -> None:
    """`on_confirm`: held first, taken when the shop confirms."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    status = await shop.until(checkout, "authorized")
    assert status.captured_minor == 0
    assert await shop.moved(checkout) == {"authorization": [4200]}
    assert await shop.sagas().confirm(checkout, 20)
    status = await shop.until(checkout, "completed")
    assert status.captured_minor == 4200
    assert await shop.path(checkout) == ["processing", "awaiting_payment", "authorized", "paid", "completed"]
    assert await shop.moved(checkout) == {"authorization": [4200], "capture": [4200]}
    accounts = await balances(shop, checkout)
    assert accounts == {"stripe:balance": 4200, "stripe:sales": -4200}


async def test_an_authorization_that_nobody_confirms_is_voided(shop: Shop) -> None:
    """The deadline passes: the hold is released and nothing was taken."""
    checkout = await shop.open(capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=1)
    await shop.pay(checkout)
    status = await shop.until(checkout, "canceled")
    assert status.failure is not None
    assert status.failure.code == "not_confirmed_in_time"
    assert await shop.moved(checkout) == {"authorization": [4200], "release": [4200]}
    assert await balances(shop, checkout) == {}


async def test_a_paid_order_that_is_confirmed_completes(shop: Shop) -> None:
    """`confirmation`: paid first, completed when the shop says so."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    assert await shop.sagas().confirm(checkout, 20)
    assert (await shop.status(checkout)).state == "completed"


async def test_a_rejected_order_is_refunded(shop: Shop) -> None:
    """The shop says no after the payment: the money goes back, once, and the refund is waited for."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    assert await shop.sagas().reject(checkout, "out of stock", 20)
    status = await shop.until(checkout, "refunded")
    assert (status.captured_minor, status.refunded_minor) == (4200, 4200)
    assert status.failure is not None
    assert (status.failure.code, status.failure.message) == ("rejected_by_shop", "out of stock")
    assert await shop.path(checkout) == ["processing", "awaiting_payment", "paid", "refunding", "refunded"]
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}
    assert await balances(shop, checkout) == {}


async def test_a_paid_order_that_nobody_confirms_is_refunded(shop: Shop) -> None:
    """The shop's silence is a no."""
    checkout = await shop.open(confirm_within_seconds=1)
    await shop.pay(checkout)
    status = await shop.until(checkout, "refunded")
    assert status.failure is not None
    assert status.failure.code == "not_confirmed_in_time"
    assert await shop.moved(checkout) == {"charge": [4200], "refund": [4200]}


async def test_a_rejected_authorization_is_voided(shop: Shop) -> None:
    """Held and rejected: released, never taken."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.sagas().reject(checkout, "out of stock", 20)
    await shop.until(checkout, "canceled")
    assert await shop.moved(checkout) == {"authorization": [4200], "release": [4200]}


async def test_a_cancel_after_authorization_voids(shop: Shop) -> None:
    """Held and canceled by the shop: released, never taken."""
    checkout = await shop.open(**ON_CONFIRM)
    await shop.pay(checkout)
    await shop.until(checkout, "authorized")
    await shop.sagas().cancel(checkout, 20)
    await shop.until(checkout, "canceled")
    assert await shop.moved(checkout) == {"authorization": [4200], "release": [4200]}


async def test_a_refund_is_waited_for_until_it_is_final(shop: Shop) -> None:
    """A pending refund leaves the checkout refunding; only the gateway's final word ends it."""
    checkout = await shop.open(**CONFIRMED)
    await shop.pay(checkout, method="pm_card_pendingRefund")
    await shop.until(checkout, "paid")
    await shop.sagas().reject(checkout, "out of stock", 20)
    await eventually(lambda: balances(shop, checkout), lambda seen: "stripe:refunds_pending" in seen)
    status = await shop.status(checkout)
    assert (status.state, status.refunded_minor) == ("refunding", 0)
    assert (await shop.sandbox.post("/sandbox/settle")).is_success
    status = await shop.until(checkout, "refunded")
    assert status.refunded_minor == 4200
    assert await balances(shop, checkout) == {}


async def test_commands_that_the_state_does_not_allow_are_refused(shop: Shop) -> None:
    """A confirm before payment and a cancel after it change nothing and say why."""
    checkout = await shop.open(**CONFIRMED)
    with pytest.raises(CommandRefusedError, match="awaiting_payment cannot be confirmed"):
        await shop.sagas().confirm(checkout, 20)
    with pytest.raises(CommandRefusedError, match="awaiting_payment cannot be rejected"):
        await shop.sagas().reject(checkout, "no", 20)
    await shop.pay(checkout)
    await shop.until(checkout, "paid")
    with pytest.raises(CommandRefusedError, match="paid cannot be canceled"):
        await shop.sagas().cancel(checkout, 20)
    assert await shop.sagas().confirm(checkout, 20)


async def test_a_payment_that_the_gateway_will_not_have_is_declined(shop: Shop) -> None:
    """An amount below the gateway's minimum ends declined, with the reason, and took nothing."""
    checkout = await shop.open(amount=Money(3, "USD"))
    status = await shop.until(checkout, "declined", "needs_review")
    assert status.failure is not None
    assert status.failure.code == "invalid_request"
    assert "takes 50 to" in status.failure.message
    assert await shop.moved(checkout) == {}


async def balances(shop: Shop, checkout: Checkout) -> dict[str, int]:
    """What is left on each account for this checkout."""
    totals: dict[str, int] = {}
    for row in await shop.books.postings(checkout.id):
        totals[row.account] = totals.get(row.account, 0) + row.amount_minor
    return {account: total for account, total in totals.items() if total}
