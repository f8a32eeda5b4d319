"""What every gateway does the same when calls fail: nothing is done twice and nothing unknown is called a failure."""

import pytest

from devstack.ports import any_free
from domain.checkout import CaptureMode
from domain.errors import GatewayBusyError, GatewayUnreachableError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import RequiresAction
from domain.payment import PaymentStatus
from gateways.contract import Gateway
from tests.gateways.checkouts import (
    PRICE,
    Moved,
    approved,
    authorize_request,
    brought_home,
    capture_request,
    captured,
    create_request,
    moved,
    new_reference,
    opened,
    paid,
    refund_request,
    refunded,
    seen,
    seen_until,
    void_request,
    voided,
)
from tests.gateways.outside import Outside

DONE_UNSEEN = ["timeout_after", "reset_after", "slow_drip", "error_500_after"]
NOT_DONE = ["timeout_before", "reset_before", "error_500_before", "unavailable_503", "html_502"]
UNKNOWN = pytest.mark.parametrize("kind", [*DONE_UNSEEN, *NOT_DONE])


@UNKNOWN
async def test_create_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """However the first call fails, the second with the same key leaves exactly one payment."""
    request = create_request(new_reference())
    await outside.fault("create", kind, request.reference)
    with pytest.raises(OutcomeUnknownError):
        await hasty.create(request)
    before = await adapter.find(request.reference)
    if adapter.capabilities.lookup_by_reference:
        assert (before is None) is (kind in NOT_DONE)
    answer = await adapter.create(request)
    assert isinstance(answer, RequiresAction)
    if before is not None:
        assert answer.evidence.payment_id == before.payment_id
    await outside.pay(answer.evidence)
    assert (await brought_home(adapter, answer.evidence)).captured == PRICE
    assert (await moved(outside, request.reference)).taken == (4200,)


@UNKNOWN
async def test_capture_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A capture whose answer was lost is taken once, with the same key and with a new one."""
    held = await paid(adapter, outside, hold=True)
    await outside.fault("capture", kind, held.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.capture(capture_request(held))
    expected = PaymentStatus.AUTHORIZED if kind in NOT_DONE else PaymentStatus.CAPTURED
    await seen_until(adapter, held, lambda p: p.status is expected)
    for attempt in (1, 2):
        assert (await captured(adapter, capture_request(held, attempt=attempt), held)).captured == PRICE
    assert await moved(outside, held) == Moved(held=(4200,), taken=(4200,))


@UNKNOWN
async def test_taking_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """Where the customer's approval moves nothing by itself, our own capture of it is done once all the same."""
    payment = await approved(adapter, outside)
    if payment.status is not PaymentStatus.APPROVED:
        pytest.skip(f"{adapter.name}: the customer's own confirmation holds or takes the money")
    await outside.fault("take", kind, payment.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.capture(capture_request(payment))
    expected = PaymentStatus.APPROVED if kind in NOT_DONE else PaymentStatus.CAPTURED
    assert (await seen(adapter, payment)).status is expected
    for attempt in (1, 2):
        assert (await captured(adapter, capture_request(payment, attempt=attempt), payment)).captured == PRICE
    assert await moved(outside, payment) == Moved(taken=(4200,))


@pytest.mark.parametrize("kind", ["timeout_after", "error_500_after", "reset_before"])
async def test_authorize_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A hold whose answer was lost is there once after the repetition, and can be taken."""
    payment = await approved(adapter, outside, hold=True)
    if payment.status is not PaymentStatus.APPROVED:
        pytest.skip(f"{adapter.name}: the customer's own confirmation holds the money")
    await outside.fault("authorize", kind, payment.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.authorize(authorize_request(payment))
    await adapter.authorize(authorize_request(payment))
    held = await seen_until(adapter, payment, lambda p: p.status is PaymentStatus.AUTHORIZED)
    assert (await captured(adapter, capture_request(held), held)).captured == PRICE
    assert await moved(outside, payment) == Moved(held=(4200,), taken=(4200,))


@UNKNOWN
async def test_refund_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A refund whose answer was lost is found under its key, and repeated with it moves no second money."""
    payment = await paid(adapter, outside)
    request = refund_request(payment, Money(1000, "EUR"))
    await outside.fault("refund", kind, payment.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.refund(request)
    expected = [] if kind in NOT_DONE else [request.key]
    await seen_until(adapter, payment, lambda p: [refund.reference for refund in p.refunds] == expected)
    await refunded(adapter, request, payment)
    assert (await moved(outside, payment)).returned == (1000,)


@pytest.mark.parametrize("kind", ["timeout_after", "reset_before"])
async def test_void_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A void whose answer was lost ends canceled when it is repeated, and releases once."""
    held = await paid(adapter, outside, hold=True)
    await outside.fault("void", kind, held.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.void(void_request(held))
    assert (await voided(adapter, void_request(held), held)).status is PaymentStatus.CANCELED
    assert await moved(outside, held) == Moved(held=(4200,), released=(4200,))


@pytest.mark.parametrize("seconds", [7.0, None])
async def test_a_rate_limit_tells_when_to_come_back(adapter: Gateway, outside: Outside, seconds: float | None) -> None:
    """Too many calls: not done, with the wait that the gateway asks for; then it works."""
    request = create_request(new_reference())
    await outside.fault("create", "rate_limit_429", request.reference, **({"seconds": seconds} if seconds else {}))
    with pytest.raises(GatewayBusyError) as busy:
        await adapter.create(request)
    assert busy.value.retry_after_seconds == seconds
    assert isinstance(await adapter.create(request), RequiresAction)


@pytest.mark.parametrize("kind", ["error_500_before", "reset_before", "timeout_before", "html_502"])
async def test_a_look_up_that_fails_is_unknown(hasty: Gateway, adapter: Gateway, outside: Outside, kind: str) -> None:
    """Not being able to look is never taken for there being nothing."""
    payment = await opened(adapter)
    await outside.fault("lookup", kind, payment.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.lookup(payment.payment_id)
    if adapter.capabilities.lookup_by_reference:
        await outside.fault("find", kind, payment.reference or "")
        with pytest.raises(OutcomeUnknownError):
            await hasty.find(payment.reference or "")


async def test_nobody_there_means_nothing_was_sent(adapter: Gateway, outside: Outside) -> None:
    """A refused connection is told apart from a lost answer, for every operation: nothing can have happened."""
    held = await paid(adapter, outside, hold=CaptureMode.ON_CONFIRM in adapter.capabilities.capture_modes)
    lost = outside.gateway(base=f"http://127.0.0.1:{any_free()}")
    calls = (
        lambda: lost.create(create_request(new_reference())),
        lambda: lost.authorize(authorize_request(held)),
        lambda: lost.capture(capture_request(held)),
        lambda: lost.void(void_request(held)),
        lambda: lost.refund(refund_request(held)),
        lambda: lost.lookup(held.payment_id),
    )
    try:
        for call in calls:
            with pytest.raises(GatewayUnreachableError):
                await call()
    finally:
        await lost.close()
    assert (await captured(adapter, capture_request(held), held)).captured == PRICE
