"""Adyen as a whole: its options, its addresses, and what it does by itself."""

import argparse
import os

from starlette.routing import BaseRoute, Mount

from sandbox.adyen import disputes, holds, letters, outcomes, payments
from sandbox.adyen.api import DISPUTES_PREFIX, PREFIX, Api, DisputesApi
from sandbox.adyen.cards import CARDS
from sandbox.adyen.control import AdyenControl, endpoint
from sandbox.adyen.gateway import LINK, MODIFICATION, AdyenGateway, Origin
from sandbox.adyen.pages import Pages, latest
from sandbox.adyen.routes import OPERATIONS
from sandbox.adyen.shapes import answered
from sandbox.control.body import only
from sandbox.control.errors import AbsentError, ConflictError, ControlError
from sandbox.disputes import DISPUTE, Wanted
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
        several = frozenset(filter(None, given.adyen_several_captures.split(",")))
        self.gateway = AdyenGateway(tools, given.adyen_merchant_account, several)
        if given.adyen_webhook_url:
            configured = endpoint(_CONFIGURED_ENDPOINT, given.adyen_webhook_url)
            self.gateway.endpoints.configure(configured, given.adyen_hmac_key)

    @staticmethod
    def options(parser: argparse.ArgumentParser) -> None:
        """Whose account it is, and where its webhooks go."""
        env = os.environ
        account = env.get("SANDBOX_ADYEN_MERCHANT_ACCOUNT", "PaysagaECOM")
        parser.add_argument("--adyen-merchant-account", default=account)
        several = env.get("SANDBOX_ADYEN_SEVERAL_CAPTURES", "PaysagaSeveral")
        parser.add_argument("--adyen-several-captures", default=several)
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
        """The two APIs, the pages of links, and the Customer Area's control calls."""
        serving = (self.gateway, self._tools.hanging, self._tools.public_url)
        return [
            Mount(PREFIX, app=Api(*serving)),
            Mount(DISPUTES_PREFIX, app=DisputesApi(*serving)),
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
        """Settle or fail a modification, capture what Adyen was to capture, let a hold or a deadline pass."""
        if due.task == disputes.DEADLINE:
            return disputes.pass_deadline(self.gateway, self._dispute(due.object))
        if due.task == holds.LAPSE:
            return holds.lapse(self.gateway, self.gateway.payment(due.object))
        if due.task == payments.CAPTURE_BY_ITSELF:
            return payments.capture_by_itself(self.gateway, self.gateway.payment(due.object))
        modification = self.gateway.store.get(MODIFICATION, due.object)
        assert modification is not None, f"modification {due.object} is gone"
        move = outcomes.settle if due.task == outcomes.SETTLE else outcomes.fail
        return move(self.gateway, modification)

    def open_dispute(self, payment: str, wanted: Wanted) -> str:
        """A customer's bank asks, or takes the money back."""
        link = self.gateway.store.get(LINK, payment)
        if link is None or link["payment"] is None:
            raise ConflictError("payment", "has not been paid")
        return disputes.open_dispute(self.gateway, self.gateway.payment(link["payment"]), wanted)

    def decide_dispute(self, dispute: str, *, won: bool) -> None:
        """The bank decides."""
        disputes.decide(self.gateway, self._dispute(dispute), won=won)

    def escalate_dispute(self, dispute: str) -> None:
        """A chargeback follows an inquiry."""
        disputes.escalate(self.gateway, self._dispute(dispute))

    def _dispute(self, dispute: str) -> Json:
        found = self.gateway.store.get(DISPUTE, dispute)
        assert found is not None, f"dispute {dispute} is gone"
        return found

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
