"""From the books to the shop's own server: relay, broker, two processes of the subscriber, a worker, and HTTP."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from standardwebhooks.webhooks import Webhook

from devstack.temporal import temporal_server
from domain.webhook import DeliveryState as D
from ledger.webhook_contract import DeliveryFilter, DeliveryRecord, Endpoint
from tests.events.servers import Server
from tests.events.subscribers.test_processes import Town
from tests.workflows.receiving import Sending, receiver, sending
from tests.workflows.support import eventually

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def sender(tmp_path: Path, fresh_database_url: str) -> AsyncIterator[Sending]:
    """A worker that sends, on a Temporal of the test's own."""
    async with temporal_server(tmp_path) as address, sending(fresh_database_url, address) as running:
        yield running


@pytest.fixture
async def town(tmp_path: Path, fresh_database_url: str, sender: Sending) -> AsyncIterator[Town]:
    """A broker, and the environment of relay and subscriber."""
    server = Server("nats", tmp_path)
    server.start()
    environment = dict(os.environ) | {"BROKER_URL": server.url, "DATABASE_URL": fresh_database_url}
    yield Town(server, sender.parts.engine, environment | {"PYTHONUNBUFFERED": "1"})
    server.kill()


async def test_every_event_of_a_sale_reaches_the_shop_once(town: Town, sender: Sending) -> None:
    """In whatever order they come, each is verified, once, and the numbers of each subject have no gap."""
    async with receiver() as there:
        endpoint = await sender.endpoint(there)
        async with (
            town.running("events.relay"),
            town.running("events.subscribers", "webhooks"),
            town.running("events.subscribers", "webhooks"),
        ):
            await town.sales(5)
            told = await events_told(town)
            assert len(told) >= 10
            await eventually(lambda: delivered(sender, endpoint), lambda found: len(found) == len(told), 60)
        events = [Webhook(endpoint.secrets[0].secret).verify(got.body, dict(got.headers)) for got in there.got]
    assert sorted(event["id"] for event in events) == sorted(told)
    numbers: dict[str, list[int]] = {}
    for event in events:
        numbers.setdefault(event["subject"], []).append(int(event["sequence"]))
    assert len(numbers) == 5
    assert all(sorted(found) == list(range(1, len(found) + 1)) for found in numbers.values())


async def events_told(town: Town) -> list[str]:
    """The ids of all events on the books."""
    async with town.engine.connect() as connection:
        return list(await connection.scalars(text("SELECT subject || ':' || sequence FROM outbox")))


async def delivered(sender: Sending, endpoint: Endpoint) -> tuple[DeliveryRecord, ...]:
    """What the endpoint has taken."""
    return (await sender.deliveries.list(DeliveryFilter(endpoint.id, D.DELIVERED, limit=200))).data
