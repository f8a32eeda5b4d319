"""A stock on a real Postgres, and a subscriber on a real API."""

from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from events.subscribers.orders.subscriber import Orders
from events.subscribers.shop_api import ShopApi
from ledger.engine import create_engine
from ledger.stock import Stock
from tests.api.conftest import Api, bearer, serving


@pytest.fixture(scope="session")
async def stock_engine(database_url: str) -> AsyncIterator[AsyncEngine]:
    """Connections as the product has them."""
    engine = create_engine(database_url)
    yield engine
    await engine.dispose()


@pytest.fixture
def stock(stock_engine: AsyncEngine) -> Stock:
    """The stock as one process has it."""
    return Stock(stock_engine)


@pytest.fixture
async def other_stock(database_url: str) -> AsyncIterator[Stock]:
    """The same stock as another process has it."""
    engine = create_engine(database_url)
    yield Stock(engine)
    await engine.dispose()


@pytest.fixture(scope="session")
async def running(database_url: str) -> AsyncIterator[Api]:
    """One API for this folder."""
    async with serving(database_url) as api:
        yield api


@pytest.fixture
def said() -> list[str]:
    """The words that the subscriber said to the API, in order."""
    return []


@pytest.fixture
async def orders(running: Api, stock: Stock, said: list[str]) -> AsyncIterator[Orders]:
    """The subscriber, with a key that may read and write."""
    running.sagas.reset()

    async def listen(request: httpx.Request) -> None:
        if request.method == "POST":
            said.append(request.url.path.rpartition("/")[2])

    headers, hooks = bearer(running.secret), {"request": [listen]}
    async with httpx.AsyncClient(base_url=running.url, headers=headers, timeout=30, event_hooks=hooks) as client:
        yield Orders(stock, ShopApi(client))
