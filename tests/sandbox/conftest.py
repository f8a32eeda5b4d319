"""One sandbox process for most tests of this folder, and fresh ones for those that move its clock or restart it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import stripe

from tests.sandbox.support import Receiver, Sandbox

CreateIntent = Callable[..., Awaitable[stripe.PaymentIntent]]


@pytest.fixture(scope="session", autouse=True)
def _no_telemetry() -> None:
    """Keep the SDK from writing a file in the user's home."""
    stripe.enable_telemetry = False


@pytest.fixture(scope="session")
async def sandbox(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Sandbox]:
    """The shared sandbox."""
    running = await Sandbox(tmp_path_factory.mktemp("sandbox")).start()
    yield running
    await running.stop()


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Sandbox]:
    """A sandbox of the test's own."""
    running = await Sandbox(tmp_path).start()
    yield running
    await running.stop()


@pytest.fixture(scope="session")
async def sdk(sandbox: Sandbox) -> stripe.StripeClient:
    """The official SDK on the shared sandbox."""
    return sandbox.sdk()


@pytest.fixture
async def browser(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A plain client on the shared sandbox; faults that a test sets end with it."""
    async with sandbox.browser() as client:
        yield client
        await client.delete("/sandbox/faults")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A webhook receiver that nobody knows yet."""
    listening = await Receiver().start()
    yield listening
    listening.stop()


@pytest.fixture
async def secret(sdk: stripe.StripeClient, receiver: Receiver) -> AsyncIterator[str]:
    """The receiver registered at the shared sandbox for every event; its signing secret."""
    params: Any = {"url": f"{receiver.url}/hook", "enabled_events": ["*"]}
    endpoint = await sdk.v1.webhook_endpoints.create_async(params)
    assert endpoint.secret is not None
    yield endpoint.secret
    await sdk.v1.webhook_endpoints.delete_async(endpoint.id)


@pytest.fixture
def checkout() -> str:
    """A checkout id that no other test uses."""
    return f"chk_{uuid4().hex[:12]}"


@pytest.fixture
def create(sdk: stripe.StripeClient, checkout: str) -> CreateIntent:
    """Open a payment of 42 dollars for this test's checkout; any parameter may be changed."""

    async def _create(**changed: Any) -> stripe.PaymentIntent:
        params: Any = {"amount": 4200, "currency": "usd", "metadata": {"checkout_id": checkout}, **changed}
        return await sdk.v1.payment_intents.create_async(params)

    return _create
