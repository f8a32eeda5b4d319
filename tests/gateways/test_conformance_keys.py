"""What every gateway does the same: one key is one movement of money, whatever happens to the answer."""

import asyncio
from datetime import timedelta

import pytest

from domain.errors import GatewayBusyError, GatewayRefusedError, KeySpentError, OutcomeUnknownError
from domain.money import Money
from domain.outcomes import RequiresAction
from domain.payment import PaymentSnapshot, PaymentStatus
from gateways.contract import Gateway, Verb
from tests.gateways.checkouts import (
    PRICE,
    accepted,
    brought_home,
    capture_request,
    create_request,
    moved,
    new_reference,
    paid,
    refund_in,
    refund_request,
    refunded,
    seen_until,
    shown,
)
from tests.gateways.outside import Outside, needs

_A_WHILE = timedelta(hours=1)


@pytest.mark.live
async def test_the_same_key_is_the_same_payment(adapter: Gateway) -> None:
    """A repeated create answers exactly as the first."""
    request = create_request(new_reference())
    assert await adapter.create(request) == await adapter.create(request)


@pytest.mark.live
async def test_a_key_with_another_request_opens_nothing(adapter: Gateway, outside: Outside) -> None:
    """A key that comes back with another amount is a bug: refused, or answered with the first payment as it is."""
    reference = new_reference()
    first = shown(await adapter.create(create_request(reference)))
    other = create_request(reference, Money(4300, "EUR"))
    if "other_request" in outside.cannot:
        assert shown(await adapter.create(other)) == first
    else:
        with pytest.raises(GatewayRefusedError):
            await adapter.create(other)
    now = await adapter.lookup(first.payment_id)
    assert now is not None
    assert now.amount == PRICE


async def test_a_key_in_flight_is_busy(adapter: Gateway, outside: Outside) -> None:
    """While the first call with a key is worked on, a second one is told to come back and then gets its answer."""
    needs(outside, "key_in_flight")
    request = create_request(new_reference())
    await outside.fault("create", "slow", request.reference, seconds=2.5)
    first = asyncio.create_task(adapter.create(request))
    await asyncio.sleep(0.8)
    with pytest.raises(GatewayBusyError):
        await adapter.create(request)
    assert await first == await adapter.create(request)


@pytest.mark.parametrize("news", ["lose", "delay"])
async def test_a_refund_is_asked_for_again_before_any_news(
    adapter: Gateway, hasty: Gateway, outside: Outside, news: str
) -> None:
    """A repetition that outruns the first one's webhook still moves no second money: the key sees to it."""
    payment = await paid(adapter, outside)
    request = refund_request(payment, Money(1000, "EUR"))
    assert payment.reference is not None
    await outside.fault("webhook", news, payment.reference, **({"seconds": 1} if news == "delay" else {}))
    await outside.fault("refund", "timeout_after", payment.reference)
    with pytest.raises(OutcomeUnknownError):
        await hasty.refund(request)
    for _ in range(2):
        assert refund_in(accepted(adapter, await adapter.refund(request))).reference == request.key
    assert (await moved(outside, payment)).returned == (1000,)


async def test_a_capture_is_asked_for_again_before_any_news(adapter: Gateway, hasty: Gateway, outside: Outside) -> None:
    """So does a capture: what comes between the first call and its news takes nothing twice and is no failure."""
    held = await paid(adapter, outside, hold=True)
    await outside.fault("webhook", "delay", held.reference or "", seconds=1)
    await outside.fault("capture", "timeout_after", held.reference or "")
    with pytest.raises(OutcomeUnknownError):
        await hasty.capture(capture_request(held))
    for _ in range(2):
        accepted(adapter, await adapter.capture(capture_request(held)))
    home = await seen_until(adapter, held, lambda p: p.status is PaymentStatus.CAPTURED)
    assert home.captured == PRICE
    assert (await moved(outside, held)).taken == (4200,)


async def test_a_stored_failure_is_seen_through(adapter: Gateway, outside: Outside) -> None:
    """A gateway that replays its own 500 says that the key is spent, while the look-up tells what happened."""
    needs(outside, "stored_500")
    request = create_request(new_reference())
    await outside.fault("create", "stored_500", request.reference)
    for _ in range(2):
        with pytest.raises(KeySpentError):
            await adapter.create(request)
    found = await adapter.find(request.reference)
    assert found is not None
    await outside.pay(found)
    assert (await brought_home(adapter, found)).captured == PRICE


async def test_a_stored_failure_that_did_nothing(adapter: Gateway, outside: Outside) -> None:
    """A stored 500 behind which nothing happened shows as nothing, so that a new key can be used."""
    needs(outside, "stored_500")
    request = create_request(new_reference())
    await outside.fault("create", "stored_500", request.reference, executed=False)
    with pytest.raises(KeySpentError):
        await adapter.create(request)
    assert await adapter.find(request.reference) is None


async def test_a_forgotten_key_gives_no_second_refund(adapter: Gateway, outside: Outside) -> None:
    """When the gateway has forgotten the key of a full refund, asking again finds the refund instead of failing."""
    payment = await paid(adapter, outside)
    request = refund_request(payment)
    first = await refunded(adapter, request, payment)
    await outside.pass_time((adapter.capabilities.key_lifetime[Verb.REFUND] + _A_WHILE).total_seconds())
    assert await refunded(adapter, request, payment) == first
    assert (await moved(outside, payment)).returned == (4200,)


async def test_two_payments_of_one_checkout(adapter: Gateway, outside: Outside) -> None:
    """When a forgotten key opened a second payment, the one that was paid is found, where any can be."""
    request = create_request(new_reference())
    first = shown(await adapter.create(request))
    await outside.pay(first)
    first = await brought_home(adapter, first)
    await outside.pass_time((adapter.capabilities.key_lifetime[Verb.CREATE] + _A_WHILE).total_seconds())
    second = await adapter.create(request)
    assert isinstance(second, RequiresAction)
    assert second.evidence.payment_id != first.payment_id
    assert _fits(await adapter.find(request.reference), first, adapter)
    assert (await moved(outside, first)).taken == (4200,)


def _fits(found: PaymentSnapshot | None, paid_one: PaymentSnapshot, gateway: Gateway) -> bool:
    if found is None:
        return not gateway.capabilities.lookup_by_reference
    return (found.payment_id, found.captured) == (paid_one.payment_id, PRICE)
