"""What the routes about webhooks to shops work with, and what starts the deliveries that nobody started."""

from dataclasses import dataclass
from typing import Self

from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.client import Client

from api.webhook_runs import DeliveryStarter, WebhookRuns
from ledger.endpoints import Endpoints
from ledger.listener import Listener
from ledger.webhook_deliveries import CHANNEL, WebhookDeliveries


@dataclass(frozen=True)
class ShopWebhooks:
    """Endpoints, deliveries and their workflows. `development`: endpoints may be plain http, and on this machine."""

    endpoints: Endpoints
    deliveries: WebhookDeliveries
    runs: WebhookRuns
    development: bool = False

    @classmethod
    def on(cls, engine: AsyncEngine, client: Client, task_queue: str, development: bool) -> Self:
        """All of it on these connections."""
        return cls(Endpoints(engine), WebhookDeliveries(engine), WebhookRuns(client, task_queue), development)


def delivery_starter(engine: AsyncEngine, client: Client, task_queue: str) -> DeliveryStarter:
    """The loop on these connections, and the listener on one of its own."""
    return DeliveryStarter(WebhookDeliveries(engine), Listener(engine, CHANNEL), WebhookRuns(client, task_queue))
