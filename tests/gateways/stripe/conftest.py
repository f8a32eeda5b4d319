"""A scripted Stripe and the adapter that talks to it."""

from collections.abc import AsyncIterator

import pytest

from gateways.stripe.adapter import StripeGateway
from gateways.stripe.options import StripeOptions
from tests.gateways.scripted import ScriptedServer, scripted_server

API_KEY = "sk_test_TheKeyThatMustNotShow"
WEBHOOK_SECRET = "whsec_TheSecretThatMustNotShow"


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    """A server that answers what a test tells it to."""
    async with scripted_server() as server:
        yield server


@pytest.fixture
async def gateway(scripted: ScriptedServer) -> AsyncIterator[StripeGateway]:
    """The adapter in front of the scripted server, with little patience."""
    options = StripeOptions(API_KEY, (WEBHOOK_SECRET,), scripted.url, live=False, timeout_seconds=1.5)
    adapter = StripeGateway(options)
    yield adapter
    await adapter.close()
