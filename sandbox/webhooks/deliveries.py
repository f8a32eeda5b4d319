"""Webhook deliveries: planned with the event, kept across restarts, retried until they are old."""

import asyncio
import heapq
import json
import sqlite3
from dataclasses import dataclass, field
from typing import Any, Literal

from sandbox.clock import Clock
from sandbox.faults import Fault

State = Literal["pending", "delivered", "lost", "refused", "given_up"]
Variant = Literal["normal", "duplicate", "forged", "amount_off_by_one", "other_currency", "livemode_true"]

_LIES: dict[str | None, Variant] = {
    "amount_off_by_one": "amount_off_by_one",
    "other_currency": "other_currency",
    "livemode_true": "livemode_true",
}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 4 * 3600.0
_HELD_AT_MOST = 5.0
_DEFAULT_DELAY = 5.0

_SCHEMA = """
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    event_type TEXT NOT NULL,
    endpoint TEXT NOT NULL,
    payment TEXT,
    variant TEXT NOT NULL,
    state TEXT NOT NULL,
    due REAL NOT NULL,
    held INTEGER NOT NULL,
    created REAL NOT NULL,
    attempts TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS deliveries_state ON deliveries (state);
CREATE INDEX IF NOT EXISTS deliveries_payment ON deliveries (payment);
"""


@dataclass(frozen=True, slots=True)
class Told:
    """An event: its id, its type, and the payment it is about."""

    id: str
    type: str
    payment: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """What is posted to an endpoint."""

    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Delivery:
    """One event on its way to one endpoint; all its times are virtual, so retries of days need no days."""

    id: int
    event: str
    event_type: str
    endpoint: str
    payment: str | None
    variant: Variant
    state: State
    due: float
    held: bool
    created: float
    attempts: list[dict[str, Any]] = field(default_factory=list)


