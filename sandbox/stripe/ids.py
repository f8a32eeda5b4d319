"""Object ids that look like Stripe's."""

import os

_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def random_text(length: int) -> str:
    """Letters and digits that cannot be guessed."""
    return "".join(_LETTERS[byte % 62] for byte in os.urandom(length))


def new_id(prefix: str) -> str:
    """A fresh id of one kind of object."""
    return f"{prefix}_{random_text(24)}"
