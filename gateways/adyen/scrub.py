"""Takes credentials out of text before it can reach an exception, a log or a page."""

import re

# API keys begin with AQE and may hold any character but blanks; HMAC keys are long runs of hexadecimal digits.
_SECRET = re.compile(r"AQE\S{8,}|(?<![0-9A-Za-z])[0-9A-Fa-f]{32,}")
_LONGEST = 500


def scrubbed(text: str) -> str:
    """The text without anything that looks like an Adyen credential, and not longer than a log line should be."""
    return _SECRET.sub("[secret]", text)[:_LONGEST]
