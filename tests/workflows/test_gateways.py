"""The stories of a checkout, told at every gateway: the saga is the same, what the gateways can do is not."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.sagas import CommandRefusedError, SagaEndedError
from domain.checkout import CaptureMode, Checkout
from domain.saga import SagaPolicy
from tests.gateways.outside import needs
from tests.workflows.agreement import agree, on_books
from tests.workflows.support import Shop, eventually

GATEWAYS = ("stripe", "paypal", "adyen")
CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=60)
TAKEN_BY = {"stripe": {"charge": [4200]}, "paypal": {"charge": [4200]}}
"""How a gateway's books tell of a sale at once, where the money is not held first."""
HELD = {"authorization": [4200]}
pytestmark = pytest.mark.parametrize("gateway", GATEWAYS)


def sale(gateway: str) -> dict[str, list[int]]:
    """The movements of a payment that is taken as soon as the customer has paid."""
    return TAKEN_BY.get(gateway, HELD | {"capture": [4200]})


async def paid(shop: Shop, gateway: str, means: str = "good") -> Checkout:
    """A checkout that is paid and waits for the shop."""
    checkout = await shop.open(gateway=gateway, **CONFIRMED)
    await shop.pay_with(checkout, means)
    await shop.until(checkout, "paid")
    return checkout


async def held(shop: Shop, gateway: str) -> Checkout:
    """A checkout whose money is held until the shop confirms."""
    checkout = await shop.open(gateway=gateway, **ON_CONFIRM)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "authorized")
    return checkout


async def test_paid_is_completed(shop: Shop, gateway: str) -> None:
    """The customer pays; whoever has to act for the money to be taken, it is taken once and the sale is made."""
    checkout = await shop.open(gateway=gateway)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "completed")
    await agree(shop, checkout)
    assert await shop.moved(checkout) == sale(gateway)


async def test_held_and_confirmed_is_captured(shop: Shop, gateway: str) -> None:
    """Nothing is taken before the shop confirms; then it is taken once."""
    checkout = await held(shop, gateway)
    assert await shop.moved(checkout) == HELD
    await shop.sagas().confirm(checkout, 20)
    await shop.until(checkout, "completed")
    await agree(shop, checkout)
    assert await shop.moved(checkout) == HELD | {"capture": [4200]}


async def test_held_and_rejected_is_released(shop: Shop, gateway: str) -> None:
    """The shop says no while the money is held: it is released and never taken."""
    checkout = await held(shop, gateway)
    await shop.sagas().reject(checkout, "out of stock", 20)
    await shop.until(checkout, "canceled")
    await agree(shop, checkout)
    assert await shop.moved(checkout) == HELD | {"release": [4200]}


async def test_held_and_never_confirmed_is_released(shop: Shop, gateway: str) -> None:
    """The shop's silence is a no."""
    checkout = await shop.open(gateway=gateway, capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=2)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "canceled")
    await agree(shop, checkout)
    assert await shop.moved(checkout) == HELD | {"release": [4200]}


async def test_paid_and_rejected_is_refunded(shop: Shop, gateway: str) -> None:
    """The shop says no to what was taken: all of it goes back, once."""
    checkout = await paid(shop, gateway)
    await shop.sagas().reject(checkout, "out of stock", 20)
    status = await shop.until(checkout, "refunded")
    assert status.refunded_minor == 4200
    await agree(shop, checkout)
    assert await shop.moved(checkout) == sale(gateway) | {"refund": [4200]}


async def test_a_pending_refund_is_waited_for(shop: Shop, gateway: str) -> None:
    """The refund is asked for and not final: the checkout stays refunding until the gateway says so."""
    needs(shop.world(gateway), "refund_pending")
    checkout = await paid(shop, gateway, "refund_pending")
    await shop.tell(checkout, "reject", "out of stock")
    status = await shop.until(checkout, "refunding")
    await asyncio.sleep(1)
    status = await shop.status(checkout)
    assert (status.state, status.refunded_minor) == ("refunding", 0)
    await shop.world(gateway).settle()
    await shop.until(checkout, "refunded")
    await agree(shop, checkout)


async def test_a_refund_that_fails_in_the_end_is_a_case(shop: Shop, gateway: str) -> None:
    """Told as done or on its way, then failed: a person is asked, and the books say that the money is ours again."""
    needs(shop.world(gateway), "refund_fails")
    checkout = await paid(shop, gateway, "refund_fails")
    await shop.tell(checkout, "reject", "out of stock")
    await eventually(lambda: on_books(shop, checkout), lambda moved: (gateway, "refund", 4200) in moved)
    await shop.world(gateway).settle()
    status = await shop.until(checkout, "needs_review")
    assert status.failure is not None
    assert status.failure.code == "refund_failed"
    assert status.refunded_minor == 0
    await agree(shop, checkout)
    assert await shop.moved(checkout) == sale(gateway) | {"refund": [4200], "refund_failure": [4200]}


