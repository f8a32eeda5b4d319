"""What every gateway does the same: its real deliveries are believed, and nobody else's."""

import asyncio
import contextlib
from collections import Counter
from datetime import UTC, datetime

import pytest

from domain.errors import WebhookNotAuthenticError
from domain.payment import PaymentSnapshot
from gateways.contract import Gateway, WebhookEvent
from tests.gateways.checkouts import new_reference, opened, paid, refund_request, refunded
from tests.gateways.inbox import Delivery, Kept
from tests.gateways.outside import Outside, needs


async def read(gateway: Gateway, delivery: Delivery) -> list[WebhookEvent]:
    """The events of one delivery, taken now."""
    return await gateway.parse_webhook(delivery.body, delivery.headers, datetime.now(UTC))


async def told_of(outside: Outside, payment: PaymentSnapshot) -> list[Kept]:
    """The authentic events about this payment, once there is one."""
    kept = await outside.inbox.until(lambda kept: any(_about(k.event, payment) for k in kept))
    return [k for k in kept if _about(k.event, payment)]


async def test_deliveries_lead_to_their_payment(adapter: Gateway, outside: Outside) -> None:
    """What the gateway sends for a payment and its refund is authentic and leads to payment and checkout."""
    payment = await paid(adapter, outside)
    before = {k.event.event_id for k in await told_of(outside, payment)}
    await refunded(adapter, refund_request(payment), payment)
    kept = await outside.inbox.until(
        lambda kept: any(_about(k.event, payment) and k.event.event_id not in before for k in kept)
    )
    ours = [k.event for k in kept if _about(k.event, payment)]
    assert {event.reference for event in ours} <= {payment.reference, None}
    assert {event.payment_id for event in ours} <= {payment.payment_id, None}
    assert not any(event.live for event in ours)
    assert payment.reference is not None
    named = any(event.reference for event in ours)
    assert bool(await outside.inbox.about(adapter.name, payment.reference)) is named


async def test_the_proof_covers_what_is_believed(adapter: Gateway, outside: Outside) -> None:
    """Without its proof, or turned to another checkout, a delivery is refused; as it came, it is good again."""
    payment = await paid(adapter, outside)
    delivery = (await told_of(outside, payment))[0].delivery
    assert payment.reference is not None
    other = delivery.body.replace(payment.reference.encode(), new_reference().encode())
    other = other.replace(payment.payment_id.encode(), outside.unknown_payment.encode())
    assert other != delivery.body
    for spoilt in (outside.unsigned(delivery), Delivery(delivery.headers, other), Delivery({}, b"{}")):
        with pytest.raises(WebhookNotAuthenticError):
            await read(adapter, spoilt)
    assert await read(adapter, delivery)


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"a":' * 3000, b'{"a":NaN}', b'{"a":1,"a":2}'])
async def test_hostile_bodies_are_refused(adapter: Gateway, outside: Outside, body: bytes) -> None:
    """With the headers of a good delivery no other body passes, whatever it does to a parser."""
    delivery = (await told_of(outside, await paid(adapter, outside)))[0].delivery
    with pytest.raises(WebhookNotAuthenticError):
        await read(adapter, Delivery(delivery.headers, body))


async def test_a_forged_delivery_is_refused(adapter: Gateway, outside: Outside) -> None:
    """A delivery that somebody else signed beside the real one is refused, and the real one is taken."""
    refused = outside.inbox.refused
    payment = await opened(adapter)
    await outside.fault("webhook", "forge", payment.reference or "", count=9)
    await outside.pay(payment)
    assert await told_of(outside, payment)
    await outside.inbox.until(lambda _: outside.inbox.refused > refused)


async def test_a_delivery_twice_is_one_event(adapter: Gateway, outside: Outside) -> None:
    """What comes twice has the same event id both times, by which the second is dropped."""
    payment = await opened(adapter)
    await outside.fault("webhook", "duplicate", payment.reference or "", count=9)
    await outside.pay(payment)
    await told_of(outside, payment)
    for _ in range(300):
        times = await _times_received(adapter, outside, payment)
        if 2 in times.values():
            break
        await asyncio.sleep(0.05)
    assert max(times.values()) == 2
    assert [k.event.event_id for k in await told_of(outside, payment) if times[k.event.event_id] > 1]


async def test_secrets_rotate_without_a_gap(adapter: Gateway, outside: Outside) -> None:
    """While a secret is rotated, whoever knows both takes what came before and after; a stranger takes nothing."""
    needs(outside, "rotation")
    before = (await told_of(outside, await paid(adapter, outside)))[0].delivery
    new = await outside.rotate()
    after = (await told_of(outside, await paid(adapter, outside)))[0].delivery
    both, only_new = outside.gateway(), outside.gateway(secrets=(new,))
    assert await read(both, before)
    assert await read(both, after)
    assert await read(only_new, after)
    with pytest.raises(WebhookNotAuthenticError):
        await read(only_new, before)
    for delivery in (before, after):
        with pytest.raises(WebhookNotAuthenticError):
            await read(outside.gateway(secrets=(outside.stranger,)), delivery)


async def _times_received(gateway: Gateway, outside: Outside, payment: PaymentSnapshot) -> Counter[str]:
    """How often each event about this payment has come."""
    times: Counter[str] = Counter()
    for delivery in outside.inbox.deliveries():
        with contextlib.suppress(WebhookNotAuthenticError):
            times.update(event.event_id for event in await read(gateway, delivery) if _about(event, payment))
    return times


def _about(event: WebhookEvent, payment: PaymentSnapshot) -> bool:
    return event.relevant and (event.payment_id == payment.payment_id or event.reference == payment.reference)
