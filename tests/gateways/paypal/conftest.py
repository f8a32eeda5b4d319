"""A scripted PayPal and the adapter that talks to it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime

import pytest

from domain.errors import GatewayUnreachableError
from gateways.paypal.adapter import PayPalGateway
from gateways.paypal.options import PayPalOptions
from tests.gateways.paypal.examples import TOKEN, refused
from tests.gateways.scripted import ScriptedServer, scripted_server

CLIENT = "TheClientId"
SECRET = "TheSecretThatMustNotShow"
WEBHOOK = "5AND80XWEBH00K1D0"


class NoEvidence:
    """An inbox that nothing has come to yet; tests put bodies into `bodies`."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    async def about(self, gateway: str, reference: str) -> Sequence[bytes]:
        """Whatever a test put here."""
        assert gateway == "paypal"
        return self.bodies

    async def between(self, gateway: str, since: datetime, until: datetime) -> Sequence[bytes]:
        """Never asked for: PayPal has a list of its own."""
        raise AssertionError("the adapter reads PayPal's own list")


def options_for(base: str, **changes: object) -> PayPalOptions:
    """The account at this address."""
    given = {"client_id": CLIENT, "client_secret": SECRET, "webhook_id": WEBHOOK, "timeout_seconds": 1.5, **changes}
    return PayPalOptions(api_base=base, **given)  # type: ignore[arg-type]


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedServer]:
    """A server that answers what a test tells it to."""
    async with scripted_server() as server:
        yield server


@pytest.fixture
def evidence() -> NoEvidence:
    """What the adapter is told that deliveries said."""
    return NoEvidence()


@pytest.fixture
async def cold(scripted: ScriptedServer, evidence: NoEvidence) -> AsyncIterator[PayPalGateway]:
    """The adapter in front of the scripted server, with little patience and no token yet."""
    adapter = PayPalGateway(options_for(scripted.url), evidence)
    yield adapter
    await adapter.close()


@pytest.fixture
async def gateway(cold: PayPalGateway, scripted: ScriptedServer) -> PayPalGateway:
    """The same with a token, so that a script holds the answers to the operation alone."""
    for _ in range(5):
        scripted.tell(TOKEN, refused(404, "INVALID_RESOURCE_ID"))
        # The first call of all reads the public roots, which a busy machine may not do within this patience.
        with suppress(GatewayUnreachableError):
            assert await cold.lookup("0NOSUCH0RDER") is None
            break
    return cold
