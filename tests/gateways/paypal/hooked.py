"""An account whose webhooks are vouched for by the tests' own root."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from gateways.contract import WebhookEvent
from gateways.paypal.adapter import PayPalGateway
from tests.gateways.paypal.authority import BODY, NOW, chain, headers, root
from tests.gateways.paypal.conftest import NoEvidence, options_for
from tests.gateways.scripted import ScriptedServer, answer

FILE = "/v1/notifications/certs/CERT-360caa42-fca2a594-1d93a270"


class Receiver:
    """The adapter, and the server that hands out the signer's certificate."""

    def __init__(self, scripted: ScriptedServer) -> None:
        self.server = scripted
        self.server.tell(answer(200, chain().decode()))
        self.gateway = PayPalGateway(options_for(scripted.url, webhook_roots=root().pem), NoEvidence())
        self.url = scripted.url + FILE

    async def parse(
        self, body: bytes = BODY, given: Mapping[str, str] | None = None, now: object = None
    ) -> WebhookEvent:
        """The one event of a delivery, which is well signed unless headers are given."""
        signed = headers(body, self.url) if given is None else given
        (event,) = await self.gateway.parse_webhook(body, signed, NOW if now is None else now)  # type: ignore[arg-type]
        return event

    @contextmanager
    def nothing_fetched(self) -> Iterator[None]:
        """What happens within asks for no certificate."""
        before = len(self.server.requests)
        yield
        assert len(self.server.requests) == before
