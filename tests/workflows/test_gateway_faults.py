"""What a gateway and the network before it can do to a saga, and what must be left true: charged once, or nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.checkout import CaptureMode, Checkout
from domain.saga import SagaPolicy
from tests.gateways.outside import needs
from tests.workflows.agreement import agree
from tests.workflows.support import Shop, eventually

GATEWAYS = ("stripe", "paypal", "adyen")
CONFIRMED: dict[str, Any] = {"confirm_within_seconds": 600}
ON_CONFIRM: dict[str, Any] = {"capture": CaptureMode.ON_CONFIRM, "confirm_within_seconds": 600}
EAGER = SagaPolicy(poll_after_seconds=1, poll_at_most_seconds=2, stuck_after_seconds=60)
KINDS = (
    "timeout_after",
    "timeout_before",
    "reset_after",
    "reset_before",
    "error_500_after",
    "unavailable_503",
    "html_502",
    "rate_limit_429",
    "stored_500",
)
HELD = {"authorization": [4200]}
CAPTURED = HELD | {"capture": [4200]}
SALES = {"stripe": {"charge": [4200]}, "paypal": {"charge": [4200]}, "adyen": CAPTURED}


async def open_and_hold(shop: Shop, gateway: str) -> Checkout:
    """A checkout whose money is held."""
    checkout = await shop.open(gateway=gateway, **ON_CONFIRM)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "authorized")
    return checkout


async def creating(shop: Shop, gateway: str, kind: str) -> dict[str, list[int]]:
    """The call that opens the payment."""
    checkout = await shop.record(gateway=gateway)
    await shop.strike("create", kind, checkout)
    assert await shop.sagas().open(checkout, 40)
    await shop.pay_with(checkout, "good")
    return await ended(shop, checkout, "completed")


async def holding(shop: Shop, gateway: str, kind: str) -> dict[str, list[int]]:
    """The call that holds what the customer approved."""
    checkout = await shop.open(gateway=gateway, **ON_CONFIRM)
    await shop.strike("authorize", kind, checkout)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "authorized")
    await shop.sagas().confirm(checkout, 20)
    return await ended(shop, checkout, "completed")


async def taking(shop: Shop, gateway: str, kind: str) -> dict[str, list[int]]:
    """The call that takes what the customer approved."""
    checkout = await shop.open(gateway=gateway)
    await shop.strike("take", kind, checkout)
    await shop.pay_with(checkout, "good")
    return await ended(shop, checkout, "completed")


async def capturing(shop: Shop, gateway: str, kind: str) -> dict[str, list[int]]:
    """The call that takes what is held."""
    checkout = await open_and_hold(shop, gateway)
    await shop.strike("capture", kind, checkout)
    await shop.sagas().confirm(checkout, 40)
    return await ended(shop, checkout, "completed")


async def voiding(shop: Shop, gateway: str, kind: str) -> dict[str, list[int]]:
    """The call that releases what is held."""
    checkout = await open_and_hold(shop, gateway)
    await shop.strike("void", kind, checkout)
    await shop.sagas().reject(checkout, "out of stock", 40)
    return await ended(shop, checkout, "canceled")


async def refunding(shop: Shop, gateway: str, kind: str) -> dict[str, list[int]]:
    """The call that gives back."""
    checkout = await shop.open(gateway=gateway, **CONFIRMED)
    await shop.pay_with(checkout, "good")
    await shop.until(checkout, "paid")
    await shop.strike("refund", kind, checkout)
    await shop.sagas().reject(checkout, "out of stock", 40)
    return await ended(shop, checkout, "refunded")


async def ended(shop: Shop, checkout: Checkout, state: str) -> dict[str, list[int]]:
    """What moved at the gateway by the time the checkout is in this state, about which all agree."""
    await shop.until(checkout, state, patience=60)
    await agree(shop, checkout)
    return await shop.moved(checkout)


Story = Callable[[Shop, str, str], Awaitable[dict[str, list[int]]]]
STORIES: dict[str, Story] = {
    "create": creating,
    "authorize": holding,
    "take": taking,
    "capture": capturing,
    "void": voiding,
    "refund": refunding,
}
NOT_OURS = {
    "authorize": "the customer's own confirmation holds the money",
    "take": "the customer's own confirmation takes or holds the money",
}


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("verb", STORIES)
async def test_a_call_that_goes_wrong_is_carried_out_once(shop: Shop, gateway: str, verb: str) -> None:
    """Cut, timed out, refused for a while, carried out or not: in the end it was done once and the books say so."""
    world = shop.world(gateway)
    if verb not in world.operations:
        pytest.skip(f"{gateway}: {NOT_OURS[verb]}")
    kinds = [kind for kind in KINDS if kind not in world.cannot]
    moved = await asyncio.gather(*(STORIES[verb](shop, gateway, kind) for kind in kinds))
    wanted = {
        "create": SALES[gateway],
        "authorize": CAPTURED,
        "take": SALES[gateway],
        "capture": CAPTURED,
        "void": HELD | {"release": [4200]},
        "refund": SALES[gateway] | {"refund": [4200]},
    }
    assert dict(zip(kinds, moved, strict=True)) == dict.fromkeys(kinds, wanted[verb])


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_webhooks_twice_reordered_late_and_forged_change_nothing(shop: Shop, gateway: str) -> None:
    """However the deliveries come, the timeline is that of a quiet sale."""
    checkout = await shop.record(gateway=gateway)
    for kind in ("duplicate", "reorder", "forge", "delay"):
        await shop.fault("webhook", kind, checkout, gateway=gateway, count=3)
    assert await shop.sagas().open(checkout, 30)
    await shop.pay_with(checkout, "good")
    await ended(shop, checkout, "completed")
    await shop.handle(checkout).result()
    await asyncio.sleep(3)
    await shop.all_dispatched((await shop.status(checkout)).payment_id)
    await agree(shop, checkout)
    keys = [row.key for row in await shop.timeline(checkout) if row.key != "authorized"]
    assert keys == ["created", "awaiting_payment", "paid", "completed"]


@pytest.mark.parametrize("gateway", GATEWAYS)
@pytest.mark.parametrize("means", ["capture_pending"])
async def test_a_capture_that_takes_time_is_waited_for(shop: Shop, gateway: str, means: str) -> None:
    """The gateway took the capture in: nothing is asked for twice, and the sale is made when the money is there."""
    needs(shop.world(gateway), means)
    checkout = await shop.open(gateway=gateway)
    await shop.pay_with(checkout, means)
    await asyncio.sleep(2)
    assert (await shop.status(checkout)).state in ("awaiting_payment", "authorized")
    await shop.world(gateway).settle()
    assert await ended(shop, checkout, "completed") == SALES[gateway]


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_giving_back_while_a_capture_is_under_way(shop: Shop, gateway: str) -> None:
    """An operator cancels while the gateway works on the capture: it is not hammered, and what it takes goes back."""
    needs(shop.world(gateway), "capture_pending")
    checkout = await shop.open(EAGER, gateway=gateway)
    await shop.pay_with(checkout, "capture_pending")
    await asyncio.sleep(2)
    await shop.handle(checkout).cancel()
    await asyncio.sleep(4)
    length = (await shop.handle(checkout).describe()).history_length
    await shop.world(gateway).settle()
    moved = await ended(shop, checkout, "refunded")
    assert moved == SALES[gateway] | {"refund": [4200]}
    assert length < 150, f"{length} history events in 4 seconds"


@pytest.mark.parametrize("gateway", GATEWAYS)
async def test_money_that_comes_after_the_end_is_given_back(shop: Shop, gateway: str) -> None:
    """A payment arrives for what had expired: the late path returns it, once."""
    if gateway == "paypal":
        pytest.skip("paypal: money moves there only when we capture")
    checkout = await shop.open(gateway=gateway, expires_at=datetime.now(UTC) + timedelta(seconds=1))
    status = await shop.until(checkout, "expired")
    await shop.handle(checkout).result()
    answer = await shop.sandbox.post(f"/sandbox/payments/{status.payment_id}/pay_late", json={})
    assert answer.is_success, answer.text
    back = {"refund"} if gateway == "stripe" else {"release"}
    await eventually(lambda: shop.moved(checkout), lambda moved: back <= set(moved))
    await shop.all_dispatched(status.payment_id)
    await eventually(
        lambda: shop.status(checkout), lambda seen: not seen.stuck and seen.state in ("refunded", "expired")
    )
    await eventually(lambda: settled(shop, checkout), bool)


async def settled(shop: Shop, checkout: Checkout) -> bool:
    """Whether gateway and books agree by now."""
    try:
        await agree(shop, checkout)
    except AssertionError:
        return False
    return True
