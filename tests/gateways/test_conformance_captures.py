"""What every gateway does the same: a hold that is taken in parts, and what is left of it."""

from datetime import timedelta

import pytest

from domain.errors import OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Completed, Declined
from domain.payment import DeclineCode, PaymentSnapshot, PaymentStatus, RefundStatus
from gateways.contract import Gateway, ReauthorizePayment
from tests.gateways.checkouts import (
    FAR_BEYOND,
    PRICE,
    Moved,
    capture_request,
    captured,
    moved,
    not_captured,
    paid,
    part_captured,
    part_request,
    payment_in,
    refund_request,
    refunded,
    seen,
    seen_until,
)
from tests.gateways.outside import Outside

_HOUR = timedelta(hours=1)


async def held_for_parts(adapter: Gateway, outside: Outside) -> PaymentSnapshot:
    """A hold that can be taken in parts; the test is skipped where there are none."""
    if not adapter.capabilities.several_captures:
        pytest.skip(f"{adapter.name}: a hold is taken in one capture, see its capability several_captures")
    return await paid(adapter, outside, hold=True)


@pytest.mark.live
async def test_a_hold_is_taken_in_parts(adapter: Gateway, outside: Outside) -> None:
    """After each part that is not the last the rest is still held; the last ends it, and everything is taken once."""
    held = await held_for_parts(adapter, outside)
    for attempt, (part, total) in enumerate(((1000, 1000), (1200, 2200)), 1):
        now = await part_captured(adapter, part_request(held, part, total, attempt), held)
        assert (now.status, now.amount, now.captured.minor) == (PaymentStatus.AUTHORIZED, PRICE, total)
    done = await part_captured(adapter, part_request(held, 2000, 4200, 3, final=True), held)
    assert (done.status, done.captured) == (PaymentStatus.CAPTURED, PRICE)
    assert await moved(outside, held) == Moved(held=(4200,), taken=(1000, 1200, 2000))


@pytest.mark.live
async def test_the_same_part_is_taken_once(adapter: Gateway, outside: Outside) -> None:
    """A part asked for twice is one: by its key, and by its total under another key."""
    held = await held_for_parts(adapter, outside)
    await part_captured(adapter, part_request(held, 1000, 1000, 1), held)
    again = await adapter.capture(part_request(held, 1000, 1000, 1))
    other = await adapter.capture(part_request(held, 1000, 1000, 2))
    for answer in (again, other):
        assert isinstance(answer, Completed), answer
        assert payment_in(answer).captured == Money(1000, "EUR")
    assert (await moved(outside, held)).taken == (1000,)


@pytest.mark.live
async def test_two_equal_parts_are_two_captures(adapter: Gateway, outside: Outside) -> None:
    """Equal parts are told apart by their keys and totals, and none is taken for a repetition of the other."""
    held = await held_for_parts(adapter, outside)
    for attempt in (1, 2):
        await part_captured(adapter, part_request(held, 1000, attempt * 1000, attempt), held)
    assert (await moved(outside, held)).taken == (1000, 1000)


@pytest.mark.parametrize("kind", ["timeout_after", "reset_after", "error_500_before", "reset_before"])
async def test_a_part_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A part whose answer was lost is taken once when it is asked for again, and the rest of the hold stands."""
    held = await held_for_parts(adapter, outside)
    await outside.fault("capture", kind, held.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.capture(part_request(held, 1000, 1000, 1))
    now = await part_captured(adapter, part_request(held, 1000, 1000, 1), held)
    assert (now.status, now.captured) == (PaymentStatus.AUTHORIZED, Money(1000, "EUR"))
    await part_captured(adapter, part_request(held, 3200, 4200, 2, final=True), held)
    assert (await moved(outside, held)).taken == (1000, 3200)


@pytest.mark.live
async def test_parts_beyond_the_hold_are_declined(adapter: Gateway, outside: Outside) -> None:
    """The parts of a hold are never more than the hold, and what is left of it can be taken after such a no."""
    held = await held_for_parts(adapter, outside)
    await part_captured(adapter, part_request(held, 1000, 1000, 1), held)
    decline = await not_captured(adapter, part_request(held, FAR_BEYOND.minor, FAR_BEYOND.minor + 1000, 2), held)
    assert (decline.code, decline.hard) == (DeclineCode.INVALID_REQUEST, True)
    assert (await seen(adapter, held)).captured == Money(1000, "EUR")
    await part_captured(adapter, part_request(held, 3200, 4200, 3, final=True), held)
    assert (await moved(outside, held)).taken == (1000, 3200)


@pytest.mark.live
async def test_a_final_part_releases_the_rest(adapter: Gateway, outside: Outside) -> None:
    """What the last part leaves of the hold is the customer's again, and cannot be taken any more."""
    if not adapter.capabilities.partial_capture:
        pytest.skip(f"{adapter.name}: a hold is taken as a whole")
    held = await paid(adapter, outside, hold=True)
    done = await part_captured(adapter, part_request(held, 1500, 1500, 1, final=True), held)
    assert (done.status, done.amount, done.captured) == (PaymentStatus.CAPTURED, PRICE, Money(1500, "EUR"))
    late = await adapter.capture(part_request(held, 100, 1600, 2))
    assert isinstance(late, Declined), late
    assert await moved(outside, held) == Moved(held=(4200,), taken=(1500,), released=(2700,))


