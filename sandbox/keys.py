"""Idempotency keys: which are being worked on, and what was answered under those that are done."""

import hashlib
import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock

_SCHEMA = """
CREATE TABLE IF NOT EXISTS idempotency_keys (
    key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body BLOB NOT NULL, reference TEXT NOT NULL, expires REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer kept under a key; `reference` is what the gateway needs besides to repeat it."""

    endpoint: str
    fingerprint: str
    status: int
    body: bytes
    reference: str


def fingerprint(params: Any) -> str:
    """What two requests must share to be the same."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


class Keys:
    """The keys in use and the answers kept, for one gateway."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._connection.executescript(_SCHEMA)
        self._clock = clock
        self._working: set[str] = set()

    def recall(self, key: str) -> Stored | None:
        """The answer kept under a key, as long as it is kept."""
        row = self._connection.execute(
            "SELECT endpoint, fingerprint, status, body, reference FROM idempotency_keys"
            " WHERE key = ? AND expires >= ?",
            (key, self._clock.now()),
        ).fetchone()
        return None if row is None else Stored(**dict(row))

    def in_use(self, key: str) -> bool:
        """Whether a call with this key is being worked on."""
        return key in self._working

    def hold(self, key: str) -> None:
        """Mark a key as being worked on."""
        self._working.add(key)

    def let_go(self, key: str) -> None:
        """The work on a key is over."""
        self._working.discard(key)

    def keep(self, key: str, answer: Stored, lifetime: float) -> None:
        """Store the first answer under its key for so many seconds of virtual time."""
        self._connection.execute(
            "INSERT OR REPLACE INTO idempotency_keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                key,
                answer.endpoint,
                answer.fingerprint,
                answer.status,
                answer.body,
                answer.reference,
                self._clock.now() + lifetime,
            ),
        )

    def prune(self) -> None:
        """Forget keys that are past their life."""
        self._connection.execute("DELETE FROM idempotency_keys WHERE expires < ?", (self._clock.now(),))
