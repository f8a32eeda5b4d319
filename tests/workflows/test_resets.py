"""A reset tells a saga's story anew, later than it happened: it must come to where the money is by then."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.checkout import Checkout
from tests.workflows.agreement import agree
from tests.workflows.several import GATEWAYS, HASTY, moves, operations
from tests.workflows.splits import moved, open_split, pay_all, reset, states
from tests.workflows.support import Shop, eventually

CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}


def soon(seconds: float) -> datetime:
    """The end of a time to pay that a test can wait for."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


async def reset_after_expiry(shop: Shop, whole: Checkout, told: Checkout) -> None:
    """The time to pay is over, then the saga `told` is reset; its new run stands where the old one stood."""
    await asyncio.sleep(max(0.0, (whole.expires_at - datetime.now(UTC)).total_seconds()) + 0.5)
    await reset_and_paid(shop, told)


async def reset_and_paid(shop: Shop, checkout: Checkout) -> None:
    """Reset it and wait until its new run, too, waits with the money taken."""
    before = (await shop.handle(checkout).describe()).run_id
    await reset(shop, checkout.workflow_id)

    async def stands() -> tuple[bool, str]:
        described = await shop.handle(checkout).describe()
        return described.run_id != before, (await shop.handle(checkout).query("status"))["state"]

    await eventually(stands, lambda seen: seen == (True, "paid"))


@pytest.mark.parametrize(("first", "second"), [("stripe", "paypal"), ("paypal", "adyen"), ("adyen", "stripe")])
async def test_a_reset_after_a_failover_goes_on_where_the_payment_is(shop: Shop, first: str, second: str) -> None:
    """The gateway that was left would open a payment now: it is not asked to, and the customer is charged once."""
    checkout = await shop.record(gateway=first, alternatives=(second,), **CONFIRMED)
    await shop.strike("create", "rate_limit_429", checkout)
    assert await shop.sagas(HASTY).open(checkout, 20)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "paid")
    asked = [operation.key for operation in await operations(shop, checkout)]
    await reset_and_paid(shop, checkout)
    assert (await shop.record_of(checkout)).gateway == second
    await shop.sagas().confirm(checkout, 20)
    assert (await shop.handle(checkout).result())["state"] == "completed"
    assert {row["gateway"] for row in await shop.gateway_rows(checkout)} == {second}
    assert [operation.key for operation in await operations(shop, checkout)] == asked
    assert await shop.parts.gateways[first].find(checkout.id) is None
    assert [(left, to) for left, to, _ in await moves(shop, checkout)] == [(first, second)]
    await agree(shop, checkout)


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_a_reset_after_the_time_to_pay_keeps_the_sale(shop: Shop, gateway: str) -> None:
    """What was paid in time stays paid, and the shop can still confirm it."""
    checkout = await shop.open(gateway=gateway, expires_at=soon(5), **CONFIRMED)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "paid")
    await reset_after_expiry(shop, checkout, checkout)
    await shop.sagas().confirm(checkout, 20)
    assert (await shop.handle(checkout).result())["state"] == "completed"
    assert "refund" not in await shop.moved(checkout)
    await agree(shop, checkout)


async def test_a_reset_after_the_time_to_pay_keeps_a_sale_that_was_declined_first(shop: Shop) -> None:
    """The stored no to the first try is not the last word: a later try took the money, as the gateway shows."""
    checkout = await shop.open(gateway="paypal", expires_at=soon(8), **CONFIRMED)
    await shop.pay_with(checkout, "declined_soft")
    await eventually(lambda: shop.status(checkout), lambda seen: seen.failure is not None)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "paid")
    await reset_after_expiry(shop, checkout, checkout)
    await shop.sagas().confirm(checkout, 20)
    assert (await shop.handle(checkout).result())["state"] == "completed"
    assert await shop.moved(checkout) == {"charge": [4200]}


async def test_a_reset_tender_that_was_taken_is_kept(shop: Shop) -> None:
    """A tender that is taken never leaves its whole by itself, also when the time to pay is over by then."""
    split = await open_split(shop, expires_at=soon(8), **CONFIRMED)
    await pay_all(shop, split)
    await shop.until(split.whole, "paid")
    await reset_after_expiry(shop, split.whole, split.legs[0])
    await shop.sagas().confirm(split.whole, 20)
    await shop.until(split.whole, "completed")
    assert await states(shop, split) == ["completed"] * 3
    assert [sorted(movements) for movements in await moved(shop, split)] == [["authorization", "capture"]] * 2
