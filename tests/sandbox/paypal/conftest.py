"""A shop with a token on the shared sandbox, and on one of the test's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from tests.sandbox.paypal.support import Shop
from tests.sandbox.support import Receiver, Sandbox


@asynccontextmanager
async def opened(sandbox: Sandbox, checkout: str) -> AsyncIterator[Shop]:
    """A shop on any sandbox."""
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/paypal", timeout=5) as client:
        shop = Shop(sandbox, client, checkout)
        await shop.log_in()
        yield shop


@pytest.fixture
async def shop(sandbox: Sandbox, checkout: str) -> AsyncIterator[Shop]:
    """A shop on the shared sandbox; faults that a test sets end with it."""
    async with opened(sandbox, checkout) as found:
        yield found
        await found.client.delete(f"{sandbox.url}/sandbox/faults")


@pytest.fixture
async def own(fresh: Sandbox, checkout: str) -> AsyncIterator[Shop]:
    """A shop on a sandbox whose clock the test may move."""
    async with opened(fresh, checkout) as found:
        yield found


@pytest.fixture
async def webhook(shop: Shop, receiver: Receiver) -> AsyncIterator[str]:
    """The receiver registered for every event; the webhook's id."""
    body = {"url": f"{receiver.url}/hook", "event_types": [{"name": "*"}]}
    answer = await shop.client.post("/v1/notifications/webhooks", json=body)
    assert answer.status_code == 201, answer.text
    yield answer.json()["id"]
    assert (await shop.client.delete(f"/v1/notifications/webhooks/{answer.json()['id']}")).status_code == 204
