"""Stripe as a whole: its options, its addresses, and what it does by itself."""

import argparse
import os

from starlette.routing import BaseRoute, Mount

from sandbox.control.body import only
from sandbox.control.errors import AbsentError, ConflictError, ControlError
from sandbox.disputes import DISPUTE, Wanted
from sandbox.ids import random_text
from sandbox.part import Part
from sandbox.store import Due, Json
from sandbox.stripe import chargebacks, disputes, payments, refunds, signature
from sandbox.stripe.api import Api
from sandbox.stripe.cards import METHODS
from sandbox.stripe.control import StripeControl
from sandbox.stripe.gateway import BY_ITSELF, Gateway, Origin
from sandbox.stripe.pages import Pages, latest
from sandbox.stripe.routes import OPERATIONS
from sandbox.tools import Tools
from sandbox.webhooks.deliveries import Letter, Variant


class Stripe(Part):
    """The sandbox's Stripe."""

    operations = OPERATIONS
    settleable = (refunds.SETTLE_REFUND, refunds.FAIL_REFUND, payments.SETTLE_PAYMENT, *disputes.DECISIONS)
    gateway: Gateway

    def __init__(self, tools: Tools, given: argparse.Namespace) -> None:
        self._tools = tools
        self.gateway = Gateway(tools, given.stripe_search_lag)
        if given.stripe_webhook_url:
            events = [name.strip() for name in given.stripe_webhook_events.split(",") if name.strip()]
            self.gateway.listen(given.stripe_webhook_url, given.stripe_webhook_secret, events or ["*"])

    @staticmethod
    def options(parser: argparse.ArgumentParser) -> None:
        """Where its webhooks go, and how slow its search is."""
        env = os.environ
        parser.add_argument("--stripe-webhook-url", default=env.get("SANDBOX_STRIPE_WEBHOOK_URL"))
        parser.add_argument("--stripe-webhook-secret", default=env.get("SANDBOX_STRIPE_WEBHOOK_SECRET"))
        parser.add_argument("--stripe-webhook-events", default=env.get("SANDBOX_STRIPE_WEBHOOK_EVENTS", "*"))
        parser.add_argument("--stripe-search-lag", type=float, default=float(env.get("SANDBOX_STRIPE_SEARCH_LAG", "0")))

    @staticmethod
    def problem(given: argparse.Namespace) -> str | None:
        """An endpoint nobody could verify would be a trap."""
        if given.stripe_webhook_url and not given.stripe_webhook_secret:
            return "a webhook URL needs a secret: set SANDBOX_STRIPE_WEBHOOK_SECRET"
        return None

    def routes(self) -> list[BaseRoute]:
        """The API at Stripe's own path, the pages beside it."""
        return [
            Mount("/v1", app=Api(self.gateway, self._tools.hanging, self._tools.public_url)),
            *Pages(self.gateway, self._tools.public_url).routes(),
            *StripeControl(self.gateway).routes(),
        ]

    def latest(self) -> list[tuple[str, ...]]:
        """The newest payments."""
        return latest(self.gateway)

    def letter(self, endpoint: str, variant: Variant, events: list[bytes]) -> Letter:
        """One event, signed with the endpoint's secrets."""
        return signature.letter(events[0], self.gateway.endpoints.secrets(endpoint), variant)

    def carry_out(self, due: Due) -> bool:
        """Move a refund or a dispute, settle a bank debit, or let a hold lapse."""
        if due.task in disputes.TASKS:
            return disputes.carry_out(self.gateway, due)
        if due.task in (refunds.SETTLE_REFUND, refunds.FAIL_REFUND):
            return self._move_refund(due)
        intent = self.gateway.find("payment_intent", due.object)
        if due.task == payments.LAPSE and intent["status"] == "requires_capture":
            payments.lapse(self.gateway, intent, BY_ITSELF)
            return True
        if due.task == payments.SETTLE_PAYMENT and intent["status"] == "processing":
            payments.settle(self.gateway, intent, BY_ITSELF)
            return True
        return False

    def _move_refund(self, due: Due) -> bool:
        refund = self.gateway.find("refund", due.object)
        if due.task == refunds.SETTLE_REFUND and refund["status"] == "pending":
            refunds.settle(self.gateway, refund, BY_ITSELF)
            return True
        if due.task == refunds.FAIL_REFUND and refund["status"] == "succeeded":
            refunds.fail(self.gateway, refund, BY_ITSELF)
            return True
        return False

    def pay_late(self, payment: str, body: Json) -> Json:
        """Let money arrive for a payment that was canceled."""
        only(body, "payment_method")
        method_id = body.get("payment_method", "pm_card_visa")
        method = METHODS.get(method_id) if isinstance(method_id, str) else None
        if method is None or method.decline is not None or method.authentication or method.bank:
            raise ControlError("payment_method", "must be a test card that succeeds at once")
        intent = self.gateway.store.get("payment_intent", payment)
        if intent is None:
            raise AbsentError("payment")
        if intent["status"] != "canceled":
            raise ConflictError("payment", f"has status {intent['status']}, not canceled")
        with self.gateway.transaction():
            payments.pay_late(self.gateway, intent, method_id, Origin(f"req_{random_text(14)}", None))
        return intent

    def open_dispute(self, payment: str, wanted: Wanted) -> str:
        """Dispute what was taken, all that can be disputed unless an amount is given."""
        intent = self.gateway.find("payment_intent", payment)
        if not intent["amount_received"]:
            raise ConflictError("payment", f"has status {intent['status']}, so nothing was taken")
        charge = self.gateway.find("charge", intent["latest_charge"])
        if charge["payment_method_details"]["type"] != "card":
            raise ConflictError("payment", "was not paid by card")
        most = chargebacks.disputable(self.gateway, charge)
        if most == 0:
            raise ConflictError("payment", "is refunded or disputed as a whole")
        amount = wanted.amount or most
        if amount > most:
            raise ControlError("amount", f"is more than {most}, which is what can be disputed")
        inquiry = wanted.kind == "inquiry"
        reason = "general" if inquiry else "fraudulent"
        opening = chargebacks.Opening(amount, reason, inquiry, wanted.days or chargebacks.DAYS_TO_RESPOND)
        dispute: str = chargebacks.open_on(self.gateway, intent, charge, opening, BY_ITSELF)["id"]
        return dispute

    def decide_dispute(self, dispute: str, *, won: bool) -> None:
        """Let the bank decide."""
        found = self.gateway.find(DISPUTE, dispute)
        if found["status"] not in disputes.OPEN:
            raise ConflictError("dispute", f"has status {found['status']}, so it is over")
        disputes.decide(self.gateway, found, BY_ITSELF, won=won)

    def escalate_dispute(self, dispute: str) -> None:
        """Let the bank make a chargeback of its inquiry."""
        found = self.gateway.find(DISPUTE, dispute)
        if found["status"] not in chargebacks.INQUIRIES:
            raise ConflictError("dispute", f"has status {found['status']}, so it is no inquiry")
        disputes.escalate(self.gateway, found, BY_ITSELF)
