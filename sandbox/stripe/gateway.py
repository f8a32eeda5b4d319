"""The sandbox's Stripe as one thing: its objects, its books, its clock, its events."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.books import Books, Entry, Movement
from sandbox.clock import Clock
from sandbox.faults import WEBHOOK, Faults
from sandbox.stripe import shapes
from sandbox.stripe.deliveries import Deliveries
from sandbox.stripe.endpoints import Endpoints
from sandbox.stripe.errors import missing
from sandbox.stripe.keys import Keys
from sandbox.stripe.shapes import Json
from sandbox.stripe.store import Store

NAME = "stripe"


@dataclass(frozen=True, slots=True)
class Origin:
    """Which request caused a change, if one did, and under which address the customer reaches this sandbox."""

    request_id: str | None = None
    idempotency_key: str | None = None
    base_url: str = ""


BY_ITSELF = Origin()


class Gateway:
    """Everything a call may touch."""

    def __init__(self, data: Path, clock: Clock, books: Books, faults: Faults) -> None:
        self.clock = clock
        self.books = books
        self.faults = faults
        self.store = Store(data / "stripe.sqlite")
        self.keys = Keys(self.store, clock)
        self.endpoints = Endpoints(self.store, clock)
        self.deliveries = Deliveries(self.store, clock)
        self.search_lag = 0.0

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Objects, books and deliveries of one call appear together or not at all.

        The books are a file of their own, so the two commits follow each other without anything in between.
        """
        self.store.connection.execute("BEGIN")
        self.books.begin()
        try:
            yield
        except BaseException:
            self.books.rollback()
            self.store.connection.execute("ROLLBACK")
            self.deliveries.drop()
            raise
        self.books.commit()
        self.store.connection.execute("COMMIT")
        self.deliveries.flush()

    def save(self, body: Json, label: str | None = None) -> None:
        """Write one object of a payment."""
        payment = body["id"] if body["object"] == "payment_intent" else body.get("payment_intent")
        self.store.put(body, payment=payment, created=self.clock.now(), label=label)

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
        payment = body["id"] if body["object"] == "payment_intent" else body.get("payment_intent")
        endpoints = self.endpoints.listening(kind)
        data = {"object": body} if previous is None else {"object": body, "previous_attributes": previous}
        request = {"id": origin.request_id, "idempotency_key": origin.idempotency_key}
        event = shapes.event(kind, data, self.clock.stamp(), request, len(endpoints))
        self.store.put_text(event["id"], "event", json.dumps(event), payment, self.clock.now(), kind)
        self.plan(event, payment, endpoints)

    def plan(self, event: Json, payment: str | None, endpoints: list[str]) -> None:
        """Plan the deliveries of an event, asking the faults once for all endpoints."""
        fault = None
        if endpoints and self.faults.watching(WEBHOOK):
            fault = self.faults.strike(WEBHOOK, self.metadata_of(payment), event["type"])
        for endpoint in endpoints:
            self.deliveries.plan(event, payment, endpoint, fault)

    def book(
        self, movement: Movement, intent: Json, charge: str, amount: int, origin: Origin, refund: str | None = None
    ) -> None:
        """Write a movement of money into the books."""
        entry = Entry(
            gateway=NAME,
            operation=movement,
            payment_intent=intent["id"],
            charge=charge,
            refund=refund,
            amount=amount,
            currency=intent["currency"],
            checkout_id=intent["metadata"].get("checkout_id"),
            idempotency_key=origin.idempotency_key,
            at=self.clock.stamp(),
        )
        self.books.append(entry)

    def close(self) -> None:
        """Close the file."""
        self.store.connection.close()
