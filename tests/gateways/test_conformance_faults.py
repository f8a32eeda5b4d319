"""What every gateway does the same when calls fail: nothing is done twice and nothing unknown is called a failure."""

import asyncio

import pytest

from domain.errors import GatewayBusyError, GatewayRefusedError, KeySpentError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import Answer, RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus, RefundStatus
from gateways.contract import Gateway
from tests.gateways.checkouts import (
    PRICE,
    capture_request,
    create_request,
    new_reference,
    opened,
    paid,
    payment_in,
    refund_in,
    refund_request,
    seen,
    void_request,
)
from tests.gateways.outside import Outside

DONE_UNSEEN = ["timeout_after", "reset_after", "slow_drip", "error_500_after"]
NOT_DONE = ["timeout_before", "reset_before", "error_500_before", "unavailable_503", "html_502"]


async def test_the_same_key_is_the_same_payment(adapter: Gateway) -> None:
    """A repeated create answers with the payment of the first, byte for byte."""
    request = create_request(new_reference())
    assert await adapter.create(request) == await adapter.create(request)


async def test_a_key_with_another_request_is_refused(adapter: Gateway) -> None:
    """A key that comes back with another amount is a bug: refused, never charged."""
    reference = new_reference()
    await adapter.create(create_request(reference))
    with pytest.raises(GatewayRefusedError):
        await adapter.create(create_request(reference, Money(4300, "USD")))
    found = await adapter.find(reference)
    assert found is not None
    assert found.amount == PRICE


async def test_a_key_in_flight_is_busy(adapter: Gateway, outside: Outside) -> None:
    """While the first call with a key is worked on, a second one is told to come back and then gets its answer."""
    request = create_request(new_reference())
    await outside.fault("create", "slow", request.reference, seconds=0.6)
    first = asyncio.create_task(adapter.create(request))
    await asyncio.sleep(0.3)
    with pytest.raises(GatewayBusyError):
        await adapter.create(request)
    assert await first == await adapter.create(request)


@pytest.mark.parametrize("kind", [*DONE_UNSEEN, *NOT_DONE])
async def test_create_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """However the first call fails, the second with the same key leaves exactly one payment."""
    request = create_request(new_reference())
    await outside.fault("create", kind, request.reference)
    with pytest.raises(OutcomeUnknownError):
        await hasty.create(request)
    before = await adapter.find(request.reference)
    assert (before is None) is (kind in NOT_DONE)
    answer = await adapter.create(request)
    assert isinstance(answer, RequiresAction)
    if before is not None:
        assert answer.evidence.payment_id == before.payment_id
    await outside.pay(answer.evidence)
    assert await outside.movements(request.reference) == [("charge", 4200)]


