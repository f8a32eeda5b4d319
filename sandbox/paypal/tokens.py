"""Access tokens: given for client credentials, good for nine hours of virtual time."""

import base64
import binascii
import sqlite3

from sandbox.clock import Clock
from sandbox.ids import random_text
from sandbox.paypal.errors import bad_client, bad_token, refusal
from sandbox.store import Json

_LIFETIME = 32_400
_SECRET_BEGINS = "sandbox_"

_SCHEMA = "CREATE TABLE IF NOT EXISTS tokens (token TEXT PRIMARY KEY, expires REAL NOT NULL) WITHOUT ROWID;"


class Tokens:
    """The tokens that are good now; they survive a restart, as PayPal's survive one of its machines."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock) -> None:
        self._connection = connection
        self._connection.executescript(_SCHEMA)
        self._clock = clock

    def grant(self, authorization: str | None) -> Json:
        """A new token for a client id and a secret that begins with `sandbox_`."""
        _check_client(authorization)
        token = f"A21AA{random_text(92)}"
        expires = self._clock.now() + _LIFETIME
        self._connection.execute("INSERT INTO tokens VALUES (?, ?)", (token, expires))
        return {
            "scope": "https://uri.paypal.com/services/payments/payment",
            "access_token": token,
            "token_type": "Bearer",
            "app_id": "APP-80W284485P519543T",
            "expires_in": _LIFETIME,
            "nonce": f"{self._clock.stamp()}{random_text(43)}",
        }

    def check(self, authorization: str | None) -> None:
        """Refuse a call without a token, or with one that is not good."""
        scheme, _, token = (authorization or "").strip().partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise refusal(401)
        found = self._connection.execute(
            "SELECT 1 FROM tokens WHERE token = ? AND expires > ?", (token.strip(), self._clock.now())
        ).fetchone()
        if found is None:
            raise bad_token()

    def expire(self) -> int:
        """Make all tokens useless now, as PayPal does when an application's rights change; returns how many."""
        return self._connection.execute("DELETE FROM tokens").rowcount

    def prune(self) -> None:
        """Forget expired tokens."""
        self._connection.execute("DELETE FROM tokens WHERE expires <= ?", (self._clock.now(),))


def _check_client(authorization: str | None) -> None:
    scheme, _, credentials = (authorization or "").strip().partition(" ")
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise bad_client() from error
    client_id, _, secret = decoded.partition(":")
    if scheme.lower() != "basic" or not client_id or not secret.startswith(_SECRET_BEGINS):
        raise bad_client()
