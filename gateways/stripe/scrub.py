"""Takes credentials out of text before it can reach an exception, a log or a page."""

import re

# API keys, webhook and ephemeral secrets by their prefixes, and the second half of a client secret.
_SECRET = re.compile(r"(?:\b(?:sk|rk|pk|ek)_(?:test|live)|\bwhsec|_secret)_[^\s\"'<>,;]+")
_LONGEST = 500


def scrubbed(text: str) -> str:
    """The text without anything that looks like a Stripe credential, and not longer than a log line should be."""
    return _SECRET.sub("[secret]", text)[:_LONGEST]
