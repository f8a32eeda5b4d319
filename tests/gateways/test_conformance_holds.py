"""What every gateway does the same: money that is held first, then taken or let go."""

from datetime import timedelta

import pytest

from domain.money import Money
from domain.outcomes import Completed, Declined
from domain.payment import DeclineCode, PaymentStatus
from gateways.contract import Gateway
from tests.gateways.checkouts import (
    FAR_BEYOND,
    PRICE,
    Moved,
    accepted,
    approved,
    authorize_request,
    capture_request,
    captured,
    moved,
    not_captured,
    opened,
    paid,
    payment_in,
    seen,
    seen_until,
    void_request,
    voided,
)
from tests.gateways.outside import Outside


@pytest.mark.live
async def test_money_is_held(adapter: Gateway, outside: Outside) -> None:
    """What the customer agreed to is held once, however often we ask for it, and nothing is taken."""
    payment = await approved(adapter, outside, hold=True)
    for attempt in (1, 1, 2):
        accepted(adapter, await adapter.authorize(authorize_request(payment, attempt)))
        held = await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.AUTHORIZED)
        assert (held.amount, held.captured) == (PRICE, PRICE.zero())
    assert await moved(outside, payment) == Moved(held=(4200,))


@pytest.mark.live
async def test_a_hold_is_captured(adapter: Gateway, outside: Outside) -> None:
    """A hold says until when; the capture takes it once, however often it is asked for."""
    held = await paid(adapter, outside, hold=True)
    assert held.authorized_until is not None
    for attempt in (1, 1, 2):
        assert (await captured(adapter, capture_request(held, attempt=attempt), held)).captured == PRICE
    assert await moved(outside, held) == Moved(held=(4200,), taken=(4200,))


@pytest.mark.live
async def test_a_part_is_captured(adapter: Gateway, outside: Outside) -> None:
    """Less than what is held can be taken where the gateway can, and the snapshot says how much it was."""
    held = await paid(adapter, outside, hold=True)
    part = capture_request(held, Money(1500, "EUR"))
    if adapter.capabilities.partial_capture:
        now = await captured(adapter, part, held)
        assert (now.status, now.amount, now.captured) == (PaymentStatus.CAPTURED, PRICE, Money(1500, "EUR"))
        assert (await moved(outside, held)).taken == (1500,)
    else:
        assert (await not_captured(adapter, part, held)).hard


@pytest.mark.live
async def test_more_than_is_held_is_declined(adapter: Gateway, outside: Outside) -> None:
    """The gateway does not take more than the customer agreed to; the hold stays as it is and can be taken."""
    held = await paid(adapter, outside, hold=True)
    decline = await not_captured(adapter, capture_request(held, FAR_BEYOND, attempt=1), held)
    assert (decline.code, decline.hard) == (DeclineCode.INVALID_REQUEST, True)
    assert (await seen(adapter, held)).status is PaymentStatus.AUTHORIZED
    assert (await captured(adapter, capture_request(held, attempt=2), held)).captured == PRICE
    assert (await moved(outside, held)).taken == (4200,)


@pytest.mark.live
async def test_a_hold_is_released(adapter: Gateway, outside: Outside) -> None:
    """A voided hold is canceled and nothing was taken, also when asked again; a capture after it is declined."""
    held = await paid(adapter, outside, hold=True)
    for attempt in (1, 1, 2):
        payment = await voided(adapter, void_request(held, attempt), held)
        assert (payment.status, payment.captured) == (PaymentStatus.CANCELED, PRICE.zero())
    late = await adapter.capture(capture_request(held))
    assert isinstance(late, Declined), late
    assert late.decline.hard
    assert await moved(outside, held) == Moved(held=(4200,), released=(4200,))


@pytest.mark.live
async def test_a_void_before_the_customer_came(adapter: Gateway, outside: Outside) -> None:
    """Where the gateway can, nothing is left to pay; where it cannot, it says so and shows the payment."""
    payment = await opened(adapter)
    if adapter.capabilities.void_before_authorization:
        ended = await voided(adapter, void_request(payment), payment)
        assert ended.status is PaymentStatus.CANCELED
    else:
        answer = await adapter.void(void_request(payment))
        assert isinstance(answer, Declined), answer
        assert answer.decline.hard
        assert answer.evidence is not None
        assert answer.evidence.captured == PRICE.zero()
    assert await moved(outside, payment) == Moved()


@pytest.mark.live
async def test_a_void_after_the_money_came(adapter: Gateway, outside: Outside) -> None:
    """Money that is taken cannot be voided: the answer shows that it was paid after all."""
    payment = await paid(adapter, outside)
    answer = await adapter.void(void_request(payment))
    assert isinstance(answer, Completed), answer
    assert (payment_in(answer).status, payment_in(answer).captured) == (PaymentStatus.CAPTURED, PRICE)
    assert (await moved(outside, payment)).released == ()


async def test_a_hold_lapses(adapter: Gateway, outside: Outside) -> None:
    """A hold that nobody takes ends canceled by itself, and a capture after that is declined."""
    held = await paid(adapter, outside, hold=True)
    # A gateway may let go later than the networks promise to hold, never after this long.
    longest = max(adapter.capabilities.hold_lifetime, timedelta(days=29))
    await outside.pass_time((longest + timedelta(days=1)).total_seconds())
    lapsed = await seen_until(adapter, held, lambda p: p.status is PaymentStatus.CANCELED)
    assert lapsed.captured == PRICE.zero()
    assert isinstance(await adapter.capture(capture_request(held)), Declined)
    assert (await moved(outside, held)).taken == ()