class Deliveries:
    """The table of deliveries and the order in which they come due."""

    def __init__(
        self, connection: sqlite3.Connection, clock: Clock, keep_trying: float, most_tries: int | None = None
    ) -> None:
        self._connection = connection
        self._connection.executescript(_SCHEMA)
        self._clock = clock
        self._keep_trying = keep_trying
        self._most_tries = most_tries
        self._fresh: list[Delivery] = []
        self._pending: dict[int, Delivery] = {}
        self._heap: list[tuple[float, int]] = []
        self.wake = asyncio.Event()
        for row in self._connection.execute("SELECT * FROM deliveries WHERE state = 'pending'"):
            self._push(_delivery(row))

    def plan(self, told: Told, endpoint: str, fault: Fault | None, delay: float = 0.0) -> None:
        """Write down that an event goes to an endpoint after a delay, with what a fault makes of it."""
        kind = None if fault is None else fault.kind
        seconds = None if fault is None else fault.seconds
        later, held = delay, False
        if kind == "delay":
            later += seconds or _DEFAULT_DELAY
        elif kind == "reorder":
            later, held = delay + (seconds or _HELD_AT_MOST), True
        state: State = "lost" if kind == "lose" else "pending"
        self._insert(told, endpoint, _LIES.get(kind, "normal"), state, later, held)
        if kind == "duplicate":
            self._insert(told, endpoint, "duplicate", "pending", delay + (seconds or 0.0), held=False)
        elif kind == "forge":
            self._insert(told, endpoint, "forged", "pending", delay, held=False)

    def _insert(self, told: Told, endpoint: str, variant: Variant, state: State, delay: float, held: bool) -> None:
        created = self._clock.now()
        due = created + delay
        values = (told.id, told.type, endpoint, told.payment, variant, state, due, int(held), created, "[]")
        cursor = self._connection.execute(
            "INSERT INTO deliveries (event, event_type, endpoint, payment, variant, state, due, held, created,"
            " attempts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        if state == "pending":
            assert cursor.lastrowid is not None
            self._fresh.append(
                Delivery(
                    cursor.lastrowid, told.id, told.type, endpoint, told.payment, variant, state, due, held, created
                )
            )

    def flush(self) -> None:
        """The transaction is through: let the planned deliveries go."""
        for delivery in self._fresh:
            self._push(delivery)
        if self._fresh:
            self._fresh.clear()
            self.wake.set()

    def drop(self) -> None:
        """The transaction failed: nothing was planned."""
        self._fresh.clear()

    def _push(self, delivery: Delivery) -> None:
        self._pending[delivery.id] = delivery
        heapq.heappush(self._heap, (delivery.due, delivery.id))

    def waiting(self) -> set[str]:
        """The events that are still on their way to somebody."""
        rows = self._connection.execute("SELECT DISTINCT event FROM deliveries WHERE state = 'pending'")
        return {row["event"] for row in rows}

    def next_due(self) -> float | None:
        """Seconds until the next delivery, or None when none waits."""
        return None if not self._heap else max(0.0, self._heap[0][0] - self._clock.now())

    def pop(self, at_most: int = 1, within: float = 0.0) -> list[Delivery]:
        """Take what is due now and can go together: deliveries of one kind to one endpoint, in order.

        Once one is due, others that come due `within` so many seconds go along with it.
        """
        until = self._clock.now()
        taken: list[Delivery] = []
        others: list[tuple[float, int]] = []
        while self._heap and self._heap[0][0] <= until and len(taken) < at_most:
            due, number = heapq.heappop(self._heap)
            delivery = self._pending.get(number)
            # A released or postponed delivery leaves its old place in the heap behind.
            if delivery is None or delivery.due != due:
                continue
            if taken and not _together(delivery, taken[0]):
                others.append((due, number))
                continue
            del self._pending[number]
            if delivery.attempts and self._too_old(delivery):
                self.give_up(delivery, "the time for retries is over")
                continue
            if not taken:
                until += within
            taken.append(delivery)
        for place in others:
            heapq.heappush(self._heap, place)
        return taken

    def record(self, delivery: Delivery, status: int | None, error: str | None) -> None:
        """Note how an attempt went, and what follows from it."""
        attempt = {"at": round(self._clock.now(), 3), "status": status, "error": error}
        delivery.attempts.append(attempt)
        if status is not None and 200 <= status < 300:
            delivery.state = "delivered"
        elif delivery.variant == "forged":
            delivery.state = "refused"
        elif self._too_old(delivery) or len(delivery.attempts) == self._most_tries:
            delivery.state = "given_up"
        else:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(len(delivery.attempts) - 1, 20))
            delivery.due, delivery.held = self._clock.now() + pause, False
        self._save(delivery)
        if delivery.state == "pending":
            self._push(delivery)
            self.wake.set()
        elif delivery.state == "delivered":
            self._release(delivery)

    def _too_old(self, delivery: Delivery) -> bool:
        return self._clock.now() - delivery.created > self._keep_trying

    def give_up(self, delivery: Delivery, why: str) -> None:
        """Stop trying, because there is nobody to deliver to."""
        delivery.attempts.append({"at": round(self._clock.now(), 3), "status": None, "error": why})
        delivery.state = "given_up"
        self._save(delivery)

    def _release(self, delivered: Delivery) -> None:
        """A later event has arrived: the earlier one that was held back for it may follow."""
        for other in list(self._pending.values()):
            same = other.payment == delivered.payment and other.endpoint == delivered.endpoint
            if other.held and same and other.event != delivered.event and other.id < delivered.id:
                other.held, other.due = False, self._clock.now()
                self._save(other)
                self._push(other)
                self.wake.set()

    def _save(self, delivery: Delivery) -> None:
        self._connection.execute(
            "UPDATE deliveries SET state = ?, due = ?, held = ?, attempts = ? WHERE id = ?",
            (delivery.state, delivery.due, int(delivery.held), json.dumps(delivery.attempts), delivery.id),
        )

    def rows(self, payment: str | None) -> list[dict[str, Any]]:
        """Deliveries in the order they were planned, for a person or a test to look at."""
        if payment is None:
            found = self._connection.execute("SELECT * FROM deliveries ORDER BY id")
        else:
            found = self._connection.execute("SELECT * FROM deliveries WHERE payment = ? ORDER BY id", (payment,))
        return [{**dict(row), "held": bool(row["held"]), "attempts": json.loads(row["attempts"])} for row in found]


def _together(one: Delivery, first: Delivery) -> bool:
    """Whether a delivery may go along with another; one that is held back waits for its own time."""
    return not one.held and (one.endpoint, one.variant) == (first.endpoint, first.variant)


def _delivery(row: Any) -> Delivery:
    return Delivery(**{**dict(row), "held": bool(row["held"]), "attempts": json.loads(row["attempts"])})
