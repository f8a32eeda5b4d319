"""Takes the shop's orders: whether there is enough in stock decides whether the money is kept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from config.settings import DatabaseSettings, ShopApiSettings
from events.subscribers.contract import Subscriber
from events.subscribers.orders.subscriber import Orders
from events.subscribers.shop_api import connected
from ledger.engine import create_engine
from ledger.stock import Stock

_CONNECTIONS = 2


@asynccontextmanager
async def build() -> AsyncIterator[Subscriber]:
    """The subscriber with its stock and the API, by the settings of this process. Raises SettingsError."""
    database, api = DatabaseSettings.read(), ShopApiSettings.read()
    engine = create_engine(database.database_url, pool_size=_CONNECTIONS)
    try:
        async with connected(api) as shop:
            yield Orders(Stock(engine), shop)
    finally:
        await engine.dispose()
