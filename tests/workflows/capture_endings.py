"""Endings of checkouts whose hold is taken in parts, or lapses; see `save_histories`."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from domain.checkout import Checkout, HoldPolicy
from domain.saga import SagaPolicy
from tests.workflows.captures import capture, held, refusal
from tests.workflows.support import Shop


async def captured_in_part(shop: Shop) -> str:
    """A part, and the rest released with it."""
    checkout = await held(shop)
    await capture(shop, checkout, 1000)
    return checkout.workflow_id


async def captured_in_parts(shop: Shop) -> str:
    """Two parts, then the shop's yes to the rest."""
    checkout = await held(shop)
    await capture(shop, checkout, 1000, final=False)
    await capture(shop, checkout, 700, final=False)
    await shop.sagas().confirm(checkout, 20)
    return checkout.workflow_id


async def rest_released(shop: Shop) -> str:
    """A part, then no more."""
    checkout = await held(shop, "paypal")
    await capture(shop, checkout, 1000, final=False)
    await capture(shop, checkout, 0)
    return checkout.workflow_id


async def part_declined(shop: Shop) -> str:
    """A part that the card's bank will not bear, then a cancel."""
    checkout = await shop.open(capture="on_confirm", confirm_within_seconds=600)
    await shop.pay(checkout, method="pm_card_jcb")
    await shop.until(checkout, "authorized")
    await refusal(shop, checkout, 1000, final=False)
    await shop.sagas().cancel(checkout, 20)
    return checkout.workflow_id


async def canceled_after_hold(shop: Shop) -> str:
    """Held, then given up by the shop."""
    checkout = await held(shop)
    await shop.sagas().cancel(checkout, 20)
    return checkout.workflow_id


async def parts_given_back(shop: Shop) -> str:
    """A part, then the workflow cancelled by an operator: the rest released, the part refunded."""
    checkout = await held(shop)
    await capture(shop, checkout, 1000, final=False)
    await shop.handle(checkout).cancel()
    return checkout.workflow_id


async def lapsing_hold_captured(shop: Shop) -> str:
    """Nobody spoke before the end of the hold, and the policy takes it."""
    return (await lapsing(shop, HoldPolicy.CAPTURE)).workflow_id


async def lapsing_hold_released(shop: Shop) -> str:
    """Nobody spoke before the end of the hold, and the policy lets go."""
    return (await lapsing(shop, HoldPolicy.CANCEL)).workflow_id


async def lapsing_rest_released(shop: Shop) -> str:
    """A part was taken before the end of the hold, which lets the rest go."""
    return (await lapsing(shop, HoldPolicy.CANCEL, part=1000)).workflow_id


async def reauthorized(shop: Shop) -> str:
    """Held anew once it was old enough, and let go when that hold ended too."""
    checkout = await lapsing(shop, HoldPolicy.REAUTHORIZE, "paypal")
    await shop.sandbox.post("/sandbox/clock", json={"advance_seconds": 5 * 86400})
    return checkout.workflow_id


async def lapsing(shop: Shop, policy: HoldPolicy, gateway: str = "stripe", part: int = 0) -> Checkout:
    """A held checkout whose shop has longer to speak than the hold lasts."""
    within = int(timedelta(days=30).total_seconds())
    checkout = await held(shop, gateway, policy=SagaPolicy(), on_hold_expiry=policy, confirm_within_seconds=within)
    if part:
        await capture(shop, checkout, part, final=False)
    return checkout


SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [
    captured_in_part,
    captured_in_parts,
    rest_released,
    part_declined,
    canceled_after_hold,
    parts_given_back,
]

LONG_SCENARIOS: list[Callable[[Shop], Awaitable[str]]] = [
    lapsing_hold_captured,
    lapsing_hold_released,
    lapsing_rest_released,
    reauthorized,
]
"""Their ends take days: a server that skips time is needed."""
