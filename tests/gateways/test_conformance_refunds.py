"""What every gateway does the same: giving money back."""

import pytest

from domain.money import Money
from domain.outcomes import Declined, Pending
from domain.payment import RefundStatus
from gateways.contract import Gateway, Modifications
from tests.gateways.checkouts import (
    FAR_BEYOND,
    PRICE,
    Moved,
    moved,
    not_refunded,
    opened,
    paid,
    refund_in,
    refund_request,
    refund_until,
    refunded,
    seen,
    seen_until,
)
from tests.gateways.outside import Outside


@pytest.mark.live
async def test_everything_is_given_back(adapter: Gateway, outside: Outside) -> None:
    """A full refund succeeds under our key; captured stays what it was; asked again it is the same refund."""
    payment = await paid(adapter, outside)
    request = refund_request(payment)
    refund = await refunded(adapter, request, payment)
    assert (refund.amount, refund.reference) == (PRICE, request.key)
    assert await refunded(adapter, request, payment) == refund
    now = await seen(adapter, payment)
    assert (now.captured, now.refunds) == (PRICE, (refund,))
    after = await moved(outside, payment)
    assert (after.taken, after.returned) == ((4200,), (4200,))


@pytest.mark.live
async def test_two_equal_parts_are_two_refunds(adapter: Gateway, outside: Outside) -> None:
    """Two equal parts are told apart by their keys, and each is looked up."""
    payment = await paid(adapter, outside)
    part = Money(1000, "EUR")
    made = [await refunded(adapter, refund_request(payment, part, attempt), payment) for attempt in (1, 2)]
    now = await seen(adapter, payment)
    assert {r.reference for r in now.refunds} == {r.reference for r in made}
    assert len({r.refund_id for r in now.refunds}) == 2
    assert now.refunded(RefundStatus.SUCCEEDED) == Money(2000, "EUR")
    assert (await moved(outside, payment)).returned == (1000, 1000)


async def test_many_refunds_are_all_read(adapter: Gateway, outside: Outside) -> None:
    """A payment with more refunds than a gateway shows at once is read in full."""
    payment = await paid(adapter, outside)
    for attempt in range(12):
        refund_in(await adapter.refund(refund_request(payment, Money(1 + attempt, "EUR"), attempt)))
    now = await seen_until(adapter, payment, lambda p: len(p.refunds) == 12)
    assert sorted(refund.amount.minor for refund in now.refunds) == list(range(1, 13))


@pytest.mark.live
async def test_more_than_was_paid_is_not_given_back(adapter: Gateway, outside: Outside) -> None:
    """The gateway never gives back more than it took, in one refund or over several."""
    payment = await paid(adapter, outside)
    await not_refunded(adapter, refund_request(payment, FAR_BEYOND, 1), payment)
    await refunded(adapter, refund_request(payment, PRICE, 2), payment)
    await not_refunded(adapter, refund_request(payment, Money(1, "EUR"), 3), payment)
    assert (await moved(outside, payment)).returned == (4200,)
    assert (await seen(adapter, payment)).refunded(RefundStatus.SUCCEEDED) == PRICE


@pytest.mark.live
async def test_what_was_never_paid_is_not_given_back(adapter: Gateway, outside: Outside) -> None:
    """A refund of an unpaid payment is declined."""
    payment = await opened(adapter)
    answer = await adapter.refund(refund_request(payment))
    assert isinstance(answer, Declined), answer
    assert await moved(outside, payment) == Moved()


async def test_a_pending_refund_succeeds_later(adapter: Gateway, outside: Outside) -> None:
    """A refund that takes time is Pending; the look-up tells its end."""
    payment = await paid(adapter, outside, means="refund_pending")
    request = refund_request(payment)
    answer = await adapter.refund(request)
    assert isinstance(answer, Pending), answer
    assert refund_in(answer).status is RefundStatus.PENDING
    assert (await seen(adapter, payment)).refunded(RefundStatus.SUCCEEDED) == PRICE.zero()
    await outside.settle()
    refund = await refund_until(adapter, request, payment, lambda r: r.status is RefundStatus.SUCCEEDED)
    assert (refund.refund_id, refund.amount) == (refund_in(answer).refund_id, PRICE)


async def test_a_refund_fails_days_later(adapter: Gateway, outside: Outside) -> None:
    """A refund that looked done or under way can still fail: the look-up says so, with a reason."""
    payment = await paid(adapter, outside, means="refund_fails")
    request = refund_request(payment)
    made = refund_in(await adapter.refund(request))
    if adapter.capabilities.modifications is Modifications.BY_WEBHOOK:
        await refund_until(adapter, request, payment, lambda r: r.status is not RefundStatus.PENDING)
    await outside.settle()
    refund = await refund_until(adapter, request, payment, lambda r: r.status is RefundStatus.FAILED)
    assert refund.refund_id == made.refund_id
    assert refund.failure_code
    assert (await seen(adapter, payment)).refunded(RefundStatus.SUCCEEDED) == PRICE.zero()
