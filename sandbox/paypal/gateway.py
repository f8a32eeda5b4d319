"""The sandbox's PayPal as one thing: its records, its books, its clock, its events."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from sandbox.books import Entry, Movement
from sandbox.gateway import Gateway as AnyGateway
from sandbox.ids import CAPITALS_AND_DIGITS, random_text
from sandbox.paypal.errors import missing
from sandbox.paypal.tokens import Tokens
from sandbox.store import Json
from sandbox.tools import Tools
from sandbox.webhooks.deliveries import Told

ORDER, AUTHORIZATION, CAPTURE, REFUND = "order", "authorization", "capture", "refund"
GONE = "EXPIRED"
"""What an order is when it was neither captured nor authorized in time; PayPal no longer knows it then."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Which request caused a change: its PayPal-Request-Id, where it found the API, where a payer finds the pages."""

    request_id: str | None = None
    api_url: str = ""
    pages: str = ""


class Gateway(AnyGateway):
    """Everything a call may touch.

    What is stored are the sandbox's own records, in minor units; `shapes` makes PayPal's JSON of them. Every record of
    a payment has its order's id under `order`.
    """

    name = "paypal"
    payment_kind = ORDER
    most_tries = 25

    def __init__(self, tools: Tools, merchant_id: str) -> None:
        super().__init__(tools)
        self.tokens = Tokens(self.store.connection, tools.clock)
        self.merchant_id = merchant_id

    def now(self) -> str:
        """Virtual time as PayPal writes it."""
        return moment(self.clock.now())

    def save(self, kind: str, record: Json, label: str | None = None) -> None:
        """Write one record of a payment."""
        record["updated"] = self.now()
        payment = record["id"] if kind == ORDER else record["order"]
        self.store.put(kind, record, payment=payment, created=self.clock.now(), label=label)

    def find(self, kind: str, record_id: str) -> Json:
        """One record, or PayPal's refusal."""
        found = self.store.get(kind, record_id)
        if found is None or found["status"] == GONE:
            raise missing()
        return found

    def metadata_of(self, payment: str | None) -> dict[str, str]:
        """What the caller has named a payment."""
        order = None if payment is None else self.store.get(ORDER, payment)
        return {} if order is None else names_of(order["unit"])

    def emit(self, kind: str, event: Json, payment: str) -> None:
        """Tell of a change: keep the event, and plan its deliveries."""
        self.tell(Told(event["id"], kind, payment), json.dumps(event, separators=(",", ":")))

    def book(
        self,
        movement: Movement,
        order: Json,
        movement_id: str,
        amount: int,
        origin: Origin,
        refund: str | None = None,
        dispute: str | None = None,
    ) -> None:
        """Write a movement of money into the books."""
        entry = Entry(
            gateway=self.name,
            operation=movement,
            payment=order["id"],
            movement_id=movement_id,
            refund=refund,
            amount=amount,
            currency=order["currency"].lower(),
            checkout_id=order["unit"].get("custom_id"),
            idempotency_key=origin.request_id,
            at=self.clock.stamp(),
            dispute=dispute,
        )
        self.books.append(entry)

    def forget(self) -> None:
        """Drop what is older than PayPal keeps it."""
        super().forget()
        self.tokens.prune()


def new_id() -> str:
    """An id of an order, an authorization, a capture or a refund."""
    return random_text(17, CAPITALS_AND_DIGITS)


def moment(seconds: float) -> str:
    """A time as PayPal writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def names_of(unit: Json) -> dict[str, str]:
    """What a fault's `match` is compared with: the caller's own ids in a purchase unit."""
    found = {
        name: unit[name] for name in ("custom_id", "invoice_id", "reference_id") if isinstance(unit.get(name), str)
    }
    return {**found, "checkout_id": found["custom_id"]} if "custom_id" in found else found
