"""Waits of hours and weeks, on a server that skips time; the gateway, the books and the webhooks stay real."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.testing import WorkflowEnvironment

from domain.checkout import CaptureMode
from domain.saga import SagaPolicy
from tests.workflows.long_clock import end_of
from tests.workflows.support import Shop, eventually

PATIENT = SagaPolicy()


async def test_a_day_of_waiting_ends_in_expiry(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """23 hours unpaid: polled with growing pauses, asked once more at the end, expired, within a modest history."""
    checkout = await long_shop.open(PATIENT, expires_at=datetime.now(UTC) + timedelta(hours=23))
    status = await end_of(skipping, checkout)
    assert status.state == "expired"
    assert await long_shop.moved(checkout) == {}
    assert len((await long_shop.handle(checkout).fetch_history()).events) < 2000


async def test_a_hold_that_nobody_confirms_for_six_days_is_voided(
    long_shop: Shop, skipping: WorkflowEnvironment
) -> None:
    """The deadline comes before the hold lapses at the gateway."""
    seconds = int(timedelta(days=6).total_seconds())
    checkout = await long_shop.open(PATIENT, capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=seconds)
    await long_shop.pay(checkout)
    await long_shop.until(checkout, "authorized")
    status = await end_of(skipping, checkout)
    assert status.state == "canceled"
    assert await long_shop.moved(checkout) == {"authorization": [4200], "release": [4200]}


async def test_a_hold_is_released_before_the_gateway_lets_it_lapse(
    long_shop: Shop, skipping: WorkflowEnvironment
) -> None:
    """The shop may take ten days, the hold lasts seven: it is released in order, not found gone."""
    seconds = int(timedelta(days=10).total_seconds())
    checkout = await long_shop.open(PATIENT, capture=CaptureMode.ON_CONFIRM, confirm_within_seconds=seconds)
    await long_shop.pay(checkout)
    await long_shop.until(checkout, "authorized")
    assert (await end_of(skipping, checkout)).state == "canceled"
    rows = await long_shop.timeline(checkout)
    assert timedelta(days=6) < rows[-1].at - rows[0].at < timedelta(days=7)


@pytest.mark.parametrize("gateway", ["stripe", "adyen"])
async def test_a_paid_order_that_nobody_confirms_for_thirty_days_is_refunded(
    long_shop: Shop, skipping: WorkflowEnvironment, gateway: str
) -> None:
    """The longest confirmation there is, also where the money was held first: what is taken lapses with no hold."""
    seconds = int(timedelta(days=30).total_seconds())
    checkout = await long_shop.open(PATIENT, gateway=gateway, confirm_within_seconds=seconds)
    await long_shop.pay_with(checkout, "good")
    await long_shop.until(checkout, "paid")
    status = await end_of(skipping, checkout)
    assert (status.state, status.refunded_minor) == ("refunded", 4200)
    rows = await long_shop.timeline(checkout)
    assert rows[-1].at - rows[0].at >= timedelta(days=30)


async def test_a_gateway_that_is_down_for_days_delays_the_refund_only(
    long_shop: Shop, skipping: WorkflowEnvironment
) -> None:
    """Hundreds of failed tries over days open one case, and the refund is made when the gateway is back."""
    checkout = await long_shop.open(PATIENT, confirm_within_seconds=600)
    await long_shop.pay(checkout)
    await long_shop.until(checkout, "paid")
    await long_shop.fault("refunds.create", "unavailable_503", checkout, count=60)
    await long_shop.sagas().reject(checkout, "out of stock", 10)
    status = await end_of(skipping, checkout)
    assert status.state == "refunded"
    path = await long_shop.path(checkout)
    assert path[-4:] == ["refunding", "needs_review", "refunding", "refunded"]
    assert await long_shop.moved(checkout) == {"charge": [4200], "refund": [4200]}


async def test_a_refund_that_takes_nine_days_is_waited_for(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """Pending for days: polls with growing pauses keep the history small; the final word ends the saga."""
    checkout = await long_shop.open(PATIENT, confirm_within_seconds=600)
    await long_shop.pay(checkout, method="pm_card_pendingRefund")
    await long_shop.until(checkout, "paid")
    await long_shop.tell(checkout, "reject", "out of stock")
    await eventually(
        lambda: long_shop.gateway_rows(checkout), lambda rows: any(row["operation"] == "refund" for row in rows)
    )
    started = await skipping.get_current_time()
    await skipping.sleep(timedelta(days=9))
    assert (await skipping.get_current_time()) - started >= timedelta(days=9)
    assert (await long_shop.status(checkout)).state == "refunding"
    assert len((await long_shop.handle(checkout).fetch_history()).events) < 2000
    await long_shop.sandbox.post("/sandbox/settle")
    status = await end_of(skipping, checkout)
    assert status.state == "refunded"


async def test_a_gateway_that_says_nothing_new_for_days_is_shown(
    long_shop: Shop, skipping: WorkflowEnvironment
) -> None:
    """Nothing fails and nothing comes: a person is told to look, and no more of it once the gateway speaks."""
    checkout = await long_shop.open(PATIENT, confirm_within_seconds=600)
    await long_shop.pay(checkout, method="pm_card_pendingRefund")
    await long_shop.until(checkout, "paid")
    await long_shop.tell(checkout, "reject", "out of stock")
    await eventually(
        lambda: long_shop.gateway_rows(checkout), lambda rows: any(row["operation"] == "refund" for row in rows)
    )
    await skipping.sleep(timedelta(days=4))
    status = await eventually(lambda: long_shop.status(checkout), lambda seen: seen.stuck)
    assert (status.state, status.waiting_for) == ("refunding", "the gateway, which has said nothing new for long")
    await long_shop.sandbox.post("/sandbox/settle")
    status = await end_of(skipping, checkout)
    assert (status.state, status.stuck, status.waiting_for) == ("refunded", False, None)


async def test_a_void_that_is_refused_for_hours_is_a_case(long_shop: Shop, skipping: WorkflowEnvironment) -> None:
    """The pauses between the tries have become as long as they get: a person is asked once, until it gets on."""
    checkout = await long_shop.open(PATIENT, gateway="adyen")
    await long_shop.pay(checkout, method="capture_slow")
    await long_shop.until(checkout, "authorized")
    await long_shop.handle(checkout).cancel()
    await eventually(lambda: long_shop.status(checkout), lambda seen: "release" in (seen.waiting_for or ""))
    assert not (await long_shop.status(checkout)).stuck
    await skipping.sleep(timedelta(hours=8))
    status = await eventually(lambda: long_shop.status(checkout), lambda seen: seen.stuck)
    assert status.state == "needs_review"
    await long_shop.sandbox.post("/sandbox/settle")
    with pytest.raises(WorkflowFailureError):
        await end_of(skipping, checkout)
    status = await long_shop.status(checkout)
    assert (status.state, status.stuck, status.waiting_for) == ("refunded", False, None)
    assert (await long_shop.path(checkout)).count("needs_review") == 1
    assert await long_shop.taken(checkout) == 1
