"""A scripted Adyen, the notifications that were kept, and the adapter that reads both."""

from collections.abc import AsyncIterator

import pytest

from gateways.adyen.adapter import AdyenGateway
from gateways.adyen.options import AdyenOptions
from tests.gateways.adyen.examples import KeptBodies
from tests.gateways.adyen.notices import ACCOUNT, NEW
from tests.gateways.scripted import ScriptedServer, scripted_server

API_KEY = "AQETheKeyThatMustNotShow"


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    """A server that answers what a test tells it to."""
    async with scripted_server() as server:
        yield server


@pytest.fixture
def kept() -> KeptBodies:
    """The inbox, empty at first."""
    return KeptBodies()


@pytest.fixture
async def gateway(scripted: ScriptedServer, kept: KeptBodies) -> AsyncIterator[AdyenGateway]:
    """The adapter in front of the scripted server, with little patience."""
    options = AdyenOptions(API_KEY, ACCOUNT, (NEW,), f"{scripted.url}/v72", live=False, timeout_seconds=1.5)
    adapter = AdyenGateway(options, kept)
    yield adapter
    await adapter.close()
