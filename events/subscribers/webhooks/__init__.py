"""Passes events on to the shop's own addresses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import DatabaseSettings
from events.subscribers.contract import Subscriber
from events.subscribers.webhooks.subscriber import Webhooks
from ledger.engine import create_engine
from ledger.webhook_deliveries import WebhookDeliveries

_CONNECTIONS = 2


@asynccontextmanager
async def build() -> AsyncIterator[Subscriber]:
    """The subscriber on its tables, by the settings of this process. Raises SettingsError."""
    engine = create_engine(DatabaseSettings.read().database_url, pool_size=_CONNECTIONS)
    try:
        yield Webhooks(WebhookDeliveries(engine))
    finally:
        await engine.dispose()
