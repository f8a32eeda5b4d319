"""A shop and an endpoint of its own for every test."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.sandbox.adyen.support import Hook, Shop
from tests.sandbox.support import Receiver, Sandbox


@pytest.fixture
async def shop(sandbox: Sandbox, browser: httpx.AsyncClient) -> AsyncIterator[Shop]:
    """A shop with a checkout that no other test uses."""
    one = Shop.at(sandbox, browser)
    yield one
    await one.api.aclose()


@pytest.fixture
async def hook(browser: httpx.AsyncClient, receiver: Receiver) -> AsyncIterator[Hook]:
    """A further endpoint at the shared sandbox."""
    answer = await browser.post("/sandbox/adyen/endpoints", json={"url": f"{receiver.url}/hook"})
    assert answer.status_code == 201, answer.text
    added = answer.json()
    yield Hook(receiver, added["id"], added["hmac_key"])
    await browser.delete(f"/sandbox/adyen/endpoints/{added['id']}")
