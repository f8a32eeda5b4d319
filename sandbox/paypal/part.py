"""PayPal as a whole: its options, its addresses, and what it does by itself."""

import argparse
import os

from starlette.routing import BaseRoute, Mount

from sandbox.control.errors import ConflictError
from sandbox.disputes import DISPUTE, Wanted
from sandbox.part import Part
from sandbox.paypal import disputes, hooks, movements, orders, signature
from sandbox.paypal.api import Api
from sandbox.paypal.certificates import Certificates
from sandbox.paypal.control import PayPalControl
from sandbox.paypal.gateway import AUTHORIZATION, CAPTURE, ORDER, REFUND, Gateway, Origin
from sandbox.paypal.pages import Pages, latest
from sandbox.paypal.routes import OPERATIONS
from sandbox.store import Due, Json
from sandbox.tools import Tools
from sandbox.webhooks.deliveries import Letter, Variant

_MERCHANT = "SANDBXMERCHNT"
_WEBHOOK = "5AND80XWEBH00K1D0"


class PayPal(Part):
    """The sandbox's PayPal."""

    operations = OPERATIONS
    settleable = (movements.SETTLE_CAPTURE, movements.SETTLE_REFUND, movements.FAIL_REFUND)
    gateway: Gateway

    def __init__(self, tools: Tools, given: argparse.Namespace) -> None:
        self._tools = tools
        self._api_url = given.paypal_api_url.rstrip("/") if given.paypal_api_url else None
        self._certificates = Certificates(tools.data)
        self.gateway = Gateway(tools, given.paypal_merchant_id)
        if given.paypal_webhook_url:
            events = [name.strip() for name in given.paypal_webhook_events.split(",") if name.strip()]
            endpoint = hooks.record(given.paypal_webhook_id, given.paypal_webhook_url, events or ["*"])
            self.gateway.endpoints.configure(endpoint)

    @staticmethod
    def options(parser: argparse.ArgumentParser) -> None:
        """Where its webhooks go, under which id, and whose account it is."""
        env = os.environ
        parser.add_argument("--paypal-webhook-url", default=env.get("SANDBOX_PAYPAL_WEBHOOK_URL"))
        parser.add_argument("--paypal-webhook-id", default=env.get("SANDBOX_PAYPAL_WEBHOOK_ID", _WEBHOOK))
        parser.add_argument("--paypal-webhook-events", default=env.get("SANDBOX_PAYPAL_WEBHOOK_EVENTS", "*"))
        parser.add_argument("--paypal-merchant-id", default=env.get("SANDBOX_PAYPAL_MERCHANT_ID", _MERCHANT))
        parser.add_argument("--paypal-api-url", default=env.get("SANDBOX_PAYPAL_API_URL"))

    def routes(self) -> list[BaseRoute]:
        """The pages and the certificates need no token, so they come before the API that asks for one."""
        return [
            *Pages(self.gateway).routes(),
            *PayPalControl(self.gateway, self._certificates).routes(),
            Mount("/paypal", app=Api(self.gateway, self._tools.hanging, self._tools.public_url)),
        ]

    def latest(self) -> list[tuple[str, ...]]:
        """The newest orders."""
        return latest(self.gateway)

    def announced(self) -> dict[str, str]:
        """Where the root certificate lies that webhooks are checked against."""
        return {"paypal_ca": str(self._certificates.root.resolve())}

    def letter(self, endpoint: str, variant: Variant, events: list[bytes]) -> Letter:
        """One event, signed with the certificate."""
        return signature.letter(events[0], endpoint, self._certificates, self._api_url, variant)

    def carry_out(self, due: Due) -> bool:
        """Let an order, a hold or the time for an answer lapse, settle a capture, or move a refund."""
        match due.task:
            case orders.LAPSE_ORDER:
                order = self.gateway.store.get(ORDER, due.object)
                return order is not None and orders.lapse(self.gateway, order)
            case movements.LAPSE_HOLD:
                return self._lapse_hold(due.object)
            case movements.SETTLE_CAPTURE:
                return self._settle_capture(due.object)
            case disputes.LAPSE_DISPUTE:
                record = self.gateway.store.get(DISPUTE, due.object)
                return record is not None and disputes.lapse(self.gateway, record)
            case _:
                return self._move_refund(due)

    def _lapse_hold(self, authorization: str) -> bool:
        hold = self.gateway.find(AUTHORIZATION, authorization)
        if hold["status"] not in ("CREATED", "PARTIALLY_CAPTURED") or hold["successor"] is not None:
            return False
        movements.release(self.gateway, self.gateway.find(ORDER, hold["order"]), hold, Origin())
        return True

    def _settle_capture(self, capture: str) -> bool:
        taken = self.gateway.find(CAPTURE, capture)
        if taken["status"] != "PENDING":
            return False
        movements.settle(self.gateway, self.gateway.find(ORDER, taken["order"]), taken)
        return True

    def _move_refund(self, due: Due) -> bool:
        returned = self.gateway.find(REFUND, due.object)
        if returned["status"] != "PENDING":
            return False
        move = movements.arrive if due.task == movements.SETTLE_REFUND else movements.bounce
        move(self.gateway, self.gateway.find(ORDER, returned["order"]), returned)
        return True

    def open_dispute(self, payment: str, wanted: Wanted) -> str:
        """Dispute the newest capture of an order."""
        return str(disputes.open_dispute(self.gateway, self.gateway.find(ORDER, payment), wanted)["id"])

    def decide_dispute(self, dispute: str, *, won: bool) -> None:
        """Decide an open dispute."""
        disputes.decide(self.gateway, self.gateway.find(DISPUTE, dispute), won=won)

    def escalate_dispute(self, dispute: str) -> None:
        """Make a claim of an inquiry."""
        disputes.escalate(self.gateway, self.gateway.find(DISPUTE, dispute))

    def pay_late(self, payment: str, body: Json) -> Json:
        """PayPal takes money only when the shop asks for it, so none arrives by itself."""
        raise ConflictError("payment", "is PayPal's: money moves there only when the shop captures")
