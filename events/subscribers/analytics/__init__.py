"""Adds up what each day came to: by gateway, currency and outcome."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import DatabaseSettings
from events.subscribers.analytics.subscriber import DailyTotals
from events.subscribers.contract import Subscriber
from ledger.analytics import Analytics
from ledger.engine import create_engine

_CONNECTIONS = 2


@asynccontextmanager
async def build() -> AsyncIterator[Subscriber]:
    """The subscriber with its tables, by the settings of this process. Raises SettingsError."""
    engine = create_engine(DatabaseSettings.read().database_url, pool_size=_CONNECTIONS)
    try:
        yield DailyTotals(Analytics(engine))
    finally:
        await engine.dispose()
