"""Facts that reach a saga while it gives back: they wake it, and what they say may be old."""

import asyncio

from domain.saga import Fact
from tests.workflows.agreement import agree
from tests.workflows.support import Shop, eventually


async def test_a_stale_fact_does_not_end_an_undo(shop: Shop) -> None:
    """A dispatcher read the approval before our capture and tells it in the undo: the money is still waited for."""
    checkout = await shop.open(gateway="paypal")
    await shop.fault("webhook", "delay", checkout, gateway="paypal", count=1, seconds=2)
    await shop.pay_with(checkout, "capture_pending")
    payment_id = (await shop.status(checkout)).payment_id or ""
    paypal = shop.parts.gateways["paypal"]
    approval = await paypal.lookup(payment_id)
    assert approval is not None
    assert approval.status == "approved"

    async def status_there() -> str | None:
        payment = await paypal.lookup(payment_id)
        return payment.status if payment else None

    await eventually(status_there, lambda seen: seen == "processing")
    await asyncio.sleep(0.5)  # The saga has heard of it by then.
    await shop.handle(checkout).cancel()
    await asyncio.sleep(1)  # The undo has looked, and waits.
    await shop.sagas().deliver(checkout, Fact(approval, "webhook:WH-SLOW"))
    await asyncio.sleep(1)
    assert (await shop.status(checkout)).state != "canceled"
    await shop.world("paypal").settle()
    await shop.until(checkout, "refunded")
    assert "canceled" not in await shop.path(checkout)
    await agree(shop, checkout)
