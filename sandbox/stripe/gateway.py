"""The sandbox's Stripe as one thing: its objects, its books, its clock, its events."""

import json
from dataclasses import dataclass

from sandbox.books import Entry, Movement
from sandbox.gateway import Gateway as AnyGateway
from sandbox.store import Json
from sandbox.stripe import shapes
from sandbox.stripe.errors import missing
from sandbox.tools import Tools
from sandbox.webhooks.deliveries import Told

# An endpoint named at the start of the process keeps one id, so that its open deliveries follow it to a new port.
_CONFIGURED_ENDPOINT = "we_configured0at0start0000"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which request caused a change, if one did, and under which address the customer reaches this sandbox."""

    request_id: str | None = None
    idempotency_key: str | None = None
    base_url: str = ""


BY_ITSELF = Origin()


class Gateway(AnyGateway):
    """Everything a call may touch."""

    name = "stripe"
    payment_kind = "payment_intent"

    def __init__(self, tools: Tools, search_lag: float) -> None:
        super().__init__(tools)
        self.search_lag = search_lag

    def listen(self, url: str, secret: str, events: list[str]) -> None:
        """Have the endpoint that is named at the start of the process."""
        params = {"url": url, "enabled_events": events, "description": "configured at start"}
        endpoint = shapes.webhook_endpoint(params, self.clock.stamp(), _CONFIGURED_ENDPOINT)
        self.endpoints.configure(endpoint, secret)

    def save(self, body: Json, label: str | None = None) -> None:
        """Write one object of a payment."""
        self.store.put(body["object"], body, payment=_payment_of(body), created=self.clock.now(), label=label)

    def find(self, kind: str, object_id: str, param: str = "id") -> Json:
        """One object, or Stripe's refusal."""
        found = self.store.get(kind, object_id)
        if found is None:
            raise missing(kind, object_id, param)
        return found

    def metadata_of(self, payment: str | None) -> dict[str, str]:
        """A payment's metadata, empty for one that does not exist."""
        intent = None if payment is None else self.store.get("payment_intent", payment)
        metadata: dict[str, str] = {} if intent is None else intent["metadata"]
        return metadata

    def emit(self, kind: str, body: Json, origin: Origin, previous: Json | None = None) -> None:
        """Tell of a change: keep the event, and plan its deliveries."""
        listeners = len(self.endpoints.listening(kind))
        data = {"object": body} if previous is None else {"object": body, "previous_attributes": previous}
        request = {"id": origin.request_id, "idempotency_key": origin.idempotency_key}
        event = shapes.event(kind, data, self.clock.stamp(), request, listeners)
        self.tell(Told(event["id"], kind, _payment_of(body)), json.dumps(event))

    def book(
        self,
        movement: Movement,
        intent: Json,
        charge: str,
        amount: int,
        origin: Origin,
        refund: str | None = None,
        dispute: str | None = None,
    ) -> None:
        """Write a movement of money into the books."""
        entry = Entry(
            gateway=self.name,
            operation=movement,
            payment=intent["id"],
            movement_id=charge,
            refund=refund,
            amount=amount,
            currency=intent["currency"],
            checkout_id=intent["metadata"].get("checkout_id"),
            idempotency_key=origin.idempotency_key,
            at=self.clock.stamp(),
            dispute=dispute,
        )
        self.books.append(entry)


def _payment_of(body: Json) -> str | None:
    payment: str | None = body["id"] if body["object"] == "payment_intent" else body.get("payment_intent")
    return payment
