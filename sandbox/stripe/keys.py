"""Idempotency keys as Stripe's v1 API keeps them: the first answer, whatever it was, for 24 hours."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from sandbox.clock import Clock
from sandbox.stripe.errors import key_in_use, key_reused
from sandbox.stripe.store import Store

_LIFETIME = 86_400
_LONGEST = 255

_SCHEMA = """
CREATE TABLE IF NOT EXISTS keys (
    key TEXT PRIMARY KEY, endpoint TEXT NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL,
    body BLOB NOT NULL, request_id TEXT NOT NULL, created REAL NOT NULL
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer kept under a key."""

    status: int
    body: bytes
    request_id: str


def fingerprint(params: dict[str, Any]) -> str:
    """What two requests must share to be the same."""
    return hashlib.sha256(json.dumps(params, sort_keys=True).encode()).hexdigest()


class Keys:
    """The keys in use and the answers kept."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._connection = store.connection
        self._connection.executescript(_SCHEMA)
        self._clock = clock
        self._working: set[str] = set()

    def recall(self, key: str, endpoint: str, params_hash: str) -> Stored | None:
        """The answer kept under a key; refuses a key in use, and one used for something else."""
        if key in self._working:
            raise key_in_use(key)
        row = self._connection.execute(
            "SELECT * FROM keys WHERE key = ? AND created >= ?", (key, self._clock.now() - _LIFETIME)
        ).fetchone()
        if row is None:
            return None
        if row["endpoint"] != endpoint:
            raise key_reused(key, "same endpoint")
        if row["fingerprint"] != params_hash:
            raise key_reused(key, "same parameters")
        return Stored(row["status"], row["body"], row["request_id"])

    def hold(self, key: str) -> None:
        """Mark a key as being worked on."""
        self._working.add(key)

    def let_go(self, key: str) -> None:
        """The work on a key is over."""
        self._working.discard(key)

    def keep(self, key: str, endpoint: str, params_hash: str, answer: Stored) -> None:
        """Store the first answer under its key."""
        self._connection.execute(
            "INSERT OR REPLACE INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key, endpoint, params_hash, answer.status, answer.body, answer.request_id, self._clock.now()),
        )

    def prune(self) -> int:
        """Forget keys older than 24 hours of virtual time; returns how many."""
        cursor = self._connection.execute("DELETE FROM keys WHERE created < ?", (self._clock.now() - _LIFETIME,))
        return cursor.rowcount

    @staticmethod
    def too_long(key: str) -> bool:
        """Whether Stripe would refuse the key itself."""
        return len(key) > _LONGEST