@pytest.mark.live
async def test_a_final_part_after_another_releases_the_rest(adapter: Gateway, outside: Outside) -> None:
    """So does the last of several parts."""
    held = await held_for_parts(adapter, outside)
    await part_captured(adapter, part_request(held, 1000, 1000, 1), held)
    done = await part_captured(adapter, part_request(held, 500, 1500, 2, final=True), held)
    assert (done.status, done.captured) == (PaymentStatus.CAPTURED, Money(1500, "EUR"))
    assert await moved(outside, held) == Moved(held=(4200,), taken=(1000, 500), released=(2700,))


@pytest.mark.live
async def test_what_was_taken_in_parts_is_given_back(adapter: Gateway, outside: Outside) -> None:
    """However many refunds the gateway makes of one over all parts, they add up, and one of them answers to its key."""
    held = await held_for_parts(adapter, outside)
    await part_captured(adapter, part_request(held, 1000, 1000, 1), held)
    done = await part_captured(adapter, part_request(held, 3200, 4200, 2, final=True), held)
    request = refund_request(done)
    refund = await refunded(adapter, request, done)
    assert refund.reference == request.key
    assert await refunded(adapter, request, done) == refund
    after = await seen(adapter, done)
    assert [each for each in after.refunds if each.reference is not None] == [refund]
    assert after.refunded(RefundStatus.SUCCEEDED) == PRICE
    assert sum((await moved(outside, held)).returned) == 4200


@pytest.mark.live
async def test_a_part_where_there_is_one_capture(adapter: Gateway, outside: Outside) -> None:
    """Where a hold is taken in one capture, one that would not be the last is declined and takes nothing."""
    if adapter.capabilities.several_captures:
        pytest.skip(f"{adapter.name}: a hold can be taken in parts")
    held = await paid(adapter, outside, hold=True)
    answer = await adapter.capture(part_request(held, 1000, 1000, 1))
    assert isinstance(answer, Declined), answer
    assert answer.decline.hard
    assert (await captured(adapter, capture_request(held, attempt=2), held)).captured == PRICE
    assert (await moved(outside, held)).taken == (4200,)


async def test_a_hold_is_made_anew(adapter: Gateway, outside: Outside) -> None:
    """Once it is old enough a hold is made anew under another id, once for the same key, and that one is taken."""
    after = adapter.capabilities.reauthorize_after
    if after is None:
        pytest.skip(f"{adapter.name}: a hold cannot be made anew")
    held = await paid(adapter, outside, hold=True)
    request = ReauthorizePayment(f"{held.reference}:reauthorize:1", held.payment_id, PRICE)
    early = ReauthorizePayment(f"{held.reference}:reauthorize:0", held.payment_id, PRICE)
    assert isinstance(await adapter.reauthorize(early), Declined)
    await outside.pass_time((after + _HOUR).total_seconds())
    before = await seen(adapter, held)
    anew = [payment_in(await adapter.reauthorize(request)) for _ in range(2)]
    now = await seen_until(adapter, held, lambda p: p.authorization_id != before.authorization_id)
    assert now.status is PaymentStatus.AUTHORIZED
    assert {payment.authorization_id for payment in anew} == {now.authorization_id}
    assert before.authorized_until is not None
    assert (await captured(adapter, capture_request(now), now)).captured == PRICE
    assert (await moved(outside, held)).taken == (4200,)


async def test_a_hold_that_cannot_be_made_anew(adapter: Gateway, outside: Outside) -> None:
    """Where that is not offered it is declined, and the hold is what it was."""
    if adapter.capabilities.reauthorize_after is not None:
        pytest.skip(f"{adapter.name}: a hold can be made anew")
    held = await paid(adapter, outside, hold=True)
    request = ReauthorizePayment(f"{held.reference}:reauthorize:1", held.payment_id, PRICE)
    answer = await adapter.reauthorize(request)
    assert isinstance(answer, Declined), answer
    assert answer.decline.hard
    assert await seen(adapter, held) == held
    assert await moved(outside, held) == Moved(held=(4200,))
