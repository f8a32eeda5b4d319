"""What every gateway does the same: opening payments, and customers who pay or do not."""

import asyncio

import pytest

from domain.checkout import CaptureMode
from domain.outcomes import Declined, Pending, RequiresAction
from domain.payment import DeclineCode, PaymentStatus
from gateways.contract import Gateway
from tests.gateways.checkouts import (
    PRICE,
    Moved,
    authorize_request,
    brought_home,
    capture_request,
    create_request,
    declined,
    moved,
    new_reference,
    opened,
    paid,
    payment_in,
    seen,
    seen_until,
)
from tests.gateways.outside import Outside, needs


@pytest.mark.live
async def test_a_payment_opens(adapter: Gateway, outside: Outside) -> None:
    """A new payment waits for its customer, carries our reference, tells what to do and has moved nothing."""
    reference = new_reference()
    answer = await adapter.create(create_request(reference))
    assert isinstance(answer, RequiresAction)
    payment = answer.evidence
    waiting = (PaymentStatus.AWAITING_CUSTOMER, PaymentStatus.REQUIRES_ACTION)
    assert (payment.gateway, payment.reference) == (adapter.name, reference)
    assert payment.status in waiting
    assert (payment.amount, payment.captured, payment.live) == (PRICE, PRICE.zero(), False)
    assert answer.action == payment.next_action
    assert answer.action.client_secret or answer.action.url
    assert (await seen(adapter, payment)).status in waiting
    assert await moved(outside, reference) == Moved()


@pytest.mark.live
async def test_the_customer_pays(adapter: Gateway, outside: Outside) -> None:
    """Paid money is captured in full, told with the attempt that paid it, and on the gateway's books once."""
    payment = await paid(adapter, outside)
    assert (payment.status, payment.captured) == (PaymentStatus.CAPTURED, PRICE)
    assert payment.attempt is not None
    assert (payment.decline, payment.next_action, payment.refunds) == (None, None, ())
    assert (await moved(outside, payment)).taken == (4200,)


@pytest.mark.live
@pytest.mark.parametrize("means", ["declined_soft", "declined_hard"])
async def test_a_decline_is_told_in_our_words(adapter: Gateway, outside: Outside, means: str) -> None:
    """A declined try has moved nothing, and its reason is unified, hard or soft, with the gateway's own code."""
    tried = await declined(adapter, outside, await opened(adapter), means)
    assert (tried.decline.code, tried.decline.hard) == outside.declines[means]
    assert tried.decline.gateway_code
    assert (await moved(outside, tried.payment)).taken == ()


@pytest.mark.live
async def test_another_try_can_pay(adapter: Gateway, outside: Outside) -> None:
    """After a soft decline the same payment can be paid; each declined try is told apart by its attempt."""
    payment = await opened(adapter)
    first = await declined(adapter, outside, payment, "declined_soft")
    # Some gateways date their tries to the second, and nobody can try twice within one.
    await asyncio.sleep(1.1)
    second = await declined(adapter, outside, first.payment, "declined_soft")
    if first.told:
        assert None not in (first.payment.attempt, second.payment.attempt)
        assert first.payment.attempt != second.payment.attempt
    await outside.pay(second.payment)
    home = await brought_home(adapter, second.payment)
    assert (home.captured, home.decline) == (PRICE, None)
    assert (await moved(outside, payment)).taken == (4200,)


async def test_the_bank_asks_and_is_satisfied(adapter: Gateway, outside: Outside) -> None:
    """A challenged customer has paid nothing until they pass, then everything."""
    needs(outside, "challenged")
    payment = await opened(adapter)
    await outside.pay(payment, "challenged")
    asked = await seen(adapter, payment)
    assert asked.status in (PaymentStatus.REQUIRES_ACTION, PaymentStatus.AWAITING_CUSTOMER)
    assert await moved(outside, payment) == Moved()
    await outside.authenticate(asked, approve=True)
    assert (await brought_home(adapter, payment)).captured == PRICE


async def test_the_bank_asks_in_vain(adapter: Gateway, outside: Outside) -> None:
    """A customer who does not pass is declined softly, the try has a name, and nothing has moved."""
    needs(outside, "challenged")
    payment = await opened(adapter)
    await outside.pay(payment, "challenged")
    await outside.authenticate(await seen(adapter, payment), approve=False)
    failed = await seen_until(adapter, payment, lambda p: p.decline is not None)
    assert failed.status is PaymentStatus.AWAITING_CUSTOMER
    assert failed.decline is not None
    assert (failed.decline.code, failed.decline.hard) == (DeclineCode.AUTHENTICATION_FAILED, False)
    assert failed.attempt is not None
    assert await moved(outside, payment) == Moved()


@pytest.mark.live
async def test_nothing_is_taken_before_the_customer_agreed(adapter: Gateway, outside: Outside) -> None:
    """A capture or an authorization of what nobody has agreed to moves nothing and says so."""
    payment = await opened(adapter, hold=CaptureMode.ON_CONFIRM in adapter.capabilities.capture_modes)
    for answer in (
        await adapter.capture(capture_request(payment)),
        await adapter.authorize(authorize_request(payment)),
    ):
        assert isinstance(answer, Declined | RequiresAction), answer
    assert await moved(outside, payment) == Moved()


async def test_money_that_takes_its_time(adapter: Gateway, outside: Outside) -> None:
    """A capture that the gateway works on is Pending, shown as being worked on, and ends captured."""
    needs(outside, "capture_pending")
    payment = await opened(adapter)
    await outside.pay(payment, "capture_pending")
    ready = await seen_until(adapter, payment, lambda p: p.status in (PaymentStatus.APPROVED, PaymentStatus.AUTHORIZED))
    answer = await adapter.capture(capture_request(ready))
    assert isinstance(answer, Pending), answer
    assert payment_in(answer).captured == PRICE.zero()
    assert (await seen(adapter, payment)).status is not PaymentStatus.CAPTURED
    await outside.settle()
    done = await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.CAPTURED)
    assert done.captured == PRICE
    assert (await moved(outside, payment)).taken == (4200,)


@pytest.mark.live
async def test_an_unknown_payment_is_none(adapter: Gateway, outside: Outside) -> None:
    """A payment that this account does not have is None and no error."""
    assert await adapter.lookup(outside.unknown_payment) is None


@pytest.mark.parametrize("lag", [0.0, 60.0])
async def test_find_by_reference(adapter: Gateway, outside: Outside, lag: float) -> None:
    """A payment is found by our reference at once, also while the gateway's search lags; nobody else's is."""
    if lag:
        needs(outside, "search_lag")
        await outside.search_lags(lag)
    try:
        payment = await paid(adapter, outside)
        found = await adapter.find(payment.reference or "")
        assert found == payment or (found is None and not adapter.capabilities.lookup_by_reference)
        assert await adapter.find(new_reference()) is None
    finally:
        if lag:
            await outside.search_lags(0)


@pytest.mark.live
async def test_closing_twice(outside: Outside) -> None:
    """An adapter can be closed before its first call, and again after the last."""
    gateway = outside.gateway()
    await gateway.close()
    assert await gateway.lookup(outside.unknown_payment) is None
    await gateway.close()
    await gateway.close()
