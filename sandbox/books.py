"""The gateways' books: one row per movement of money, in a file of their own, never changed.

They are written where money moves and never read by the gateway's objects, so that they can prove the objects wrong.
"""

import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from sandbox.database import connect

Movement = Literal[
    "authorization",
    "charge",
    "capture",
    "capture_failure",
    "release",
    "refund",
    "refund_failure",
    "refund_cancellation",
    "dispute",
    "dispute_reversed",
]
"""`charge` takes money in one step, `capture` takes what was authorized, a failure gives back what looked done,
`dispute` takes money back for the customer and `dispute_reversed` returns that."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS books (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    gateway TEXT NOT NULL,
    operation TEXT NOT NULL,
    payment TEXT NOT NULL,
    movement_id TEXT NOT NULL,
    refund TEXT,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    checkout_id TEXT,
    idempotency_key TEXT,
    at INTEGER NOT NULL,
    dispute TEXT
);
CREATE INDEX IF NOT EXISTS books_payment ON books (payment);
CREATE INDEX IF NOT EXISTS books_checkout ON books (checkout_id);
CREATE TRIGGER IF NOT EXISTS books_refuse_update BEFORE UPDATE ON books
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
CREATE TRIGGER IF NOT EXISTS books_refuse_delete BEFORE DELETE ON books
BEGIN SELECT RAISE(ABORT, 'the books are append-only'); END;
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement, in minor units; `at` is virtual time.

    `payment` is the gateway's id of the whole payment (a PaymentIntent, an order, a payment link), `movement_id`
    the one of what was authorized or taken (a charge, an authorization or capture, a pspReference).
    """

    gateway: str
    operation: Movement
    payment: str
    movement_id: str
    refund: str | None
    amount: int
    currency: str
    checkout_id: str | None
    idempotency_key: str | None
    at: int
    dispute: str | None = None


class Books:
    """Append-only rows for all gateways."""

    def __init__(self, path: Path) -> None:
        self._connection = connect(path)
        self._bring_up_to_date()
        self._connection.executescript(_SCHEMA)

    def _bring_up_to_date(self) -> None:
        """Books written by earlier versions stay readable."""
        columns = {row["name"] for row in self._connection.execute("PRAGMA table_info(books)")}
        for old, new in (("payment_intent", "payment"), ("charge", "movement_id")):
            if old in columns:
                self._connection.execute(f"ALTER TABLE books RENAME COLUMN {old} TO {new}")
        if columns and "dispute" not in columns:
            self._connection.execute("ALTER TABLE books ADD COLUMN dispute TEXT")

    def begin(self) -> None:
        """Open a transaction, so that the rows of one request appear together or not at all."""
        self._connection.execute("BEGIN")

    def commit(self) -> None:
        """Make the rows written since `begin` final."""
        self._connection.execute("COMMIT")

    def rollback(self) -> None:
        """Drop the rows written since `begin`: the request failed before it was answered."""
        self._connection.execute("ROLLBACK")

    def append(self, entry: Entry) -> None:
        """Write one movement."""
        self._connection.execute(
            "INSERT INTO books (gateway, operation, payment, movement_id, refund, amount, currency, checkout_id,"
            " idempotency_key, at, dispute) VALUES (:gateway, :operation, :payment, :movement_id, :refund, :amount,"
            " :currency, :checkout_id, :idempotency_key, :at, :dispute)",
            asdict(entry),
        )

    def rows(
        self, gateway: str | None = None, payment: str | None = None, checkout_id: str | None = None
    ) -> list[dict[str, Any]]:
        """Every movement in the order it happened, narrowed by what is given."""
        found: list[sqlite3.Row] = self._connection.execute(
            "SELECT * FROM books WHERE (?1 IS NULL OR gateway = ?1) AND (?2 IS NULL OR payment = ?2)"
            " AND (?3 IS NULL OR checkout_id = ?3) ORDER BY sequence",
            (gateway, payment, checkout_id),
        ).fetchall()
        return [dict(row) for row in found]

    def balances(self, gateway: str) -> dict[str, int]:
        """What the merchant holds per currency: charged and captured, less what went back."""
        found = self._connection.execute(
            "SELECT currency, SUM(CASE WHEN operation IN ('charge', 'capture', 'refund_failure',"
            " 'refund_cancellation', 'dispute_reversed') THEN amount WHEN operation IN ('refund', 'capture_failure',"
            " 'dispute') THEN -amount ELSE 0 END) AS total"
            " FROM books WHERE gateway = ? GROUP BY currency ORDER BY currency",
            (gateway,),
        ).fetchall()
        return {row["currency"]: row["total"] for row in found}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()
