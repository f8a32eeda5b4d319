"""What every gateway does the same: giving money back."""

from domain.money import Money
from domain.outcomes import Completed, Declined, Pending
from domain.payment import DeclineCode, RefundStatus
from gateways.contract import Gateway
from tests.gateways.checkouts import PRICE, opened, paid, refund_in, refund_request, seen
from tests.gateways.outside import Outside


async def test_everything_is_given_back(adapter: Gateway, outside: Outside) -> None:
    """A full refund succeeds under our key; captured stays what it was; asked again it is the same refund."""
    payment = await paid(adapter, outside)
    request = refund_request(payment)
    first = await adapter.refund(request)
    assert isinstance(first, Completed)
    refund = refund_in(first)
    assert (refund.amount, refund.status, refund.reference) == (PRICE, RefundStatus.SUCCEEDED, request.key)
    assert refund_in(await adapter.refund(request)) == refund
    now = await seen(adapter, payment)
    assert (now.captured, now.refunds) == (PRICE, (refund,))
    assert await outside.movements(payment.reference or "") == [("charge", 4200), ("refund", 4200)]


async def test_parts_are_given_back(adapter: Gateway, outside: Outside) -> None:
    """Two equal parts are two refunds, told apart by their keys, and each is looked up."""
    payment = await paid(adapter, outside)
    part = Money(1000, "USD")
    made = [refund_in(await adapter.refund(refund_request(payment, part, attempt))) for attempt in (1, 2)]
    now = await seen(adapter, payment)
    assert {r.reference for r in now.refunds} == {r.reference for r in made}
    assert len({r.refund_id for r in now.refunds}) == 2
    assert now.refunded(RefundStatus.SUCCEEDED) == Money(2000, "USD")


async def test_many_refunds_are_all_read(adapter: Gateway, outside: Outside) -> None:
    """A payment with more refunds than the gateway shows at once is read in full."""
    payment = await paid(adapter, outside)
    for attempt in range(12):
        await adapter.refund(refund_request(payment, Money(1 + attempt, "USD"), attempt))
    now = await seen(adapter, payment)
    assert sorted(refund.amount.minor for refund in now.refunds) == list(range(1, 13))


async def test_more_than_was_paid_is_declined(adapter: Gateway, outside: Outside) -> None:
    """The gateway never gives back more than it took, in one refund or over several."""
    payment = await paid(adapter, outside)
    beyond = await adapter.refund(refund_request(payment, Money(4201, "USD"), 1))
    assert isinstance(beyond, Declined)
    assert (beyond.decline.code, beyond.decline.hard) == (DeclineCode.INVALID_REQUEST, True)
    assert isinstance(await adapter.refund(refund_request(payment, PRICE, 2)), Completed)
    again = await adapter.refund(refund_request(payment, Money(1, "USD"), 3))
    assert isinstance(again, Declined)
    assert again.decline.code is DeclineCode.INVALID_REQUEST
    assert await outside.movements(payment.reference or "") == [("charge", 4200), ("refund", 4200)]


async def test_what_was_never_paid_is_not_given_back(adapter: Gateway, outside: Outside) -> None:
    """A refund of an unpaid payment is declined."""
    payment = await opened(adapter)
    answer = await adapter.refund(refund_request(payment))
    assert isinstance(answer, Declined)
    assert await outside.movements(payment.reference or "") == []


async def test_a_pending_refund_succeeds_later(adapter: Gateway, outside: Outside) -> None:
    """A refund that takes time is Pending; the look-up tells its end."""
    payment = await paid(adapter, outside, means="refund_pending")
    answer = await adapter.refund(refund_request(payment))
    assert isinstance(answer, Pending)
    assert refund_in(answer).status is RefundStatus.PENDING
    await outside.settle()
    (refund,) = (await seen(adapter, payment)).refunds
    assert (refund.refund_id, refund.status) == (refund_in(answer).refund_id, RefundStatus.SUCCEEDED)


async def test_a_refund_fails_days_later(adapter: Gateway, outside: Outside) -> None:
    """A refund that the gateway called done can still fail: the look-up says so, with a reason."""
    payment = await paid(adapter, outside, means="refund_fails")
    await adapter.refund(refund_request(payment))
    await outside.settle()
    (refund,) = (await seen(adapter, payment)).refunds
    assert refund.status is RefundStatus.FAILED
    assert refund.failure_code
    assert (await seen(adapter, payment)).refunded(RefundStatus.SUCCEEDED) == PRICE.zero()


async def test_a_key_that_was_forgotten_gives_no_second_refund(adapter: Gateway, outside: Outside) -> None:
    """When the gateway has pruned the key of a full refund, asking again finds the refund instead of failing."""
    payment = await paid(adapter, outside)
    request = refund_request(payment)
    first = refund_in(await adapter.refund(request))
    await outside.pass_time(25 * 3600)
    assert refund_in(await adapter.refund(request)) == first
