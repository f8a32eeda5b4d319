"""Who calls, and what the caller may do: bearer API keys with scopes.

A key is looked up by its SHA-256: an index lookup on a hash of 256 random bits tells a timing attacker nothing. Keys
that were found are remembered for five seconds, so a revocation takes up to five seconds to be felt.
"""

import hashlib
import re
import time
from collections.abc import Callable

from starlette.requests import Request

from api.problems import Problem
from ledger.contract import ApiKey
from ledger.keys import ApiKeys

REMEMBER_SECONDS = 5.0
_REMEMBER_AT_MOST = 10_000
_SECRET = re.compile(r"[!-~]{1,200}")
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="paysaga"'}


class Authenticator:
    """Turns a bearer secret into the API key it belongs to."""

    def __init__(self, keys: ApiKeys, clock: Callable[[], float] = time.monotonic) -> None:
        self._keys, self._clock = keys, clock
        self._known: dict[bytes, tuple[ApiKey, float]] = {}

    async def authenticate(self, secret: str) -> ApiKey | None:
        """The key, None when the secret belongs to none or to a revoked one."""
        digest = hashlib.sha256(secret.encode()).digest()
        known = self._known.get(digest)
        if known and known[1] > self._clock():
            return known[0]
        key = await self._keys.authenticate(secret)
        if key is None:
            self._known.pop(digest, None)
            return None
        if len(self._known) >= _REMEMBER_AT_MOST:
            self._known.clear()
        self._known[digest] = (key, self._clock() + REMEMBER_SECONDS)
        return key


async def caller_of(request: Request, authenticator: Authenticator, scope: str) -> ApiKey:
    """The key that calls. Raises Problem: 401 without a valid key, 403 when the key lacks the scope."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    secret = secret.strip()
    if kind.lower() != "bearer" or not _SECRET.fullmatch(secret):
        raise _unauthorized("Send the API key as Authorization: Bearer psk_….")
    key = await authenticator.authenticate(secret)
    if key is None:
        raise _unauthorized("The API key is unknown or revoked.")
    if scope not in key.scopes:
        detail = f"The API key lacks the scope {scope!r}."
        headers = {"WWW-Authenticate": f'Bearer realm="paysaga", error="insufficient_scope", scope="{scope}"'}
        raise Problem(403, "scope_missing", detail, headers=headers, scope=scope)
    return key


def known_caller(request: Request) -> ApiKey:
    """The key that calls a route which the guard let it through to."""
    caller = request.state.caller
    assert isinstance(caller, ApiKey)
    return caller


def _unauthorized(detail: str) -> Problem:
    return Problem(401, "unauthorized", detail, headers=_CHALLENGE)