@pytest.mark.parametrize("kind", [*DONE_UNSEEN, *NOT_DONE])
async def test_capture_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A capture whose answer was lost is taken once, with the same key and with a new one."""
    held = await paid(adapter, outside, hold=True)
    await outside.fault("capture", kind, held.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.capture(capture_request(held))
    expected = PaymentStatus.AUTHORIZED if kind in NOT_DONE else PaymentStatus.CAPTURED
    assert (await seen(adapter, held)).status is expected
    for attempt in (1, 2):
        assert payment_in(await adapter.capture(capture_request(held, attempt=attempt))).captured == PRICE
    assert await outside.movements(held.reference or "") == [("authorization", 4200), ("capture", 4200)]


@pytest.mark.parametrize("kind", [*DONE_UNSEEN, *NOT_DONE])
async def test_refund_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A refund whose answer was lost is found under its key, and repeated with it moves no second money."""
    payment = await paid(adapter, outside)
    request = refund_request(payment, Money(1000, "USD"))
    await outside.fault("refund", kind, payment.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.refund(request)
    made = (await seen(adapter, payment)).refunds
    assert [refund.reference for refund in made] == ([] if kind in NOT_DONE else [request.key])
    assert refund_in(await adapter.refund(request)).status is RefundStatus.SUCCEEDED
    assert await outside.movements(payment.reference or "") == [("charge", 4200), ("refund", 1000)]


@pytest.mark.parametrize("kind", ["timeout_after", "reset_before"])
async def test_void_with_an_unknown_outcome(adapter: Gateway, hasty: Gateway, outside: Outside, kind: str) -> None:
    """A void whose answer was lost ends canceled when it is repeated."""
    held = await paid(adapter, outside, hold=True)
    await outside.fault("void", kind, held.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.void(void_request(held))
    assert payment_in(await adapter.void(void_request(held))).status is PaymentStatus.CANCELED
    assert await outside.movements(held.reference or "") == [("authorization", 4200), ("release", 4200)]


async def test_a_stored_failure_is_seen_through(adapter: Gateway, outside: Outside) -> None:
    """A gateway that replays its own 500 says that the key is spent, while the look-up tells what happened."""
    request = create_request(new_reference())
    await outside.fault("create", "stored_500", request.reference)
    for _ in range(2):
        with pytest.raises(KeySpentError):
            await adapter.create(request)
    found = await adapter.find(request.reference)
    assert found is not None
    await outside.pay(found)
    assert (await seen(adapter, found)).captured == PRICE


async def test_a_stored_failure_that_did_nothing(adapter: Gateway, outside: Outside) -> None:
    """A stored 500 behind which nothing happened shows as nothing, so that a new key can be used."""
    request = create_request(new_reference())
    await outside.fault("create", "stored_500", request.reference, executed=False)
    with pytest.raises(KeySpentError):
        await adapter.create(request)
    assert await adapter.find(request.reference) is None


@pytest.mark.parametrize("seconds", [7.0, None])
async def test_a_rate_limit_tells_when_to_come_back(adapter: Gateway, outside: Outside, seconds: float | None) -> None:
    """Too many calls: not done, with the wait that the gateway asks for; then it works."""
    request = create_request(new_reference())
    await outside.fault("create", "rate_limit_429", request.reference, **({"seconds": seconds} if seconds else {}))
    with pytest.raises(GatewayBusyError) as busy:
        await adapter.create(request)
    assert busy.value.retry_after_seconds == seconds
    assert isinstance(await adapter.create(request), RequiresAction)


@pytest.mark.parametrize("kind", ["error_500_before", "reset_before", "timeout_before"])
async def test_a_look_up_that_fails_is_unknown(hasty: Gateway, adapter: Gateway, outside: Outside, kind: str) -> None:
    """Not being able to look is never taken for there being nothing."""
    payment = await opened(adapter)
    for verb in ("lookup", "find"):
        await outside.fault(verb, kind, payment.reference or "")
        with pytest.raises(OutcomeUnknownError):
            await (hasty.lookup(payment.payment_id) if verb == "lookup" else hasty.find(payment.reference or ""))


TAMPERED = [
    ("amount_off_by_one", Money(4201, "USD"), False),
    ("other_currency", None, False),
    ("livemode_true", PRICE, True),
]


@pytest.mark.parametrize(("kind", "amount", "live"), TAMPERED)
async def test_what_differs_shows(
    adapter: Gateway, outside: Outside, kind: str, amount: Money | None, live: bool
) -> None:
    """Another amount, currency or mode than asked reaches the caller as stated, who can compare."""
    reference = new_reference()
    await outside.fault("create", kind, reference)
    created = shown(await adapter.create(create_request(reference)))
    await outside.fault("lookup", kind, reference)
    looked_up = await adapter.lookup(created.payment_id)
    assert looked_up is not None
    for payment in (created, looked_up):
        assert payment.live is live
        if amount is None:
            assert payment.amount.currency != PRICE.currency
        else:
            assert payment.amount == amount


async def test_two_payments_of_one_checkout(adapter: Gateway, outside: Outside) -> None:
    """When a forgotten key opened a second payment, the one that was paid is found."""
    request = create_request(new_reference())
    first = shown(await adapter.create(request))
    await outside.pass_time(25 * 3600)
    second = shown(await adapter.create(request))
    assert second.payment_id != first.payment_id
    await outside.pay(first)
    found = await adapter.find(request.reference)
    assert found is not None
    assert (found.payment_id, found.captured) == (first.payment_id, PRICE)


def shown(answer: Answer) -> PaymentSnapshot:
    """The payment that a create shows."""
    assert isinstance(answer, RequiresAction), answer
    return answer.evidence
