"""A shop's own server on this machine, and what sends events to it: real Temporal, Postgres and HTTP."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from temporalio.client import WorkflowHandle

import worker
from api.webhook_runs import WebhookRuns
from config.settings import WebhookSettings
from domain.webhook import DeliveryState, delivery_id_of, workflow_id_of
from events.contract import Event, event_id
from events.subscribers.webhooks.subscriber import Webhooks
from ledger.endpoints import Endpoints
from ledger.webhook_contract import AttemptRecord, DeliveryRecord, Endpoint
from ledger.webhook_deliveries import WebhookDeliveries
from tests.activities.receivers import Behaviour, Server, server
from tests.workflows.support import api_settings, eventually, parts_of

OK = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n"
BROKEN = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 4\r\n\r\nbusy"
GONE = b"HTTP/1.1 410 Gone\r\ncontent-length: 0\r\n\r\n"


@dataclass(frozen=True)
class Got:
    """One request as the receiver got it."""

    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """Answers as it is told, with each answer once and with the last one ever after."""

    seen: Server
    answers: list[bytes]

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.seen.port}/hook?shop=1"

    @property
    def got(self) -> list[Got]:
        """What it got, in order."""
        return [_parsed(request) for request in self.seen.requests]


def _parsed(request: bytes) -> Got:
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [line.partition(":") for line in head.decode("ascii").split("\r\n")[1:]]
    return Got({name.lower(): value.strip() for name, _, value in lines}, body)


@asynccontextmanager
async def receiver(*answers: bytes, behaviour: Behaviour | None = None) -> AsyncIterator[Receiver]:
    """A server that answers so, or behaves so."""
    script = list(answers or (OK,))

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(script.pop(0) if len(script) > 1 else script[0])
        await writer.drain()

    async with server(behaviour or answer) as seen:
        yield Receiver(seen, script)


@dataclass
class Sending:
    """What a test does as a shop and as whoever tells events."""

    parts: worker.Parts

    def __post_init__(self) -> None:
        self.endpoints = Endpoints(self.parts.engine)
        self.deliveries = WebhookDeliveries(self.parts.engine)
        self.runs = WebhookRuns(self.parts.client, self.parts.task_queue)

    async def endpoint(self, to: Receiver, *events: str) -> Endpoint:
        """The receiver's endpoint, which hears of these events or of all."""
        return await self.endpoints.create(to.url, events or ("*",), "key_x")

    async def tell(self, type_: str = "payment.succeeded", sequence: int = 1, subject: str = "") -> Event:
        """An event that the subscriber hears of."""
        subject = subject or f"chk_{secrets.token_hex(12)}"
        event = Event(event_id(subject, sequence + 1), type_, subject, sequence, datetime.now(UTC), {"note": "Grüße"})
        await Webhooks(self.deliveries).handle(event)
        return event

    async def record(self, endpoint: Endpoint, event: Event) -> DeliveryRecord:
        """The event's delivery as it stands."""
        found = await self.deliveries.get(endpoint.id, delivery_id_of(endpoint.id, event.id))
        assert found is not None
        return found

    async def until(self, endpoint: Endpoint, event: Event, *states: DeliveryState, tries: int = 1) -> DeliveryRecord:
        """The delivery once it is in one of the states after so many tries."""
        return await eventually(
            lambda: self.record(endpoint, event), lambda d: d.state in states and d.attempts >= tries, 30
        )

    async def tries(self, endpoint: Endpoint, event: Event) -> tuple[AttemptRecord, ...]:
        """Every try of the delivery."""
        return await self.deliveries.attempts(delivery_id_of(endpoint.id, event.id))

    def handle(self, endpoint: Endpoint, event: Event) -> WorkflowHandle[Any, Any]:
        """The delivery's workflow."""
        return self.parts.client.get_workflow_handle(workflow_id_of(delivery_id_of(endpoint.id, event.id)))


@asynccontextmanager
async def sending(database_url: str, temporal_address: str, **changed: Any) -> AsyncIterator[Sending]:
    """A worker without gateways, by the settings of development with these changed."""
    settings = api_settings(database_url, temporal_address, {})
    webhooks = {"webhooks_development": True, "webhooks_timeout_seconds": 1} | changed
    settings = replace(settings, webhooks=WebhookSettings(**webhooks))
    async with parts_of(settings) as parts, worker.running(parts):
        yield Sending(parts)
