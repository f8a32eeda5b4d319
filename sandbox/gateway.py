"""What every gateway has: a file of objects and keys, the shared books and clock, events on their way."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from sandbox.disputes import DISPUTE
from sandbox.faults import WEBHOOK
from sandbox.keys import Keys
from sandbox.store import Filter, Store
from sandbox.tools import Tools
from sandbox.webhooks.deliveries import Deliveries, Told
from sandbox.webhooks.endpoints import Endpoints

EVENT = "event"
EVENTS_KEPT_SECONDS = 30 * 86_400


class Gateway(ABC):
    """Everything a call may touch. `name` is the gateway's in the books, in faults and in the data folder."""

    name: ClassVar[str]
    payment_kind: ClassVar[str]
    """The kind of object whose id is `payment` in the books, in events and in deliveries."""
    keep_trying: ClassVar[float] = 3 * 86_400
    """For how many seconds of virtual time a webhook is tried again."""
    most_tries: ClassVar[int | None] = None
    """How often a webhook is tried in all, where the gateway counts."""

    def __init__(self, tools: Tools) -> None:
        self.clock = tools.clock
        self.books = tools.books
        self.faults = tools.faults
        self.store = Store(tools.data / f"{self.name}.sqlite")
        self.keys = Keys(self.store.connection, tools.clock)
        self.endpoints = Endpoints(self.store, tools.clock)
        self.deliveries = Deliveries(self.store.connection, tools.clock, self.keep_trying, self.most_tries)

    @abstractmethod
    def metadata_of(self, payment: str | None) -> dict[str, str]:
        """What a fault's `match` is compared with for a payment; empty for one that does not exist."""

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

    def tell(self, told: Told, text: str) -> None:
        """Keep an event, whose JSON is `text`, and plan its deliveries."""
        self.store.put_text(told.id, EVENT, text, told.payment, self.clock.now(), told.type)
        self.plan(told)

    def plan(self, told: Told) -> list[str]:
        """Plan the deliveries of an event, asking the faults once for all endpoints; returns who will hear."""
        endpoints = self.endpoints.listening(told.type)
        fault = None
        if endpoints and self.faults.watching(WEBHOOK, self.name):
            fault = self.faults.strike(WEBHOOK, self.name, self.metadata_of(told.payment), told.type)
        for endpoint in endpoints:
            self.deliveries.plan(told, endpoint, fault, self.collects_for)
        return endpoints

    @property
    def collects_for(self) -> float:
        """For how many seconds deliveries wait for others, where a gateway sends several at once."""
        return 0.0

    def knows(self, payment: str) -> bool:
        """Whether a payment is this gateway's."""
        row = self.store.row(payment)
        return row is not None and row["kind"] == self.payment_kind

    def knows_dispute(self, dispute: str) -> bool:
        """Whether a dispute is this gateway's."""
        row = self.store.row(dispute)
        return row is not None and row["kind"] == DISPUTE

    def last_event(self, payment: str) -> Told | None:
        """What was told last of a payment."""
        rows = self.store.newest(Filter(EVENT, payment=payment), 1)
        return Told(rows[0]["id"], rows[0]["label"], payment) if rows else None

    def forget(self) -> None:
        """Drop what is older than the gateway keeps it."""
        self.keys.prune()
        # A clock that jumps must not take away what is still on its way.
        self.store.prune(EVENT, self.clock.now() - EVENTS_KEPT_SECONDS, self.deliveries.waiting())

    def close(self) -> None:
        """Close the file."""
        self.store.connection.close()