async def test_declined_and_paid_by_other_means(shop: Shop, gateway: str) -> None:
    """A no is told once and leaves the customer another try, which is taken."""
    checkout = await shop.open(gateway=gateway)
    await shop.pay_with(checkout, "declined_soft")
    status = await eventually(lambda: shop.status(checkout), lambda seen: seen.failure is not None)
    assert status.state == "awaiting_payment"
    assert status.next_action is not None
    assert await shop.moved(checkout) == {}
    await shop.pay_with(checkout, "good")
    status = await shop.until(checkout, "completed")
    assert status.failure is None
    await agree(shop, checkout)
    assert [row.key for row in await shop.timeline(checkout)].count("declined") == 1


async def test_declined_twice_is_told_twice(shop: Shop, gateway: str) -> None:
    """Every try is one of its own: with its own operation where it is ours to ask for the money."""
    checkout = await shop.open(gateway=gateway)
    for number in (1, 2):
        await shop.pay_with(checkout, "declined_soft")
        await eventually(lambda: declines(shop, checkout), lambda seen, number=number: seen == number)
        await asyncio.sleep(1)  # Gateways date their notices to the second; nobody tries twice within one.
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "completed")
    await agree(shop, checkout)
    assert await declines(shop, checkout) == 2


async def test_abandoned_expires_and_cannot_be_paid_any_more(shop: Shop, gateway: str) -> None:
    """Nobody pays in time; whoever comes to the gateway's page after that pays nothing."""
    checkout = await shop.open(gateway=gateway, expires_at=datetime.now(UTC) + timedelta(seconds=1.5))
    opened = await shop.status(checkout)
    assert opened.next_action is not None
    assert opened.next_action.url is not None
    await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    await shop.sandbox.post(opened.next_action.url, data={"outcome": "approve"})
    await shop.all_dispatched(opened.payment_id)
    assert (await agree(shop, checkout)).state == "expired"
    assert await shop.moved(checkout) == {}


async def test_canceled_while_the_customer_pays(shop: Shop, gateway: str) -> None:
    """Cancel and payment in the same moment: sold, or nothing kept, and never both."""
    checkout = await shop.open(gateway=gateway)
    both = (shop.pay_with(checkout, "good"), shop.sagas().cancel(checkout, 20))
    endings = await asyncio.gather(*both, return_exceptions=True)
    assert all(
        end is None or isinstance(end, bool | AssertionError | CommandRefusedError | SagaEndedError) for end in endings
    )
    await shop.until(checkout, "completed", "canceled", "refunded")
    await shop.handle(checkout).result()
    await shop.all_dispatched((await shop.status(checkout)).payment_id)
    await agree(shop, checkout)


async def test_canceled_after_the_customer_paid_is_given_back(shop: Shop, gateway: str) -> None:
    """The webhook is late, so the shop still cancels: what the gateway took by then goes back."""
    checkout = await shop.open(gateway=gateway)
    await shop.fault("webhook", "delay", checkout, gateway=gateway, count=20, seconds=2)
    await shop.pay_with(checkout, "good")
    await shop.sagas().cancel(checkout, 20)
    await shop.until(checkout, "canceled", "refunded")
    await shop.handle(checkout).result()
    await shop.all_dispatched((await shop.status(checkout)).payment_id)
    await agree(shop, checkout)


async def test_a_lost_webhook_loses_no_sale(shop: Shop, gateway: str) -> None:
    """Where payments can be read, a poll finds what no webhook told; where not, the checkout says what it waits for."""
    checkout = await shop.open(EAGER, gateway=gateway, expires_at=datetime.now(UTC) + timedelta(seconds=8))
    await shop.fault("webhook", "lose", checkout, gateway=gateway, count=50)
    await shop.pay_with(checkout, "good")
    if gateway == "adyen":
        wanted = "the gateway to say what became of the payment"
        await eventually(lambda: shop.status(checkout), lambda seen: seen.waiting_for == wanted)
        return
    await shop.until(checkout, "completed")
    assert (await shop.causes(checkout))["paid"] in ("poll", "api")
    await agree(shop, checkout)


async def declines(shop: Shop, checkout: Checkout) -> int:
    """How often the timeline tells of a decline."""
    return sum(row.key.partition(":")[0] == "declined" for row in await shop.timeline(checkout))
