"""Adyen as a whole: its options, its addresses, and what it does by itself."""

import argparse
import os

from starlette.routing import BaseRoute, Mount

from sandbox.adyen import holds, letters, outcomes, payments
from sandbox.adyen.api import PREFIX, Api
from sandbox.adyen.cards import CARDS
from sandbox.adyen.control import AdyenControl, endpoint
from sandbox.adyen.gateway import MODIFICATION, AdyenGateway, Origin
from sandbox.adyen.pages import Pages, latest
from sandbox.adyen.routes import OPERATIONS
from sandbox.adyen.shapes import answered
from sandbox.control.body import only
from sandbox.control.errors import AbsentError, ConflictError, ControlError
from sandbox.part import Part
from sandbox.store import Due, Json
from sandbox.tools import Tools
from sandbox.webhooks.deliveries import Letter, Variant

# The endpoint named at the start of the process keeps one id, so that its open deliveries follow it to a new port.
_CONFIGURED_ENDPOINT = "WBHKconfigured0at0start"


class Adyen(Part):
    """The sandbox's Adyen."""

    operations = OPERATIONS
    settleable = (outcomes.SETTLE, outcomes.FAIL)
    lying_events = True
    gateway: AdyenGateway

    def __init__(self, tools: Tools, given: argparse.Namespace) -> None:
        self._tools = tools
        self.gateway = AdyenGateway(tools, given.adyen_merchant_account)
        if given.adyen_webhook_url:
            configured = endpoint(_CONFIGURED_ENDPOINT, given.adyen_webhook_url)
            self.gateway.endpoints.configure(configured, given.adyen_hmac_key)

    @staticmethod
    def options(parser: argparse.ArgumentParser) -> None:
        """Whose account it is, and where its webhooks go."""
        env = os.environ
        account = env.get("SANDBOX_ADYEN_MERCHANT_ACCOUNT", "PaysagaECOM")
        parser.add_argument("--adyen-merchant-account", default=account)
        parser.add_argument("--adyen-webhook-url", default=env.get("SANDBOX_ADYEN_WEBHOOK_URL"))
        parser.add_argument("--adyen-hmac-key", default=env.get("SANDBOX_ADYEN_HMAC_KEY"))

    @staticmethod
    def problem(given: argparse.Namespace) -> str | None:
        """A key that is missing or not hexadecimal could sign nothing."""
        if not given.adyen_webhook_url:
            return None
        if not given.adyen_hmac_key:
            return "an Adyen webhook URL needs a key: set SANDBOX_ADYEN_HMAC_KEY"
        try:
            bytes.fromhex(given.adyen_hmac_key)
        except ValueError:
            return "SANDBOX_ADYEN_HMAC_KEY must be hexadecimal"
        return None

    def routes(self) -> list[BaseRoute]:
        """The API, the pages of links, and the Customer Area's control calls."""
        return [
            Mount(PREFIX, app=Api(self.gateway, self._tools.hanging, self._tools.public_url)),
            *Pages(self.gateway).routes(),
            *AdyenControl(self.gateway).routes(),
        ]

    def latest(self) -> list[tuple[str, ...]]:
        """The newest payment links."""
        return latest(self.gateway)

    def batch(self) -> int:
        """How many notifications one post carries."""
        return self.gateway.batch_size

    def letter(self, endpoint: str, variant: Variant, events: list[bytes]) -> Letter:
        """Notifications, each with the one signature it can carry: the old key's for as long as that lives."""
        return letters.letter(events, self.gateway.endpoints.secrets(endpoint)[-1], variant)

    def carry_out(self, due: Due) -> bool:
        """Settle or fail a modification, capture what Adyen was to capture, or let a hold lapse."""
        if due.task == holds.LAPSE:
            return holds.lapse(self.gateway, self.gateway.payment(due.object))
        if due.task == payments.CAPTURE_BY_ITSELF:
            return payments.capture_by_itself(self.gateway, self.gateway.payment(due.object))
        modification = self.gateway.store.get(MODIFICATION, due.object)
        assert modification is not None, f"modification {due.object} is gone"
        move = outcomes.settle if due.task == outcomes.SETTLE else outcomes.fail
        return move(self.gateway, modification)

    def pay_late(self, payment: str, body: Json) -> Json:
        """Let an approval arrive for a link that has expired while the customer was paying."""
        only(body, "card")
        name = body.get("card", "good")
        card = CARDS.get(name) if isinstance(name, str) else None
        if card is None or card.refused is not None or card.challenged:
            raise ControlError("card", "must be a test card that succeeds at once")
        link = self.gateway.link(payment)
        if link is None:
            raise AbsentError("payment")
        if link["status"] != "expired":
            raise ConflictError("payment", f"has status {link['status']}, not expired")
        with self.gateway.transaction():
            payments.pay(self.gateway, link, name, Origin())
        return answered(link)
