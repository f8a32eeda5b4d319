"""Endings of checkouts that only some gateways, or several of them together, lead to; see `save_histories`."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.checkout import CaptureMode, Checkout
from domain.saga import SagaPolicy
from tests.workflows.support import Shop, eventually

HASTY = SagaPolicy(poll_after_seconds=20, poll_at_most_seconds=60, stuck_after_seconds=30, failover_after_seconds=4)
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}


async def approved_completed(shop: Shop) -> str:
    """Approved by the customer, declined when it was taken, approved again, taken by us."""
    checkout = await shop.open(gateway="paypal")
    await shop.pay_with(checkout, "declined_soft")
    await eventually(lambda: shop.status(checkout), lambda seen: seen.failure is not None)
    await shop.pay_with(checkout, "good")
    return checkout.workflow_id


async def approved_declined(shop: Shop) -> str:
    """Approved by the customer, refused for good when it was taken."""
    checkout = await shop.open(gateway="paypal")
    await shop.pay_with(checkout, "declined_hard")
    return checkout.workflow_id


async def approved_captured_on_confirm(shop: Shop) -> str:
    """Approved, held by us, confirmed, taken."""
    checkout = await held(shop, "paypal")
    await shop.sagas().confirm(checkout, 20)
    return checkout.workflow_id


async def approved_refunded(shop: Shop) -> str:
    """Approved, taken, rejected, given back."""
    return await refunded(shop, "paypal")


async def unvoidable_expired(shop: Shop) -> str:
    """Nobody came, and the gateway knows no way to end an unpaid payment."""
    return (await shop.open(gateway="paypal", expires_at=datetime.now(UTC) + timedelta(seconds=1))).workflow_id


async def told_completed(shop: Shop) -> str:
    """Held by the customer's payment and captured at once; the gateway tells by webhook alone."""
    checkout = await shop.open(gateway="adyen")
    await shop.pay_with(checkout, "good")
    return checkout.workflow_id


async def told_released(shop: Shop) -> str:
    """Held, rejected, released; told by webhook alone."""
    checkout = await held(shop, "adyen")
    await shop.sagas().reject(checkout, "out of stock", 20)
    return checkout.workflow_id


async def told_refunded(shop: Shop) -> str:
    """Taken, rejected, given back; told by webhook alone."""
    return await refunded(shop, "adyen")


async def told_late_released(shop: Shop) -> str:
    """A hold that comes after the expiry is released."""
    checkout = await shop.open(gateway="adyen", expires_at=datetime.now(UTC) + timedelta(seconds=1))
    status = await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    await shop.sandbox.post(f"/sandbox/payments/{status.payment_id}/pay_late", json={})
    await eventually(lambda: shop.moved(checkout), lambda moved: "release" in moved)
    return f"late/{checkout.id}"


async def canceled_during_a_capture(shop: Shop) -> str:
    """Cancelled by an operator while the gateway works on the capture: the void is refused, the money goes back."""
    checkout = await shop.open(gateway="adyen")
    await shop.pay_with(checkout, "capture_pending")
    await shop.until(checkout, "authorized")
    await asyncio.sleep(1)
    await shop.handle(checkout).cancel()
    await asyncio.sleep(2)
    await shop.world("adyen").settle()
    return checkout.workflow_id


async def capture_lost(shop: Shop) -> str:
    """Taken, and gone before the shop had said yes: no sale, and the hold that is open again is released."""
    checkout = await shop.open(gateway="adyen", **CONFIRMED)
    await shop.pay(checkout, method="capture_fails")
    await shop.until(checkout, "paid")
    await shop.world("adyen").settle()
    return checkout.workflow_id


async def late_capture_lost(shop: Shop) -> str:
    """Sold, and the money gone after that: a case, which a person closes."""
    checkout = await shop.open(gateway="adyen")
    await shop.pay(checkout, method="capture_fails")
    await shop.handle(checkout).result()
    await shop.world("adyen").settle()
    await shop.until(checkout, "needs_review")
    await shop.parts.client.get_workflow_handle(f"late/{checkout.id}").signal("retry_now")
    return f"late/{checkout.id}"


async def failed_over(shop: Shop) -> str:
    """The first gateway asked to come back later."""
    checkout = await shop.record(gateway="stripe", alternatives=("paypal",))
    await shop.strike("create", "rate_limit_429", checkout)
    return await sold_elsewhere(shop, checkout)


async def failed_over_after_silence(shop: Shop) -> str:
    """The first gateway gave no answer and shows no payment."""
    checkout = await shop.record(gateway="stripe", alternatives=("adyen",))
    await shop.strike("create", "unavailable_503", checkout, count=1000)
    return await sold_elsewhere(shop, checkout)


async def given_up_while_opening(shop: Shop) -> str:
    """The shop cancels while no gateway opens the payment."""
    checkout = await shop.record()
    await shop.strike("create", "unavailable_503", checkout, count=1000)
    hasty = shop.sagas(SagaPolicy(20, 60, 2))
    await hasty.start(checkout)
    await eventually(lambda: shop.status(checkout), lambda seen: seen.stuck)
    await hasty.cancel(checkout, 20)
    await shop.sandbox.delete("/sandbox/faults")
    return checkout.workflow_id


async def sold_elsewhere(shop: Shop, checkout: Checkout) -> str:
    """Open it with the fault that was set, and pay where it ended up."""
    assert await shop.sagas(HASTY).open(checkout, 30)
    await shop.sandbox.delete("/sandbox/faults")
    await shop.pay_with(checkout, "good")
    return checkout.workflow_id


async def held(shop: Shop, gateway: str) -> Checkout:
    """An authorized checkout."""
    checkout = await shop.open(gateway=gateway, **ON_CONFIRM)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "authorized")
    return checkout


async def refunded(shop: Shop, gateway: str) -> str:
    """A paid checkout that the shop rejected."""
    checkout = await shop.open(gateway=gateway, **CONFIRMED)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "paid")
    await shop.sagas().reject(checkout, "out of stock", 20)
    return checkout.workflow_id


SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [
    approved_completed,
    approved_declined,
    approved_captured_on_confirm,
    approved_refunded,
    unvoidable_expired,
    told_completed,
    told_released,
    told_refunded,
    told_late_released,
    canceled_during_a_capture,
    capture_lost,
    late_capture_lost,
    failed_over,
    failed_over_after_silence,
    given_up_while_opening,
]
