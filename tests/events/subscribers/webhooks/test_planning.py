"""The subscriber that plans deliveries to shops, as several processes of it would run."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from domain.timeline import EventType
from domain.webhook import delivery_id_of
from events.broker.contract import Message
from events.contract import Event, event_id
from events.subscribers.consuming import Consumer
from events.subscribers.contract import PoisonError
from events.subscribers.meter import SubscriberMeter
from events.subscribers.registry import builder
from events.subscribers.webhooks.subscriber import Webhooks
from events.wire import to_message
from ledger.consumed import Consumption
from ledger.endpoints import Endpoints
from ledger.engine import create_engine
from ledger.webhook_contract import DeliveryFilter, Endpoint
from ledger.webhook_deliveries import WebhookDeliveries


@pytest.fixture
async def engine(fresh_database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections as one process has them."""
    pool = create_engine(fresh_database_url)
    yield pool
    await pool.dispose()


@pytest.fixture
async def endpoint(engine: AsyncEngine) -> Endpoint:
    """An endpoint that hears of everything."""
    return await Endpoints(engine).create("https://shop.example/hook", ["*"], "key_x")


def an_event(type_: str = "payment.succeeded", sequence: int = 1, **changes: Any) -> Event:
    """An event about a checkout of its own."""
    subject = f"chk_{secrets.token_hex(12)}"
    data = {"checkout_id": subject, "amount": 4200, "currency": "EUR", "note": "Grüße"}
    fields = {
        "id": event_id(subject, 7),
        "type": type_,
        "subject": subject,
        "sequence": sequence,
        "time": datetime.now(UTC),
        "data": data,
    }
    return Event(**(fields | changes))


async def test_what_is_sent_is_the_event_as_it_travels(engine: AsyncEngine, endpoint: Endpoint) -> None:
    """Byte for byte, with its subject and sequence, by which a receiver puts events in order."""
    event, deliveries = an_event(sequence=3), WebhookDeliveries(engine)
    await Webhooks(deliveries).handle(event)
    outgoing = await deliveries.outgoing(delivery_id_of(endpoint.id, event.id))
    assert outgoing is not None
    assert (outgoing.event_id, outgoing.body) == (event.id, to_message(event).body)
    sent = json.loads(outgoing.body)
    assert (sent["subject"], sent["sequence"], sent["data"]["note"]) == (event.subject, "0000000003", "Grüße")


async def test_two_processes_plan_one_delivery(
    engine: AsyncEngine, endpoint: Endpoint, fresh_database_url: str
) -> None:
    """The same message taken by both at the same moment, and by one of them once more."""
    other = create_engine(fresh_database_url)
    consumers = [
        Consumer(Webhooks(WebhookDeliveries(pool)), Consumption(pool), Silent(), SubscriberMeter("webhooks"))
        for pool in (engine, other)
    ]
    messages = [to_message(an_event()) for _ in range(10)]
    await asyncio.gather(*(_all(consumer, messages) for consumer in consumers))
    await consumers[0].take(messages[0])
    page = await WebhookDeliveries(engine).list(DeliveryFilter(endpoint.id))
    assert len(page.data) == 10
    await other.dispose()


async def _all(consumer: Consumer, messages: list[Message]) -> None:
    for message in messages:
        await consumer.take(message)


class Silent:
    """A broker that nothing is to be said to."""

    async def publish(self, channel: object, message: Message) -> None:
        """Nothing should be buried here."""
        raise AssertionError(message)

    async def start(self) -> None:
        """Nothing to start."""

    def listen(self, channel: object, group: str, take: object) -> None:
        """Nothing to hear."""

    async def waiting(self, channel: object, group: str) -> int:
        """Nothing waits."""
        return 0

    async def close(self) -> None:
        """Nothing to close."""


@pytest.mark.parametrize("type_", sorted(EventType))
async def test_every_type_is_passed_on(engine: AsyncEngine, endpoint: Endpoint, type_: str) -> None:
    """Also the one about an endpoint that was disabled, which is told to the others."""
    assert type_ in Webhooks.wanted
    await Webhooks(WebhookDeliveries(engine)).handle(an_event(type_))
    assert len((await WebhookDeliveries(engine).list(DeliveryFilter(endpoint.id))).data) == 1


@pytest.mark.parametrize("id_", ["x", "chk_1:2", "chk_1\r\nx-header: 1:2", "chk_ä:1", "a.b:1", ""])
async def test_an_id_that_is_none_of_ours_is_poison(engine: AsyncEngine, endpoint: Endpoint, id_: str) -> None:
    """It would be a header, and part of what is signed: who can write to the broker must not choose it."""
    with pytest.raises(PoisonError):
        await Webhooks(WebhookDeliveries(engine)).handle(an_event(id=id_))


async def test_a_rebuild_sends_nothing_twice(engine: AsyncEngine, endpoint: Endpoint) -> None:
    """What was planned stays planned when all is told again; an endpoint made since hears nothing of it."""
    event, webhooks = an_event(), Webhooks(WebhookDeliveries(engine))
    await webhooks.handle(event)
    newer = await Endpoints(engine).create("https://shop.example/2", ["*"], "key_x")
    await webhooks.forget(datetime(2020, 1, 1, tzinfo=UTC))
    await webhooks.handle(event)
    deliveries = WebhookDeliveries(engine)
    assert len((await deliveries.list(DeliveryFilter(endpoint.id))).data) == 1
    assert (await deliveries.list(DeliveryFilter(newer.id))).data == ()


async def test_it_is_built_from_the_environment(
    engine: AsyncEngine, endpoint: Endpoint, fresh_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its process builds it."""
    monkeypatch.setenv("DATABASE_URL", fresh_database_url)
    async with builder("webhooks")() as subscriber:
        assert subscriber.name == "webhooks"
        await subscriber.handle(an_event())
    assert len((await WebhookDeliveries(engine).list(DeliveryFilter(endpoint.id))).data) == 1
