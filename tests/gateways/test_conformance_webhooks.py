"""What every gateway does the same: its real deliveries are believed, and nobody else's."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from domain.errors import WebhookNotAuthenticError
from gateways.contract import Gateway, WebhookEvent
from tests.gateways.checkouts import paid, refund_request
from tests.gateways.outside import Outside
from tests.gateways.scripted import ScriptedServer, answer, scripted_server


@pytest.fixture
async def receiver() -> AsyncIterator[ScriptedServer]:
    """Somebody who takes every delivery."""
    async with scripted_server() as server:
        server.tell(answer(200, "ok"))
        yield server


async def received(receiver: ScriptedServer, enough: Callable[[], bool]) -> None:
    """Wait until enough deliveries have come."""
    async with asyncio.timeout(10):
        while not enough():
            receiver.arrived.clear()
            await receiver.arrived.wait()


def read(gateway: Gateway, receiver: ScriptedServer) -> list[WebhookEvent]:
    """The events of all deliveries so far."""
    now = datetime.now(UTC)
    return [event for headers, body in receiver.received() for event in gateway.parse_webhook(body, headers, now)]


async def test_deliveries_lead_to_their_payment(adapter: Gateway, outside: Outside, receiver: ScriptedServer) -> None:
    """What the gateway sends for a payment and its refund is authentic and names payment and checkout."""
    gateway = outside.gateway(secrets=(await outside.subscribe(receiver.url),))
    payment = await paid(adapter, outside)
    await adapter.refund(refund_request(payment))
    await received(receiver, lambda: b"refund" in b"".join(body for _, body in receiver.received()))
    relevant = [event for event in read(gateway, receiver) if event.relevant and event.payment_id == payment.payment_id]
    assert relevant
    assert payment.reference in {event.reference for event in relevant}
    assert not any(event.live for event in relevant)


async def test_secrets_rotate_without_a_gap(adapter: Gateway, outside: Outside, receiver: ScriptedServer) -> None:
    """While a secret is rotated, deliveries are good for whoever knows either of the two, and for nobody else."""
    old = await outside.subscribe(receiver.url)
    new = await outside.rotate(receiver.url)
    await paid(adapter, outside)
    await received(receiver, lambda: len(receiver.requests) > 0)
    for secrets in ((old,), (new,), (old, new)):
        assert read(outside.gateway(secrets=secrets), receiver)
    for stranger in (outside.gateway(), outside.gateway(secrets=(old + "x",))):
        with pytest.raises(WebhookNotAuthenticError):
            read(stranger, receiver)
