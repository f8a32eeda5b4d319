"""Takes credentials out of text before it can reach an exception, a log or a page."""

import re
from base64 import b64encode
from collections import deque

# A token or a basic pair as it stands in a header, whoever quotes it; and tokens of PayPal's that nobody told us of.
_HEADER = re.compile(r"\b(Bearer|Basic)\s+[^\s\"'<>,;]+", re.IGNORECASE)
_TOKEN = re.compile(r"\bA21A[A-Z][A-Za-z0-9_-]{8,}")
_LONGEST = 500
_TOKENS_KEPT = 8


class Scrubber:
    """Knows the secrets of one account, which have no form that would give them away, and blots them out."""

    def __init__(self, client_id: str, client_secret: str) -> None:
        pair = b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._lasting = (client_secret, pair)
        self._tokens: deque[str] = deque(maxlen=_TOKENS_KEPT)

    def learn(self, token: str) -> None:
        """A token that must not show either; the few before it may still be on the wire."""
        self._tokens.append(token)

    def __call__(self, text: str) -> str:
        """The text without any of them, and not longer than a log line should be."""
        for secret in (*self._lasting, *self._tokens):
            text = text.replace(secret, "[secret]")
        return _TOKEN.sub("[secret]", _HEADER.sub(r"\1 [secret]", text))[:_LONGEST]
