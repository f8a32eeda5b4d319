"""Holds about to lapse, on a server that skips time: captured, made anew or let go, by the checkout's policy."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio.testing import WorkflowEnvironment

from domain.checkout import Checkout, CheckoutStatus, HoldPolicy
from domain.saga import SagaPolicy
from domain.timeline import TimelineRow
from tests.workflows.agreement import agree
from tests.workflows.captures import capture, held
from tests.workflows.long_clock import end_of
from tests.workflows.support import Shop, eventually

PATIENT = SagaPolicy()
MONTH = timedelta(days=30)


async def held_for(shop: Shop, policy: HoldPolicy, gateway: str = "stripe") -> Checkout:
    """A held checkout whose shop has a month to speak, and whose hold lapses before that."""
    terms: dict[str, Any] = {"on_hold_expiry": policy, "confirm_within_seconds": int(MONTH.total_seconds())}
    return await held(shop, gateway, policy=PATIENT, **terms)


async def row(shop: Shop, checkout: Checkout, key: str) -> TimelineRow:
    """The timeline's row of this key."""
    return next(row for row in await shop.timeline(checkout) if row.key == key)


async def lasted(shop: Shop, checkout: Checkout) -> timedelta:
    """How long it took from its beginning to its end."""
    rows = await shop.timeline(checkout)
    return rows[-1].at - rows[0].at


async def end_in(shop: Shop, env: WorkflowEnvironment, checkout: Checkout, state: str) -> CheckoutStatus:
    """The end, which must be this one, with time skipped until then."""
    status = await end_of(env, checkout)
    assert status.state == state, await shop.timeline(checkout)
    return status


async def test_a_hold_is_captured_before_it_lapses(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """The shop said so beforehand: its silence is a yes, and the timeline says that the timer gave it."""
    checkout = await held_for(long_shop, HoldPolicy.CAPTURE)
    await end_in(long_shop, skipping, checkout, "completed")
    await agree(long_shop, checkout)
    assert (await row(long_shop, checkout, "completed")).cause == "timer"
    assert timedelta(days=6) < await lasted(long_shop, checkout) < timedelta(days=7)


async def test_the_rest_of_a_hold_is_captured_before_it_lapses(
    long_shop: Shop,
    skipping: WorkflowEnvironment,
) -> None:
    """After a part the policy takes what is left."""
    checkout = await held_for(long_shop, HoldPolicy.CAPTURE)
    await capture(long_shop, checkout, 1000, final=False)
    await end_in(long_shop, skipping, checkout, "completed")
    await agree(long_shop, checkout, (1000, 3200))


@pytest.mark.parametrize("policy", [HoldPolicy.CANCEL, HoldPolicy.REAUTHORIZE])
async def test_a_part_stays_sold_when_the_hold_lapses(
    long_shop: Shop,
    skipping: WorkflowEnvironment,
    policy: HoldPolicy,
) -> None:
    """The rest is let go in order, and the sale is over what was taken; also where no hold can be made anew."""
    checkout = await held_for(long_shop, policy)
    await capture(long_shop, checkout, 1000, final=False)
    await end_in(long_shop, skipping, checkout, "completed")
    assert (await agree(long_shop, checkout, (1000,))).captured_minor == 1000
    assert timedelta(days=6) < await lasted(long_shop, checkout) < timedelta(days=7)


async def test_a_hold_that_cannot_be_made_anew_is_released(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """The gateway offers no second hold: it ends as under the policy to cancel."""
    checkout = await held_for(long_shop, HoldPolicy.REAUTHORIZE)
    await end_in(long_shop, skipping, checkout, "canceled")
    await agree(long_shop, checkout)
    assert "reauthorized" not in await long_shop.causes(checkout)


async def test_a_hold_is_made_anew(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """Once it is old enough it is held again under a new id, which the shop's capture then takes."""
    checkout = await held_for(long_shop, HoldPolicy.REAUTHORIZE, "paypal")
    await long_shop.sandbox.post("/sandbox/clock", json={"advance_seconds": 5 * 86400})
    await skipping.sleep(timedelta(days=5))
    rows = await eventually(lambda: long_shop.causes(checkout), lambda causes: "reauthorized" in causes)
    assert rows["reauthorized"] == "timer"
    renewed = await row(long_shop, checkout, "reauthorized")
    payment_id = (await long_shop.status(checkout)).payment_id
    assert payment_id is not None
    payment = await long_shop.parts.gateways["paypal"].lookup(payment_id)
    assert payment is not None
    assert payment.authorization_id == renewed.details["authorization_id"]
    assert await capture(long_shop, checkout) == "completed"
    await agree(long_shop, checkout)


async def test_a_hold_that_the_gateway_will_not_make_anew_goes_on(
    long_shop: Shop,
    skipping: WorkflowEnvironment,
) -> None:
    """The gateway finds it too early: that is on the timeline, it is not asked again, and the hold ends in order."""
    checkout = await held_for(long_shop, HoldPolicy.REAUTHORIZE, "paypal")
    await end_in(long_shop, skipping, checkout, "canceled")
    await agree(long_shop, checkout)
    keys = list(await long_shop.causes(checkout))
    assert keys.count("reauthorize_declined") == 1
    assert "reauthorized" not in keys
    assert await lasted(long_shop, checkout) > timedelta(days=20)
